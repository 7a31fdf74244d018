"""The limits of each outside system, shared by all processes through our own database.

What is written: a breaker that opens or closes, the one probe of an open breaker, the slots of
background calls, that they wait where any process was told "too many calls", and, every few seconds
while they call, that there are people. A look-up neither writes nor waits: what other processes
found out about a system is read by a thread of its own, at most once a second, and only while the
system is called; the same thread tells of people.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from connectors.limits import (
    FAILURES_TO_OPEN,
    LONGEST_WAIT,
    OPEN_SECONDS,
    PEOPLE_STAY_SECONDS,
    PROBE_SECONDS,
    Breaker,
    Limits,
    be_background,
)
from outbox.models import OutsideSystem

log = structlog.get_logger(__name__)

T = TypeVar("T")

REFRESH_SECONDS = 1.0
# A database that does not answer must not hold up a call: then this process decides for itself.
LONGEST_QUESTION_SECONDS = 1.0
PEOPLE_TOLD_EVERY_SECONDS = 5.0

_limits: dict[str, Limits] = {}
_lock = threading.Lock()


def limits_of(system: str) -> Limits:
    """The ones in use for calls to that system."""
    with _lock:
        if system not in _limits:
            _limits[system] = made(system)
        return _limits[system]


def fresh_limits(system: str) -> Limits:
    """New ones, in the place of those in use: for a client that is made anew."""
    with _lock:
        _limits[system] = made(system)
        return _limits[system]


def made(system: str) -> Limits:
    rate = settings.OUTSIDE_RATES[system]
    return SharedLimits(system, rate) if settings.SHARED_LIMITS else Limits(rate)


@cache
def clerk() -> ThreadPoolExecutor:
    """The one thread that asks the database about limits: those that call must not hold any."""
    return ThreadPoolExecutor(1, thread_name_prefix="limits")


def aside(question: Callable[[], T]) -> "Future[T]":
    """Have it asked in the clerk's thread, over a connection that is given back at once."""

    def ask() -> T:
        try:
            return question()
        finally:
            connection.close()

    return clerk().submit(ask)


class SharedBreaker(Breaker):
    """Opens and closes with those of all other processes; of all of them one call probes."""

    def __init__(
        self,
        system: str,
        clock: Callable[[], float] = time.monotonic,
        aside: Callable[[Callable[[], Any]], "Future[Any]"] = aside,
    ) -> None:
        super().__init__(clock)
        self._system = system
        self._aside = aside
        self._refresh_at = -math.inf
        self._changes = 0

    def lets_through(self) -> bool:
        self._refresh_if_old()
        was_open = self.is_open
        if not super().lets_through():
            return False
        return not was_open or self._may_probe()

    def closed_for(self) -> float:
        """A worker that is told to wait asks nothing else, so it must hear here that it is over."""
        self._refresh_if_old()
        return super().closed_for()

    def note(self, ok: bool) -> bool:
        changed = super().note(ok)
        if changed:
            with self._lock:
                self._changes += 1
            self._aside(self._write_closed if ok else self._write_open)
        return changed

    @property
    def is_open(self) -> bool:
        with self._lock:
            return self._open_until is not None

    def _refresh_if_old(self) -> None:
        now = self._clock()
        with self._lock:
            if now < self._refresh_at:
                return
            self._refresh_at = now + REFRESH_SECONDS
            as_of = self._changes
        self._aside(lambda: self._refresh(as_of))

    def _may_probe(self) -> bool:
        """Whether this process has the one probe. One that can't ask decides for itself."""
        try:
            taken: bool = self._aside(self._take_probe).result(LONGEST_QUESTION_SECONDS)
        except (DatabaseError, TimeoutError):
            return True
        return taken

    # What the clerk does.

    def _take_probe(self) -> bool:
        row = OutsideSystem.objects.filter(system=self._system)
        taken = (
            row.filter(open_until__lte=Now())
            .filter(Q(probe_until=None) | Q(probe_until__lte=Now()))
            .update(probe_until=Now() + timedelta(seconds=PROBE_SECONDS))
        )
        if taken or not row.filter(open_until__isnull=False).exists():
            return True
        self._refresh(self._changes)
        return False

    def _refresh(self, as_of: int) -> None:
        """Take over what another process found out, unless we found out something since."""
        try:
            row = OutsideSystem.objects.annotate(now=Now()).filter(system=self._system).first()
        except DatabaseError:
            log.warning("limits.not_read", system=self._system)
            return
        with self._lock:
            if as_of != self._changes:
                return
            if row is not None and row.open_until is not None:
                until = max(row.open_until, row.probe_until or row.open_until)
                self._open_until = self._clock() + (until - row.now).total_seconds()
                # One that fails to probe opens it again, and not after ten of its own.
                self._failures = FAILURES_TO_OPEN
                self._probe_until = -math.inf
            elif self._open_until is not None:
                self._failures, self._open_until = 0, None

    def _write_open(self) -> None:
        until = Now() + timedelta(seconds=OPEN_SECONDS)
        self._write(open_until=until, probe_until=None, changed_at=Now())
        log.warning("breaker.opened", system=self._system)

    def _write_closed(self) -> None:
        self._write(open_until=None, probe_until=None, changed_at=Now())
        log.info("breaker.closed", system=self._system)

    def _write(self, **changes: Any) -> None:
        try:
            OutsideSystem.objects.update_or_create(system=self._system, defaults=changes)
        except DatabaseError:
            log.exception("limits.not_written", system=self._system)


class SharedLimits(Limits):
    """A breaker and a bucket of background calls for all processes; headers are each one's own."""

    def __init__(
        self,
        system: str,
        rate_per_second: float,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        aside: Callable[[Callable[[], Any]], "Future[Any]"] = aside,
    ) -> None:
        super().__init__(
            rate_per_second,
            breaker=breaker or SharedBreaker(system, clock),
            clock=clock,
            sleep=sleep,
        )
        self._system = system
        self._aside = aside
        self._held_back_until = -math.inf
        self._tell_of_people_at = -math.inf

    def note_throttled(self, wait: float) -> None:
        """As the parent's; and all workers wait, told of it at most once a second."""
        super().note_throttled(wait)
        until = self._clock() + wait
        with self._lock:
            if until < self._held_back_until + REFRESH_SECONDS:
                return
            self._held_back_until = until
        self._aside(lambda: self._hold_back(wait))

    def _note_person(self) -> None:
        super()._note_person()
        now = self._clock()
        with self._lock:
            if now < self._tell_of_people_at:
                return
            self._tell_of_people_at = now + PEOPLE_TOLD_EVERY_SECONDS
        self._aside(self._tell_of_people)

    def _tell_of_people(self) -> None:
        until = Now() + timedelta(seconds=PEOPLE_STAY_SECONDS)
        try:
            OutsideSystem.objects.update_or_create(
                system=self._system, defaults={"people_until": until}
            )
        except DatabaseError:
            log.warning("limits.people_not_told", system=self._system)

    def wait_for_background(self, calls: int = 1, longest: float = math.inf) -> bool:
        """As the parent's: the next free slots of all workers are taken, then waited for."""
        be_background()
        pause = self._take_slots(calls, longest)
        if pause is None:
            return False
        if pause > 0:
            self._sleep(pause)
        return True

    def _take_slots(self, calls: int, longest: float) -> float | None:
        """Seconds until they begin; None, with nothing taken, where that is too long."""
        with transaction.atomic():
            OutsideSystem.objects.get_or_create(system=self._system)
            row = (
                OutsideSystem.objects.select_for_update()
                .annotate(now=Now())
                .get(system=self._system)
            )
            earliest = row.now + timedelta(seconds=self._quiet_seconds(row.people_until, row.now))
            a_call = timedelta(seconds=self._seconds_a_call())
            # Whoever comes late for a slot may make up for one.
            late = row.now - a_call if earliest == row.now else earliest
            slot = max(late, row.next_slot_at or earliest)
            if slot > row.now + self._furthest():
                slot = earliest  # that clock was set back since
            pause = max(0.0, (slot - row.now).total_seconds())
            if pause > longest:
                return None
            row.next_slot_at = slot + calls * a_call
            row.save(update_fields=["next_slot_at"])
        return pause

    def _furthest(self) -> timedelta:
        """No slot is given further ahead than this: the longest wait, and very many who wait."""
        return timedelta(seconds=2 * LONGEST_WAIT + 100 * self._seconds_a_call())

    def _hold_back(self, wait: float) -> None:
        """The clerk's: nobody's next background call goes earlier than that."""
        until = Now() + timedelta(seconds=wait)
        try:
            OutsideSystem.objects.get_or_create(system=self._system)
            sooner = Q(next_slot_at=None) | Q(next_slot_at__lt=until)
            OutsideSystem.objects.filter(sooner, system=self._system).update(next_slot_at=until)
        except DatabaseError:
            log.exception("limits.not_written", system=self._system)

    def _quiet_seconds(self, people_until: datetime | None, now: datetime) -> float:
        """For so long the system's own window has too little left for background work.

        Takes over what other processes know of people; both times are the database's.
        """
        with self._lock:
            clock = self._clock()
            if people_until is not None:
                # Not longer than that either where the database's clock was set back.
                seconds = min((people_until - now).total_seconds(), PEOPLE_STAY_SECONDS)
                self._people_until = max(self._people_until, clock + seconds)
            return max(0.0, self._window_ready() - clock)
