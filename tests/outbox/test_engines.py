"""What both engines of tasks must do alike."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from connectors.errors import Throttled, Unavailable
from outbox import sweeper
from outbox.claims import A_SWEEP, claim_to_send
from outbox.engines import Engine
from outbox.ledger import enqueue
from outbox.models import Delivery, PeriodicJob
from outbox.periodic import LONGEST_RUN, tick
from outbox.states import State
from outbox.sweeper import WAKE_AGAIN_AFTER, sweep, wake_silent
from outbox.tasks import deliver as deliver_task
from tests.outbox import jobs
from tests.outbox.conftest import Promise
from tests.outbox.other_side import OtherSide
from tests.outbox.test_races import at_once
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

LONG = timedelta(hours=2)


@pytest.fixture(autouse=True)
def engine(tasks_engine: Engine) -> Engine:
    return tasks_engine


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def forget_wake_ups(engine: Engine) -> None:
    """As if the engine had lost them all."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_tasks_database_dbtaskresult")
        if connection.vendor == "postgresql":
            cursor.execute("DELETE FROM procrastinate_jobs")
    assert engine.waiting(10) == 0


class TestAWakeUp:
    def test_delivers(self, engine: Engine, promise: Promise, side: OtherSide):
        for key in "123":
            promise(key=key)
        engine.run_waiting()
        assert side.calls == ["1", "2", "3"]
        assert states() == [State.DONE] * 3

    def test_comes_only_for_what_was_committed(self, engine, side):
        with transaction.atomic():
            enqueue(kind="order", key="1", installation_id="shop", payload={})
            transaction.set_rollback(True)
        assert engine.waiting(10) == 0

    def test_for_an_urgent_one_comes_first(self, engine, promise, side):
        promise(key="1")
        promise(key="cancel", urgent=True)
        engine.run_waiting()
        assert side.calls == ["cancel", "1"]

    def test_for_one_in_the_back_comes_last_however_many_there_are(self, engine, promise, side):
        with transaction.atomic():
            for number in range(500):
                enqueue(kind="reading", key=f"r{number}", installation_id="shop", payload={})
        promise(key="1")
        promise(key="cancel", urgent=True)
        side.meanwhile = lambda _delivery: Delivery.objects.filter(kind="reading").delete()
        engine.run_waiting()
        assert side.calls == ["cancel", "1"]

    def test_comes_again_when_it_is_time(self, engine, promise, side):
        side.says = [Throttled("shop", "POST", "/orders", wait=0.5)]
        promise(key="1")
        engine.run_waiting()
        assert (states(), engine.waiting(10)) == ([State.PENDING], 0)

        until(lambda: engine.waiting(10), "the wait that was asked for is over")
        engine.run_waiting()
        assert states() == [State.DONE]

    def test_that_comes_twice_delivers_once(self, engine, promise, side):
        delivery = promise(key="1")
        deliver_task.enqueue(delivery.pk)
        engine.run_waiting()
        assert side.calls == ["1"]

    def test_for_what_is_gone_harms_nobody(self, engine, promise, side):
        deliver_task.enqueue(404)
        promise(key="1")
        engine.run_waiting()
        assert side.calls == ["1"]

    def test_of_an_order_comes_for_one_after_the_other(self, engine, promise, side):
        side.says = [Unavailable("shop", "POST", "/orders")]
        for key in "123":
            promise(key=key, order_by="sale:1")
        until(lambda: engine.run_waiting() or set(states()) == {State.DONE}, "all are told")
        assert side.calls == ["1", "1", "2", "3"]


class TestTheSweeper:
    def test_wakes_what_the_engine_forgot(self, engine, promise, side):
        promise(key="1")
        forget_wake_ups(engine)
        Delivery.objects.update(due_at=Now() - LONG, woken_at=Now() - LONG)

        sweep()
        engine.run_waiting()
        assert states() == [State.DONE]

    def test_stamps_what_it_wakes_and_does_not_wake_it_again(self, engine, promise):
        for _ in range(3):
            promise()
        Delivery.objects.update(due_at=Now() - LONG, woken_at=None)
        assert [wake_silent() for _ in range(3)] == [3, 0, 0]

        Delivery.objects.update(woken_at=Now() - WAKE_AGAIN_AFTER)
        assert wake_silent() == 3

    def test_leaves_alone_what_was_woken_just_now(self, promise):
        promise()
        assert wake_silent() == 0

    def test_wakes_no_more_than_the_workers_can_soon_do(self, engine, promise, monkeypatch):
        monkeypatch.setattr(sweeper, "A_SWEEP", 5)
        for _ in range(9):
            promise()
        forget_wake_ups(engine)
        Delivery.objects.update(due_at=Now() - LONG, woken_at=None)
        assert [wake_silent() for _ in range(3)] == [5, 0, 0]
        assert A_SWEEP > 5

    def test_those_in_the_back_take_no_room_from_the_others(self, engine, promise, monkeypatch):
        monkeypatch.setattr(sweeper, "A_SWEEP", 5)
        silent = [promise(kind="reading") for _ in range(9)] + [promise() for _ in range(3)]
        forget_wake_ups(engine)
        late = {"due_at": Now() - LONG, "woken_at": None}
        Delivery.objects.filter(kind="reading").update(**late)
        assert wake_silent() == 5
        Delivery.objects.filter(pk__in=[one.pk for one in silent[9:]]).update(**late)
        assert wake_silent() == 3

    def test_wakes_nothing_that_is_held_back(self, promise):
        for key in "12":
            promise(key=key, order_by="sale:1")
        Delivery.objects.update(due_at=Now() - LONG, woken_at=None)
        assert wake_silent() == 1

    def test_frees_what_a_dead_worker_held(self, engine, promise, side):
        delivery = promise(key="1")
        claim_to_send(delivery.pk)
        Delivery.objects.update(lease_until=Now())
        side.reads = [True]

        sweep()
        engine.run_waiting()
        assert states() == [State.DONE]
        assert side.calls == []

    def test_clears_away_what_a_dead_worker_left_in_the_engine(self, engine, promise):
        promise()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE django_tasks_database_dbtaskresult SET status = 'RUNNING', started_at = %s",
                ["2026-01-01 00:00:00+00:00"],
            )
            if connection.vendor == "postgresql":
                cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        assert engine.prune() == 1
        assert engine.prune() == 0


class TestAPeriodicJob:
    @pytest.fixture(autouse=True)
    def _jobs(self, settings) -> None:
        settings.PERIODIC_JOBS = {"tests.outbox.jobs.count": 10**9}
        jobs.runs.clear()

    def next_slot(self) -> None:
        PeriodicJob.objects.update(slot=0, ended_slot=0)

    def test_runs_once_a_slot_whoever_ticks(self, engine):
        for _ in range(5):
            at_once(*[tick] * 6)
            engine.run_waiting()
            self.next_slot()
        assert jobs.runs == ["count"] * 5

    def test_does_not_run_beside_itself(self, engine):
        tick()
        PeriodicJob.objects.update(slot=1)  # the next one's time has come
        tick()
        engine.run_waiting()
        assert jobs.runs == ["count"]

    def test_whose_worker_died_begins_anew(self, engine):
        tick()
        forget_wake_ups(engine)
        PeriodicJob.objects.update(slot=0, ended_slot=-1, began_at=Now() - LONGEST_RUN)
        tick()
        engine.run_waiting()
        assert jobs.runs == ["count"]

    def test_runs_on_when_the_clock_was_set_back(self, engine):
        ahead = Now() + timedelta(hours=1)
        PeriodicJob.objects.create(
            name="tests.outbox.jobs.count", slot=10**6, ended_slot=10**6 - 1, began_at=ahead
        )
        tick()
        tick()
        engine.run_waiting()
        assert jobs.runs == ["count"]

    def test_that_fails_runs_again_in_its_next_slot(self, engine, settings):
        settings.PERIODIC_JOBS = {"tests.outbox.jobs.fail": 10**9}
        for _ in range(2):
            tick()
            engine.run_waiting()
            self.next_slot()
        assert jobs.runs == ["fail"] * 2

    def test_goes_before_what_only_has_to_be_told(self, engine, promise, side):
        promise(key="1")
        side.meanwhile = lambda _delivery: jobs.runs.append("delivered")
        tick()
        engine.run_waiting()
        assert jobs.runs == ["count", "delivered"]


def test_a_worker_runs_until_it_is_told_to_stop(engine, promise, side):
    """With several threads, and finishing what it has begun."""
    begun, go_on, stop = threading.Event(), threading.Event(), threading.Event()

    def wait(_delivery: Delivery) -> None:
        begun.set()
        assert go_on.wait(30)

    side.meanwhile = wait
    worker = threading.Thread(target=engine.run, args=(stop, 2))
    worker.start()
    try:
        promise(key="1")
        assert begun.wait(30)
        stop.set()
        worker.join(0.3)
        assert worker.is_alive()
    finally:
        stop.set()
        go_on.set()
        worker.join(30)

    assert states() == [State.DONE]
    assert Delivery.objects.aggregate(Max("attempts"))["attempts__max"] == 1
