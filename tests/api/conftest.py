from collections.abc import Iterator

import pytest

from api.rates import buckets
from connectors.yotpo.client import Yotpo
from members import last_known
from stores.models import Installation
from tests.api.pos import Pos


@pytest.fixture
def pos(
    engine: Yotpo, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pos]:
    """The POS of the shop; its engine is the sandbox."""
    monkeypatch.setattr(last_known, "batch", last_known.Batch())
    buckets.forget()
    yield Pos(installation)
    buckets.forget()
