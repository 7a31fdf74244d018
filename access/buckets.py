"""How many requests something may make: buckets of tokens that fill up again.

Counted in this process alone, without a write to the database: where there are several processes,
each gives out its share.
"""

import threading
from dataclasses import dataclass

# A bucket that has been left alone for so long is full again; so many are kept before a clean-up.
BUCKETS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Left:
    """What there is after a request. `wait` is how many seconds until there is one more."""

    limit: int
    remaining: int
    wait: float
    full_in: float


class Buckets:
    """`rate` tokens a second for each key, and at most `burst` at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float, *, rate: float, burst: int) -> Left:
        with self._lock:
            tokens = self._filled(key, now, rate, burst)
            granted = tokens >= 1
            tokens -= granted
            self._left[key] = (tokens, now)
            if len(self._left) > BUCKETS_KEPT:
                self._drop_full(now, rate, burst)
        wait = 0.0 if granted else (1 - tokens) / rate
        return Left(burst, int(tokens), wait, (burst - tokens) / rate)

    def _filled(self, key: str, now: float, rate: float, burst: int) -> float:
        tokens, at = self._left.get(key, (float(burst), now))
        return min(tokens + (now - at) * rate, burst)

    def _drop_full(self, now: float, rate: float, burst: int) -> None:
        full = [key for key in self._left if self._filled(key, now, rate, burst) >= burst]
        for key in full:
            del self._left[key]

    def forget(self) -> None:
        with self._lock:
            self._left.clear()
