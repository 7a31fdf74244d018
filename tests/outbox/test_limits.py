"""Breakers and the bucket of background calls, as several processes share them."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

import connectors.limits
from connectors.errors import Call, Unavailable
from connectors.limits import FAILURES_TO_OPEN, OPEN_SECONDS, PROBE_SECONDS
from outbox import limits
from outbox.limits import (
    PEOPLE_TOLD_EVERY_SECONDS,
    REFRESH_SECONDS,
    SharedBreaker,
    SharedLimits,
    aside,
)
from outbox.models import OutsideSystem
from tests.connectors.test_limits import Clock
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

CALL = Call("shop", "POST", "/orders")
Processes = Callable[[], SharedBreaker]


def inline(question: Callable[[], Any]) -> Future[Any]:
    """The clerk's work done at once, so that a test knows when it was."""
    done: Future[Any] = Future()
    done.set_result(question())
    return done


@pytest.fixture(autouse=True)
def _a_persons_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test before did in it."""
    monkeypatch.setattr(connectors.limits, "_thread", threading.local())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(clock: Clock) -> Processes:
    """The breaker of one more process."""
    return lambda: SharedBreaker("shop", clock, inline)


def fail(breaker: SharedBreaker, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        breaker.note(False)


def open_time_passes(clock: Clock) -> None:
    """On the database's clock as well."""
    clock.now += OPEN_SECONDS
    OutsideSystem.objects.update(open_until=Now() - timedelta(milliseconds=10))


class TestTheBreaker:
    def test_of_one_process_opens_it_for_all(self, process: Processes, clock: Clock):
        one, other = process(), process()
        assert other.lets_through()

        fail(one)
        clock.now += REFRESH_SECONDS
        other.lets_through()
        assert not one.lets_through() and not other.lets_through()
        assert 0 < other.closed_for() <= OPEN_SECONDS

    def test_of_all_processes_one_call_probes(self, process, clock):
        breakers = [process() for _ in range(4)]
        fail(breakers[0])
        clock.now += REFRESH_SECONDS
        for breaker in breakers:
            breaker.lets_through()
        open_time_passes(clock)

        assert [breaker.lets_through() for breaker in breakers].count(True) == 1

    def test_closes_for_all_when_the_probe_succeeds(self, process, clock):
        one, other = process(), process()
        fail(one)
        clock.now += REFRESH_SECONDS
        other.lets_through()
        open_time_passes(clock)
        assert one.lets_through()

        one.note(True)
        clock.now += REFRESH_SECONDS
        assert other.lets_through() and one.lets_through()

    def test_that_another_closed_holds_up_no_worker_that_only_asks_how_long(self, process, clock):
        one, other = process(), process()
        fail(one)
        clock.now += REFRESH_SECONDS
        other.closed_for()
        open_time_passes(clock)
        assert one.lets_through() and not other.lets_through()

        one.note(True)
        clock.now += REFRESH_SECONDS
        assert other.closed_for() == 0

    def test_opens_again_for_all_when_the_probe_fails(self, process, clock):
        one, other = process(), process()
        fail(one)
        clock.now += REFRESH_SECONDS
        other.lets_through()
        open_time_passes(clock)
        assert other.lets_through()

        other.note(False)
        assert not one.lets_through() and not other.lets_through()
        row = OutsideSystem.objects.annotate(now=Now()).get()
        assert row.open_until > row.now and row.probe_until is None

    def test_whose_prober_died_is_probed_by_another(self, process, clock):
        one, other = process(), process()
        fail(one)
        open_time_passes(clock)
        assert one.lets_through()
        clock.now += PROBE_SECONDS
        OutsideSystem.objects.update(probe_until=Now() - timedelta(milliseconds=10))
        assert other.lets_through()

    def test_writes_only_when_it_changes(self, process, clock, django_assert_num_queries):
        breaker = process()
        breaker.lets_through()
        with django_assert_num_queries(0):
            for _ in range(50):
                assert breaker.lets_through()
                breaker.note(True)
        fail(breaker, FAILURES_TO_OPEN - 1)
        assert not OutsideSystem.objects.exists()

    def test_looks_no_more_often_than_each_second(self, process, clock, django_assert_num_queries):
        breaker = process()
        with django_assert_num_queries(3):
            for _ in range(31):
                breaker.lets_through()
                clock.now += REFRESH_SECONDS / 10

    def test_that_just_opened_is_not_closed_by_an_older_look(self, process, clock):
        late: list[Callable[[], Any]] = []

        def later(question: Callable[[], Any]) -> Future[Any]:
            late.append(question)
            return Future()

        breaker = SharedBreaker("shop", clock, later)
        breaker.lets_through()
        fail(breaker)
        for question in late:
            question()
        assert not breaker.lets_through()


def test_who_calls_does_not_touch_the_database(django_assert_num_queries):
    """All of it is done by the clerk's thread, and the limits work without it meanwhile."""
    shared = SharedLimits("shop", 10.0)
    with django_assert_num_queries(0):
        for _ in range(FAILURES_TO_OPEN):
            shared.before(CALL)
            shared.after(ok=False)
        with pytest.raises(Unavailable):
            shared.before(CALL)
    until(lambda: OutsideSystem.objects.filter(open_until__isnull=False), "the others are told")
    aside(lambda: None).result(10)
    limits.clerk().shutdown()
    limits.clerk.cache_clear()


class TestTheBucket:
    def bucket(self, clock: Clock, rate: float = 10.0) -> SharedLimits:
        breaker = SharedBreaker("shop", clock, inline)
        return SharedLimits(
            "shop", rate, breaker=breaker, clock=clock, sleep=clock.sleep, aside=inline
        )

    def apart(self, *takers: SharedLimits) -> list[float]:
        """How far from one slot to the next, in a queue that is longer than a test takes."""
        OutsideSystem.objects.update_or_create(
            system="shop", defaults={"next_slot_at": Now() + timedelta(minutes=1)}
        )
        slots = [OutsideSystem.objects.get().next_slot_at]
        for taker in takers:
            taker.wait_for_background()
            slots.append(OutsideSystem.objects.get().next_slot_at)
        return [(late - early).total_seconds() for early, late in pairwise(slots)]

    def test_gives_background_calls_half_of_the_cap_where_people_call(self, clock: Clock):
        one, other, till = (self.bucket(clock) for _ in range(3))
        till.before(CALL)
        assert self.apart(one, other, one) == pytest.approx([0.2] * 3, abs=0.001)

    def test_lends_them_what_nobody_calls_for(self, clock: Clock):
        one, other = self.bucket(clock), self.bucket(clock)
        assert self.apart(one, other, one) == pytest.approx([1 / 9] * 3, abs=0.001)

    def test_takes_it_back_from_all_when_somebody_calls(self, clock: Clock):
        one, other, till = (self.bucket(clock) for _ in range(3))
        assert self.apart(one, other) == pytest.approx([1 / 9] * 2, abs=0.001)
        till._note_person()
        assert self.apart(one, other) == pytest.approx([0.2] * 2, abs=0.001)

    def test_of_people_is_told_at_most_every_five_seconds(
        self, clock: Clock, django_assert_num_queries
    ):
        till = self.bucket(clock)
        till.before(CALL)
        told = OutsideSystem.objects.get().people_until
        with django_assert_num_queries(0):
            for _ in range(9):
                till._note_person()
        clock.now += PEOPLE_TOLD_EVERY_SECONDS
        till._note_person()
        assert OutsideSystem.objects.get().people_until > told

    def test_takes_as_many_slots_as_there_are_calls(self, clock):
        bucket = self.bucket(clock)
        self.apart(bucket)
        before = OutsideSystem.objects.get().next_slot_at
        bucket.wait_for_background(calls=4)
        after = OutsideSystem.objects.get().next_slot_at
        assert (after - before).total_seconds() == pytest.approx(4 / 9, abs=0.001)

    def test_makes_up_for_one_that_came_too_late(self, clock):
        bucket = self.bucket(clock, rate=0.1)
        bucket.wait_for_background()
        OutsideSystem.objects.update(next_slot_at=Now() - timedelta(minutes=1))
        assert bucket.wait_for_background(longest=1)
        assert bucket.wait_for_background(longest=1)
        assert not bucket.wait_for_background(longest=1)

    def test_takes_nothing_from_who_will_not_wait_so_long(self, clock):
        bucket = self.bucket(clock, rate=0.2)
        assert bucket.wait_for_background(longest=1)
        before = OutsideSystem.objects.get().next_slot_at
        assert not bucket.wait_for_background(longest=1)
        assert OutsideSystem.objects.get().next_slot_at == before

    def test_holds_all_background_work_while_the_systems_window_is_short(self, clock):
        started = clock.now
        one, other, till = (self.bucket(clock) for _ in range(3))
        till.before(CALL)
        one.note_rate({"ratelimit-remaining": "2", "ratelimit-limit": "10", "ratelimit-reset": "4"})
        one.wait_for_background()
        other.wait_for_background()
        assert clock.now - started == pytest.approx(4 + 4.2, abs=0.2)

    def test_stands_still_while_any_process_is_told_to_wait(self, clock):
        started = clock.now
        till, worker = self.bucket(clock), self.bucket(clock)
        worker.wait_for_background()
        till.note_throttled(5)
        worker.wait_for_background()
        assert clock.now - started == pytest.approx(5, abs=0.2)

    def test_is_told_of_many_waits_at_once_only_once(self, clock, django_assert_max_num_queries):
        till = self.bucket(clock)
        with django_assert_max_num_queries(6):
            for _ in range(50):
                till.note_throttled(1)

    def test_goes_on_when_the_clock_was_set_back(self, clock):
        OutsideSystem.objects.create(system="shop", next_slot_at=Now() + timedelta(hours=1))
        assert self.bucket(clock).wait_for_background(longest=2)

    def test_gives_each_of_many_at_once_a_slot_of_its_own(self):
        slots: list[float] = []
        together = threading.Barrier(6)

        def take(_number: int) -> None:
            together.wait()
            try:
                taken = SharedLimits("shop", 10.0, sleep=slots.append)
                for _ in range(5):
                    taken.wait_for_background()
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(take, range(6)))
        row = OutsideSystem.objects.annotate(now=Now()).get()
        # None was given twice: the next one is thirty slots from the first.
        assert len(slots) >= 25
        assert (row.next_slot_at - row.now).total_seconds() == pytest.approx(30 / 9, abs=2.5)
        assert max(slots) > 1
