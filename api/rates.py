"""How many requests a key may make (access/buckets.py).

Each of WEB_CONCURRENCY processes gives out its share, so that a key never gets more than its limit.
One that sends all of its requests over one connection is served by one process, and gets one share
(docs/api.md says so).
"""

import math
import time
from dataclasses import dataclass

from django.conf import settings

from access import buckets as bucket_room
from access.buckets import BUCKETS_KEPT, Left
from api.problems import Problem

__all__ = ["BUCKETS_KEPT", "Allowance", "Buckets", "buckets", "take"]


@dataclass(frozen=True, slots=True)
class Allowance(Left):
    """What a key has left after a request, as it is told."""

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


class Buckets(bucket_room.Buckets):
    def take(self, key: str, now: float, *, rate: float, burst: int) -> Allowance:
        left = super().take(key, now, rate=rate, burst=burst)
        return Allowance(left.limit, left.remaining, left.wait, left.full_in)


buckets = Buckets()


def take(key: str) -> Allowance:
    """One request of this key, from this process's share."""
    return buckets.take(
        key,
        time.monotonic(),
        rate=settings.API_RATE_PER_SECOND / settings.WEB_CONCURRENCY,
        burst=max(settings.API_BURST // settings.WEB_CONCURRENCY, 1),
    )
