from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from access import pins


@pytest.fixture
def quick_pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes that take no time: for tests that are about something else."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(pins, "HASHER", quick)
    pins.of_nobody.cache_clear()
    yield
    pins.of_nobody.cache_clear()
