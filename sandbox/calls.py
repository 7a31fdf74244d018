"""What was called, without who it was about: no parameter is kept."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Any, NamedTuple

from sandbox.clock import iso_of

KEPT = 10_000


class Call(NamedTuple):
    """`at` is in seconds since the epoch. `status` is None when no reply went out; `made` says
    whether any state changed."""

    seq: int
    at: float
    endpoint: str
    status: int | None
    made: bool
    fault: str | None


class CallLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._seq = 0
            self._calls: deque[Call] = deque(maxlen=KEPT)
            self._counts: Counter[str] = Counter()

    def note(
        self, at: float, endpoint: str, status: int | None, made: bool, fault: str | None
    ) -> None:
        with self._lock:
            self._seq += 1
            self._calls.append(Call(self._seq, at, endpoint, status, made, fault))
            self._counts[endpoint] += 1

    def latest(self, count: int = KEPT) -> list[dict[str, Any]]:
        """Oldest first."""
        with self._lock:
            rows = list(self._calls)[-count:]
        return [_as_json(call) for call in rows]

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counts.items()))


def _as_json(call: Call) -> dict[str, Any]:
    method, _, path = call.endpoint.partition(" ")
    return {**call._asdict(), "at": iso_of(call.at), "method": method, "path": path}
