"""How long a call may take, with room for a machine that is busy."""

import contextlib
import time
from collections.abc import Iterator


@contextlib.contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """At least so long, and not as long as without one deadline for the whole call."""
    start = time.monotonic()
    yield
    assert seconds - 0.01 <= time.monotonic() - start < 20
