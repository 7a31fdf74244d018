"""The gateway's rate limit: so many calls in each whole second, and headers that say so.

Source: the vendor's "Guidelines and conventions" page (10 a second per merchant; an older page
says 5). A call over the limit gets 429; no `Retry-After` is documented.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SECOND, MINUTE = 1, 60


@dataclass(frozen=True)
class Allowance:
    """Whether one call may pass, and the headers that go with its answer."""

    allowed: bool
    headers: dict[str, str]


class RateGate:
    """Counts calls per whole second and per whole minute of the machine's clock."""

    def __init__(self, seconds_now: Callable[[], float] = time.time) -> None:
        self._now = seconds_now
        self._lock = threading.Lock()
        self._counts: dict[int, tuple[int, int]] = {}

    def take(self, limit: int | None) -> Allowance:
        """Count one call; `limit` is calls a second, None for no limit and no headers."""
        if limit is None:
            return Allowance(allowed=True, headers={})
        with self._lock:
            in_second, in_minute = self._count(SECOND), self._count(MINUTE)
        return Allowance(in_second <= limit, rate_headers(limit, in_second, in_minute))

    def _count(self, width: int) -> int:
        window = int(self._now()) // width
        last, count = self._counts.get(width, (window, 0))
        count = count + 1 if last == window else 1
        self._counts[width] = (window, count)
        return count


def rate_headers(limit: int, in_second: int, in_minute: int) -> dict[str, str]:
    """The five headers; `ratelimit-reset` is in seconds."""
    return {
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(max(0, limit - in_second)),
        "ratelimit-reset": str(SECOND),
        "x-ratelimit-limit-minute": str(limit * MINUTE),
        "x-ratelimit-remaining-minute": str(max(0, limit * MINUTE - in_minute)),
    }
