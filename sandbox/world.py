"""Everything that one sandbox process holds, and its way back to a fresh start."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sandbox.calls import CallLog
from sandbox.faults import FaultBoard
from sandbox.messenger import Messenger
from sandbox.rate import RateGate
from sandbox.switches import Switches, changed
from sandbox.yotpo import jobs, seed
from sandbox.yotpo.endpoints import ENDPOINTS
from sandbox.yotpo.store import Store, Work, build_tables

T = TypeVar("T")


# Sowing takes long beside a test that wants a fresh shop; its days are counted back from then.
FRESH_FOR_SECONDS = 300.0


class World:
    """State on disk (`store`), and in memory: switches, faults, calls."""

    def __init__(
        self, store: Store, *, guid: str, api_key: str, rate: int | None, seeded: bool
    ) -> None:
        self.guid = guid
        self.api_key = api_key
        self.faults = FaultBoard(list(ENDPOINTS))
        self.calls = CallLog()
        self.rate_gate = RateGate()
        self.store = store
        self._as_started = replace(Switches(), rate=rate)
        self.switches = self._as_started
        self.messenger = Messenger(lambda: self.switches)
        self._seeded = seeded
        self._lock = threading.Lock()
        self.resets = 0
        self._fresh_until = -math.inf
        self._next_due = 0.0  # seconds since the epoch: not known yet
        self.on_reset: list[Callable[[], None]] = []
        self.was_sown = not store.is_current()
        if self.was_sown:
            self._build()

    def now(self) -> float:
        """Seconds since the epoch by the engine's clock, which may be set wrong."""
        return time.time() + self.switches.clock_skew_seconds

    def switch(self, changes: Mapping[str, Any]) -> Switches:
        with self._lock:
            self.switches = changed(self.switches, changes)
            return self.switches

    def run(self, act: Callable[[Work], T]) -> tuple[T, bool]:
        """Do one act in one transaction; also whether it changed a row."""
        if self._next_due <= time.time():
            with self.store.work(self.switches) as work:
                self._run_due(work)
            self.messenger.send(work.told)
        with self.store.work(self.switches) as work:
            before = work.db.total_changes
            result = act(work)
            made = work.db.total_changes > before
            if made:
                self._run_due(work)
        # Nobody is kept waiting by the merchant but who asked.
        self.messenger.send(work.told)
        return result, made

    def _run_due(self, work: Work) -> None:
        jobs.run_due(work)
        self._next_due = jobs.next_due(work)

    def reset(self) -> None:
        """A fresh seed, no faults, no calls, and the switches as they were at the start."""
        with self._lock:
            self.switches = self._as_started
            self.resets += 1
        self.faults.clear()
        self.calls.clear()
        self.messenger.clear()
        self._build()
        for forget in self.on_reset:
            forget()

    def _build(self) -> None:
        if time.monotonic() < self._fresh_until:
            self.store.put_back()
        else:
            self._sow()
            self.store.keep()
            self._fresh_until = time.monotonic() + FRESH_FOR_SECONDS
        with self.store.work(self.switches) as work:
            self._next_due = jobs.next_due(work)

    def _sow(self) -> None:
        with self.store.work(self.switches) as work:
            build_tables(work)
            if self._seeded:
                seed.sow(work)
