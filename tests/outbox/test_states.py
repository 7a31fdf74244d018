"""The states are data: every pair is either a door or a wall, and the database knows both."""

import itertools

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from outbox.models import Attempt, Delivery
from outbox.states import ENDED, IN_FLIGHT, TRANSITIONS, Outcome, Reason, State, sources_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PAIRS = list(itertools.product(State, State))


def facts(state: State) -> dict[str, object]:
    """What a row must have to be allowed to stand in that state."""
    leased = {"lease_owner": "me", "lease_until": Now()} if state == State.RUNNING else {}
    return {
        "state": state,
        "attempts": 1,
        "parked_reason": Reason.REFUSED if state == State.PARKED else "",
        **leased,
    }


def row(as_in: State, key: str = "1", **changes: object) -> Delivery:
    delivery = Delivery.objects.create(kind="order", key=key, **{**facts(as_in), **changes})
    delivery.refresh_from_db()
    return delivery


# A worker takes a lease with the state; `move` gives one back.
@pytest.mark.parametrize(
    ("old", "new"),
    [pair for pair in PAIRS if pair[1] != State.RUNNING],
    ids=str,
)
def test_a_row_moves_through_doors_only(old, new):
    delivery = row(old)
    reason = Reason.REFUSED if new == State.PARKED else ""

    moved = delivery.move(new, parked_reason=reason)

    assert moved is (new in TRANSITIONS[old])
    assert delivery.state == (new if moved else old)


def test_every_state_is_reached_from_somewhere():
    assert [s for s in State if s != State.PENDING and not sources_of(s)] == []


def test_a_lease_that_another_took_moves_nothing():
    mine = row(State.RUNNING)
    Delivery.objects.update(fence=7)

    assert not mine.move(State.DONE)
    assert mine.state == State.RUNNING


@pytest.mark.parametrize("state", State)
def test_a_row_as_it_should_be_is_taken(state):
    assert row(state).state == state


@pytest.mark.parametrize(
    ("name", "state", "changes"),
    [
        ("a_delivery_has_a_known_state", State.PENDING, {"state": "lost"}),
        ("a_running_delivery_has_a_lease", State.RUNNING, {"lease_owner": ""}),
        ("a_running_delivery_has_a_lease", State.RUNNING, {"lease_until": None}),
        *[("an_ended_delivery_has_no_lease", state, {"lease_owner": "me"}) for state in ENDED],
        *[
            ("a_delivery_under_way_was_attempted", state, {"attempts": 0})
            for state in (*IN_FLIGHT, State.DONE)
        ],
        ("a_parked_delivery_alone_has_a_reason", State.PARKED, {"parked_reason": ""}),
        ("a_parked_delivery_alone_has_a_reason", State.DONE, {"parked_reason": "bug"}),
    ],
)
def test_the_database_refuses(name, state, changes):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        row(state, **changes)


@pytest.mark.parametrize(
    ("state", "same", "fields"),
    [
        (State.PENDING, {"key": "1"}, "a_delivery_is_promised_once|outbox_delivery.kind"),
        (State.RUNNING, {"order_by": "sale:1"}, "an_order_has_one|outbox_delivery.order_by"),
        (State.RUNNING, {"flight": "m:1"}, "a_flight_has_one|outbox_delivery.flight"),
        (State.VERIFYING, {"flight": "m:1"}, "a_flight_has_one|outbox_delivery.flight"),
    ],
)
def test_the_database_refuses_a_second_one(state, same, fields):
    row(state, **{"key": "1", **same})
    with pytest.raises(IntegrityError, match=fields), transaction.atomic():
        row(state, **{"key": "2", **same})


@pytest.mark.parametrize("state", [State.RUNNING, State.VERIFYING])
def test_what_names_no_order_and_no_flight_runs_beside_others(state):
    row(state, "1")
    assert row(state, "2").state == state


def test_an_attempt_is_recorded_once():
    delivery = row(State.RUNNING)
    Attempt.objects.create(delivery=delivery, number=1)
    with pytest.raises(IntegrityError, match="attempt"), transaction.atomic():
        Attempt.objects.create(delivery=delivery, number=1)


@pytest.mark.parametrize("ended", [{"ended_at": Now()}, {"outcome": Outcome.DONE}])
def test_an_ended_attempt_has_an_outcome(ended):
    delivery = row(State.RUNNING)
    with pytest.raises(IntegrityError, match="an_ended_attempt"), transaction.atomic():
        Attempt.objects.create(delivery=delivery, number=1, **ended)
