"""What a worker does with one delivery, step by step."""

import time
from datetime import timedelta

import pytest
from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models.functions import Now

from connectors.errors import (
    Misconfigured,
    NotFound,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from outbox.claims import claim_to_send, free_the_dead, set_out
from outbox.errors import NotWanted
from outbox.ledger import send_again, withdraw
from outbox.limits import limits_of
from outbox.models import Attempt, Delivery
from outbox.policy import Done
from outbox.routes import route_of
from outbox.states import Outcome, Reason, State
from outbox.worker import LONGEST_TURN_SECONDS, conclude, deliver, draining
from tests.outbox.conftest import Promise, Work, outcomes
from tests.outbox.other_side import DELIVERIES, OtherSide

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CALL = ("shop", "POST", "/orders")
LOST = ReplyLost(*CALL)


@pytest.fixture
def settled(settings) -> None:
    """A lost answer is old enough at once."""
    settings.ENGINE_SETTLE_SECONDS = 0.0


def test_it_is_told_and_what_follows_is_done(promise: Promise, work: Work, side: OtherSide):
    delivery = work(promise(key="1"))

    assert delivery.state == State.DONE
    assert (side.calls, side.done, side.parked) == (["1"], ["1"], [])
    assert outcomes(delivery) == [Outcome.DONE]


def test_the_attempt_is_recorded_before_the_call(promise: Promise, work: Work, side: OtherSide):
    found = []
    side.meanwhile = lambda d: found.append((d.state, d.tries.get().outcome, d.asked_at))

    work(promise())

    [(state, outcome, asked_at)] = found
    assert (state, outcome) == (State.RUNNING, "")
    assert asked_at is not None


def test_what_the_call_gave_back_is_there_for_what_follows(promise, work, side):
    answers = []
    side.follows = lambda delivery: answers.append(delivery.answer)
    work(promise())
    assert answers == ["accepted"]


def test_what_is_not_due_is_left_alone(promise: Promise, side: OtherSide):
    deliver(promise(due_in=timedelta(minutes=1)).pk)
    assert side.calls == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable(*CALL), Outcome.UNAVAILABLE),
        (Throttled(*CALL, wait=30), Outcome.THROTTLED),
        (Misconfigured(*CALL), Outcome.MISCONFIGURED),
    ],
)
def test_what_may_pass_is_tried_again(promise, work, side, error, outcome):
    side.says = [error]
    delivery = work(promise())

    assert (delivery.state, delivery.last_error) == (State.PENDING, outcome)
    assert work(delivery).state == State.DONE
    assert outcomes(delivery) == [outcome, Outcome.DONE]


def test_a_wait_that_was_asked_for_is_kept(promise: Promise, work: Work, side: OtherSide):
    side.says = [Throttled(*CALL, wait=30)]
    delivery = work(promise())
    waits = delivery.due_at - delivery.changed_at
    assert timedelta(seconds=29.9) < waits < timedelta(seconds=30.1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused(*CALL, 422, words="No such currency"), Reason.REFUSED),
        (NotFound(*CALL, 404), Reason.NOT_FOUND),
        (KeyError("total"), Reason.BUG),
    ],
)
def test_what_cannot_pass_waits_for_a_person(promise, work, side, error, reason):
    side.says = [error]
    delivery = work(promise(key="1"))

    assert (delivery.state, delivery.parked_reason) == (State.PARKED, reason)
    assert (side.done, side.parked) == ([], ["1"])


def test_the_other_sides_words_are_kept_for_the_person(promise, work, side):
    side.says = [Refused(*CALL, 422, words="No such currency")]
    assert work(promise()).tries.get().words == "No such currency"


def test_wrong_keys_are_tried_for_an_hour(promise: Promise, work: Work, side: OtherSide):
    side.says = [Misconfigured(*CALL)] * 12
    delivery = promise()
    states = [work(delivery).state for _ in range(12)]
    assert states == [State.PENDING] * 11 + [State.PARKED]


def test_only_failures_in_a_row_count(promise: Promise, work: Work, side: OtherSide):
    side.says = [Unavailable(*CALL)] * 20 + [Misconfigured(*CALL)]
    delivery = promise()
    for _ in range(21):
        work(delivery)
    assert (delivery.state, delivery.in_a_row) == (State.PENDING, 1)


def test_what_nobody_wants_any_more_is_not_sent(promise, work, side):
    side.says = [NotWanted()]
    delivery = work(promise())
    assert delivery.state == State.WITHDRAWN
    assert (side.done, side.parked) == ([], [])


class TestALostAnswer:
    def test_is_read_before_anything_else(self, promise, work, side):
        side.says, side.reads = [LOST], [True]
        delivery = work(promise(key="1"))
        assert delivery.state == State.VERIFYING

        assert work(delivery).state == State.DONE
        assert (side.calls, side.done) == (["1"], ["1"])

    def test_is_not_sent_again_before_the_settle_time(self, promise, work, side, settings):
        settings.ENGINE_SETTLE_SECONDS = 60.0
        side.says = [LOST]
        delivery = promise()
        states = [work(delivery).state for _ in range(5)]
        assert states == [State.VERIFYING] * 5
        assert len(side.calls) == 1

    def test_is_sent_again_when_two_readings_show_it_is_not_there(
        self, promise, work, side, settled
    ):
        side.says, side.reads = [LOST], [False, False]
        delivery = promise("adjustment")
        states = [work(delivery).state for _ in range(4)]
        assert states == [State.VERIFYING, State.VERIFYING, State.PENDING, State.DONE]
        assert len(side.calls) == 2

    def test_that_cannot_be_read_is_read_until_it_can(self, promise, work, side, settled):
        side.says, side.reads = [LOST], [Unavailable(*CALL)] * 4 + [True]
        delivery = promise()
        states = [work(delivery).state for _ in range(6)]
        assert states == [State.VERIFYING] * 5 + [State.DONE]

    def test_of_one_whose_reading_is_refused_is_not_read_for_ever(
        self, promise, work, side, settled
    ):
        side.says, side.reads = [LOST], [NotFound(*CALL, 404)] * 2
        delivery = promise("adjustment")
        states = [work(delivery).state for _ in range(3)]
        assert states == [State.VERIFYING, State.VERIFYING, State.PARKED]
        assert delivery.parked_reason == Reason.CANNOT_TELL

    def test_is_parked_where_reading_does_not_tell_and_keys_are_not_taken(
        self, promise, work, side, settled
    ):
        side.says, side.reads = [LOST], [None, None]
        delivery = promise("adjustment")
        for _ in range(3):
            work(delivery)
        assert (delivery.state, delivery.parked_reason) == (State.PARKED, Reason.CANNOT_TELL)
        assert len(side.calls) == 1

    def test_is_sent_again_where_reading_does_not_tell_and_keys_are_taken(
        self, promise, work, side, settled
    ):
        side.says, side.reads = [LOST], [None, None]
        delivery = promise("order")
        states = [work(delivery).state for _ in range(4)]
        assert states[-2:] == [State.PENDING, State.DONE]

    def test_without_a_way_of_reading_is_parked(self, promise, work, side):
        side.says = [LOST]
        assert work(promise("blind")).parked_reason == Reason.CANNOT_TELL

    def test_without_a_way_of_reading_is_sent_again_where_keys_are_taken(self, promise, work, side):
        side.says = [LOST]
        delivery = promise("blind_keyed")
        assert [work(delivery).state for _ in range(2)] == [State.PENDING, State.DONE]


class TestADeadWorker:
    def test_is_followed_by_reading(self, promise, work, side):
        delivery = promise(key="1")
        claim_to_send(delivery.pk)
        Delivery.objects.update(lease_until=Now())

        assert free_the_dead() == 1
        delivery.refresh_from_db()
        assert (delivery.state, outcomes(delivery)) == (State.VERIFYING, [Outcome.ABANDONED])
        side.reads = [True]
        assert work(delivery).state == State.DONE
        assert side.calls == []

    def test_that_lives_after_all_writes_nothing(self, promise, side):
        mine = claim_to_send(promise(key="1").pk)
        Delivery.objects.update(lease_until=Now())
        free_the_dead()

        conclude(mine, route_of("order"), Done(), Outcome.DONE)

        assert Delivery.objects.get().state == State.VERIFYING
        assert outcomes(mine) == [Outcome.ABANDONED]
        assert side.done == []

    def test_that_was_not_missed_yet_may_still_write(self, promise, side):
        mine = claim_to_send(promise(key="1").pk)
        Delivery.objects.update(lease_until=Now())

        conclude(mine, route_of("order"), Done(), Outcome.DONE)

        assert Delivery.objects.get().state == State.DONE
        assert free_the_dead() == 0

    def test_is_not_declared_dead_before_its_lease_ran_out(self, promise):
        claim_to_send(promise().pk)
        assert free_the_dead() == 0

    def test_of_a_reading_is_followed_by_a_reading(self, promise, work, side):
        side.says = [LOST]
        delivery = work(promise())
        Delivery.objects.update(lease_owner="dead", lease_until=Now(), due_at=Now())
        side.reads = [True]
        deliver(delivery.pk)
        assert Delivery.objects.get().state == State.DONE


class TestWhatIsNotedBefore:
    """Noting is committed and comes before the sending, so who dies in it has not sent."""

    def test_comes_after_the_claim_and_before_the_call(self, promise, work, side):
        found = []
        side.while_noting = lambda d: found.append((d.state, d.tries.get().may_be_sent))
        side.meanwhile = lambda d: found.append((d.state, d.tries.get().may_be_sent))
        assert work(promise("noted")).state == State.DONE
        assert found == [(State.RUNNING, False), (State.RUNNING, True)]

    def test_that_takes_long_does_not_make_the_sending_too_late(self, promise, work, side):
        """Else nothing would be sent as long as the other side is slow to read."""
        sent_after = []

        def take_long(delivery: Delivery) -> None:
            delivery.asked_at -= 60

        side.while_noting = take_long
        side.meanwhile = lambda d: sent_after.append(time.monotonic() - d.asked_at)
        work(promise("noted"))
        assert sent_after[0] < 30

    def test_comes_before_each_attempt(self, promise, work, side):
        side.says = [Unavailable(*CALL)]
        delivery = promise("noted", key="1")
        assert [work(delivery).state for _ in range(2)] == [State.PENDING, State.DONE]
        assert side.noted == ["1", "1"]

    def test_that_fails_is_tried_again_and_nothing_is_sent(self, promise, work, side):
        side.notes = [Unavailable(*CALL)]
        assert work(promise("noted")).state == State.PENDING
        assert side.calls == []

    def test_of_a_worker_that_dies_in_it_is_begun_anew(self, promise, work, side):
        delivery = promise("noted", key="1")
        claim_to_send(delivery.pk, at_once=False)
        Delivery.objects.update(lease_until=Now())
        assert free_the_dead() == 1
        delivery.refresh_from_db()
        assert (delivery.state, outcomes(delivery)) == (State.PENDING, [Outcome.NOT_SENT])
        assert work(delivery).state == State.DONE
        assert (side.calls, side.readings) == (["1"], [])

    def test_of_a_worker_that_dies_after_it_is_followed_by_reading(self, promise, side):
        mine = claim_to_send(promise("noted").pk, at_once=False)
        assert set_out(mine)
        Delivery.objects.update(lease_until=Now())
        free_the_dead()
        assert Delivery.objects.get().state == State.VERIFYING

    def test_by_a_worker_that_was_declared_dead_is_not_followed_by_a_call(
        self, promise, work, side
    ):
        def declare_dead(_delivery: Delivery) -> None:
            Delivery.objects.update(lease_until=Now())
            free_the_dead()

        side.while_noting = declare_dead
        delivery = work(promise("noted"))
        assert (delivery.state, outcomes(delivery)) == (State.PENDING, [Outcome.NOT_SENT])
        assert side.calls == []


class TestWhatFollows:
    def test_is_rolled_back_with_the_end_and_a_person_is_told(self, promise, work, side):
        def fail(delivery: Delivery) -> None:
            Delivery.objects.create(kind="order", key="follow-up")
            raise KeyError

        side.follows = fail
        delivery = work(promise(key="1"))

        assert (delivery.state, delivery.parked_reason) == (State.PARKED, Reason.NOT_RECORDED)
        assert Delivery.objects.count() == 1
        assert outcomes(delivery) == [Outcome.DONE]

    def test_is_made_good_by_reading_and_not_by_sending_again(self, promise, work, side):
        def fail(_delivery: Delivery) -> None:
            raise KeyError

        side.follows = fail
        delivery = work(promise(key="1"))
        side.follows = lambda _delivery: None
        side.reads = [True]

        assert send_again(delivery)
        assert work(delivery).state == State.DONE
        assert (side.calls, side.done) == (["1"], ["1"])

    def test_that_the_database_refuses_waits_for_a_person(self, promise, work, side):
        """Each new try would be refused as well, and would be read at the other side before."""

        def fail(_delivery: Delivery) -> None:
            raise IntegrityError

        side.follows = fail
        assert work(promise()).parked_reason == Reason.NOT_RECORDED

    def test_that_the_database_is_too_busy_for_is_left_to_the_next_worker(
        self, promise, work, side
    ):
        def fail(_delivery: Delivery) -> None:
            raise OperationalError

        side.follows = fail
        delivery = promise()
        with pytest.raises(OperationalError):
            work(delivery)
        delivery.refresh_from_db()
        assert delivery.state == State.RUNNING


def test_a_call_that_the_database_refuses_waits_for_a_person(promise, work, side):
    side.says = [DataError()]
    assert work(promise()).parked_reason == Reason.BUG


def test_a_reading_that_the_database_refuses_waits_for_a_person(promise, work, side):
    side.says, side.reads = [LOST], [DataError()]
    delivery = work(promise())
    assert work(delivery).parked_reason == Reason.BUG


class TestAPersonSendsAgain:
    def test_what_was_refused(self, promise, work, side):
        side.says = [Refused(*CALL)]
        delivery = work(promise())

        assert send_again(delivery)
        assert work(delivery).state == State.DONE

    def test_and_what_may_have_been_done_is_read_first(self, promise, work, side, settled):
        side.says, side.reads = [LOST], [None, None]
        delivery = promise("adjustment")
        for _ in range(3):
            work(delivery)

        assert send_again(delivery)
        assert delivery.state == State.VERIFYING

    @pytest.mark.parametrize("state", [State.PENDING, State.DONE])
    def test_but_nothing_that_is_not_parked(self, promise, work, state):
        delivery = promise()
        if state == State.DONE:
            work(delivery)
        assert not send_again(delivery)
        assert delivery.state == state


def test_a_kind_that_this_version_does_not_know_waits_for_a_person(promise, work):
    delivery = promise()
    del DELIVERIES["order"]
    assert work(delivery).parked_reason == Reason.NO_ROUTE


def test_what_was_attempted_is_not_withdrawn(promise: Promise, work: Work, side: OtherSide):
    side.says = [Unavailable(*CALL)]
    delivery = work(promise(key="1"))
    assert not withdraw("order", "1")
    assert delivery.state == State.PENDING


def test_what_was_withdrawn_is_not_sent(promise: Promise, work: Work, side: OtherSide):
    delivery = promise(key="1")
    withdraw("order", "1")
    work(delivery)
    assert side.calls == []


class Waits:
    """In the place of `draining`: nobody is told to stop, and time passes at once."""

    def __init__(self, meanwhile=lambda: None) -> None:
        self.seconds: list[float] = []
        self.meanwhile = meanwhile

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        self.meanwhile()
        return False


class TestWhileItsSystemIsOutOfReach:
    @pytest.fixture
    def waits(self, side, monkeypatch):
        """The worker's thread waits; else a backlog would keep the database busy."""
        for _ in range(10):
            limits_of("shop").after(ok=False)
        waits = Waits()
        monkeypatch.setattr("outbox.worker.draining", waits)
        return waits

    def test_nothing_is_attempted(self, promise, work, side, waits):
        delivery = work(promise())

        assert (delivery.state, delivery.attempts) == (State.PENDING, 0)
        assert side.calls == []
        assert waits.seconds == [LONGEST_TURN_SECONDS]

    def test_the_sweeper_leaves_it_alone(self, promise, work, waits):
        delivery = promise()
        Delivery.objects.update(woken_at=Now() - timedelta(minutes=1))
        work(delivery)
        assert not Delivery.objects.silent(timedelta(0), timedelta(seconds=15)).exists()

    def test_it_is_told_as_soon_as_that_is_back(self, promise, work, side, waits):
        waits.meanwhile = lambda: limits_of("shop").after(ok=True)
        assert work(promise()).state == State.DONE


def test_where_the_bucket_is_empty_for_long_the_worker_waits(promise, work, side, monkeypatch):
    waits = Waits()
    monkeypatch.setattr("outbox.worker.draining", waits)
    limits_of("shop").note_throttled(30)
    delivery = work(promise())
    assert (delivery.state, delivery.attempts, side.calls) == (State.PENDING, 0, [])
    assert waits.seconds == [LONGEST_TURN_SECONDS]


def test_a_worker_that_was_told_to_stop_begins_nothing(promise, work, side):
    draining.set()
    assert work(promise()).state == State.PENDING
    assert side.calls == []


def test_no_call_is_made_in_a_transaction(promise: Promise, side: OtherSide):
    delivery = promise()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        deliver(delivery.pk)
    assert side.calls == []
    assert not Attempt.objects.exists()
