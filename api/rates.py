"""How many requests a key may make: a bucket of tokens that fills up again.

Counted in this process alone, without a write to the database: each of WEB_CONCURRENCY processes
gives out its share, so that a key never gets more than its limit. One that sends all of its
requests over one connection is served by one process, and gets one share (docs/api.md says so).
"""

import math
import threading
import time
from dataclasses import dataclass

from django.conf import settings

from api.problems import Problem

# A bucket that has been left alone for so long is full again; so many are kept before a clean-up.
BUCKETS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left after a request. `wait` is how many seconds until there is one more."""

    limit: int
    remaining: int
    wait: float
    full_in: float

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.full_in)),
        }

    def check(self) -> None:
        """Raises the problem `rate-limited` where nothing was left."""
        if self.wait > 0:
            raise Problem(
                "rate-limited",
                "Wait as long as Retry-After says, then send the same again.",
                headers={"Retry-After": str(math.ceil(self.wait))},
            )


class Buckets:
    """`rate` tokens a second for each key, and at most `burst` at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float, *, rate: float, burst: int) -> Allowance:
        with self._lock:
            tokens = self._filled(key, now, rate, burst)
            granted = tokens >= 1
            tokens -= granted
            self._left[key] = (tokens, now)
            if len(self._left) > BUCKETS_KEPT:
                self._drop_full(now, rate, burst)
        wait = 0.0 if granted else (1 - tokens) / rate
        return Allowance(burst, int(tokens), wait, (burst - tokens) / rate)

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


buckets = Buckets()


def take(key: str) -> Allowance:
    """One request of this key, from this process's share."""
    return buckets.take(
        key,
        time.monotonic(),
        rate=settings.API_RATE_PER_SECOND / settings.WEB_CONCURRENCY,
        burst=max(settings.API_BURST // settings.WEB_CONCURRENCY, 1),
    )
