"""POST /redemptions/{id}/hold and /reverse"""

from collections.abc import Callable

import pytest
from django.db.models.functions import Now

from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Associate, Installation
from tests.api.pos import NEVER_SEEN, Pos, fields, kind

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MARA = "mara@example.com"
Row = Callable[..., PendingRedemption]


@pytest.fixture
def issued(pos: Pos) -> str:
    """The id of a redemption with a code."""
    return str(pos.redeem("made", ticket="T-1").json()["id"])


# Hold


def test_a_code_that_counts_is_kept(pos: Pos, issued: str) -> None:
    answer = pos.post(f"redemptions/{issued}/hold", {"ticket": "T-2"})
    assert (answer.status_code, answer.json()["state"]) == (200, "issued")
    row = PendingRedemption.objects.get()
    assert (row.ticket, row.frozen_until is None) == ("T-2", False)


def test_its_time_stands_still(pos: Pos, issued: str) -> None:
    before = pos.get(f"redemptions/{issued}").json()
    held = pos.post(f"redemptions/{issued}/hold").json()
    assert held["lease_expires_at"] > before["lease_expires_at"]
    assert before["lease_seconds_left"] - held["lease_seconds_left"] <= 5


@pytest.mark.parametrize("state", [State.USED, State.REVERSED, State.DISPUTED, State.UNCERTAIN])
def test_a_code_that_counts_no_more_is_refused(pos: Pos, row: Row, state: State) -> None:
    answer = pos.post(f"redemptions/{row(state).id}/hold")
    assert (answer.status_code, kind(answer)) == (409, "no-longer-counts")


def test_a_repeated_hold_answers_how_it_stands(pos: Pos, issued: str) -> None:
    path = f"redemptions/{issued}/hold"
    assert pos.post(path, key="h").status_code == 200
    frozen = PendingRedemption.objects.get().frozen_until
    assert pos.post(path, key="h").status_code == 200
    assert PendingRedemption.objects.get().frozen_until == frozen
    PendingRedemption.objects.update(state=State.USED, sold_at=Now())
    assert kind(pos.post(path, key="h")) == "no-longer-counts"


# Reverse


def test_points_go_back(pos: Pos, sandbox: Sandbox, issued: str) -> None:
    answer = pos.post(f"redemptions/{issued}/reverse", {"withdrawn": True, "associate": "ana"})
    assert (answer.status_code, answer.json()["state"]) == (200, "reversed")
    assert sandbox.balance(MARA) == 640


def test_a_code_that_the_pos_still_takes_stays(pos: Pos, sandbox: Sandbox, issued: str) -> None:
    answer = pos.post(f"redemptions/{issued}/reverse", {"withdrawn": False})
    assert (answer.status_code, kind(answer)) == (409, "not-withdrawn")
    assert sandbox.balance(MARA) == 140


def test_a_code_on_a_sale_is_withdrawn_first(pos: Pos, sandbox: Sandbox, issued: str) -> None:
    PendingRedemption.objects.update(applied_at=Now())
    path = f"redemptions/{issued}/reverse"
    answer = pos.post(path, {"withdrawn": False}, key="a")
    assert (answer.status_code, kind(answer)) == (409, "not-withdrawn")
    assert sandbox.balance(MARA) == 140
    assert pos.post(path, {"withdrawn": True}, key="b").status_code == 200
    assert sandbox.balance(MARA) == 640
    assert kind(pos.post(path, {"withdrawn": False}, key="a")) == "not-withdrawn"


def test_what_the_engine_did_not_answer_is_promised(
    pos: Pos, sandbox: Sandbox, issued: str
) -> None:
    sandbox.fault("POST /redemptions/*/cancellation_completed", "drop_before")
    path = f"redemptions/{issued}/reverse"
    first = pos.post(path, {"withdrawn": True}, key="r")
    assert (first.status_code, first.json()["state"]) == (202, "reversing")
    PendingRedemption.objects.update(next_check_at=Now())
    again = pos.post(path, {"withdrawn": True}, key="r")
    assert (again.status_code, again.json()["state"]) == (200, "reversed")
    assert sandbox.balance(MARA) == 640


def test_an_uncertain_one_is_reversed_when_it_is_found(pos: Pos, row: Row) -> None:
    uncertain = row(State.UNCERTAIN)
    answer = pos.post(f"redemptions/{uncertain.id}/reverse", {"withdrawn": True})
    assert (answer.status_code, answer.json()["state"]) == (202, "uncertain")
    uncertain.refresh_from_db()
    assert uncertain.reverse_when_found


REFUSED = {
    State.USED: "already-used",
    State.NOT_MADE: "nothing-to-reverse",
    State.REFUSED: "nothing-to-reverse",
    State.DISPUTED: "disputed",
}


@pytest.mark.parametrize(("state", "problem"), REFUSED.items())
def test_what_cannot_be_given_back(pos: Pos, row: Row, state: State, problem: str) -> None:
    answer = pos.post(f"redemptions/{row(state).id}/reverse", {"withdrawn": True})
    assert (answer.status_code, kind(answer)) == (409, problem)


def test_a_repeat_gives_back_once(pos: Pos, sandbox: Sandbox, issued: str) -> None:
    path = f"redemptions/{issued}/reverse"
    answers = [pos.post(path, {"withdrawn": True}, key=key) for key in ("r", "r", "s", None)]
    assert {answer.status_code for answer in answers} == {200}
    assert sandbox.call_counts()["POST /redemptions/*/cancellation_completed"] == 1
    assert sandbox.balance(MARA) == 640


def test_a_repeat_tells_what_became_of_it(pos: Pos, issued: str) -> None:
    path = f"redemptions/{issued}/reverse"
    pos.post(path, {"withdrawn": True}, key="r")
    PendingRedemption.objects.update(state=State.DISPUTED)
    assert kind(pos.post(path, {"withdrawn": True}, key="r")) == "disputed"


def test_a_disabled_associate_reverses_nothing(
    pos: Pos, sandbox: Sandbox, issued: str, ana: Associate
) -> None:
    Associate.objects.update(is_active=False)
    answer = pos.post(f"redemptions/{issued}/reverse", {"withdrawn": True, "associate": "ana"})
    assert (answer.status_code, kind(answer)) == (422, "place-disabled")
    assert sandbox.balance(MARA) == 140


# Both


@pytest.mark.parametrize(("act", "body"), [("hold", {}), ("reverse", {"withdrawn": True})])
def test_only_ones_own(pos: Pos, issued: str, act: str, body: dict[str, object]) -> None:
    other = Pos(Installation.objects.create(id="other", name="Other"))
    for who, which in ((other, issued), (pos, NEVER_SEEN)):
        answer = who.post(f"redemptions/{which}/{act}", body)
        assert (answer.status_code, kind(answer)) == (404, "redemption-not-found")


@pytest.mark.parametrize(("act", "body"), [("hold", {}), ("reverse", {"withdrawn": True})])
def test_a_key_is_for_one_redemption(pos: Pos, row: Row, act: str, body: dict[str, object]) -> None:
    one, other = row(State.USED), row(State.USED)
    pos.post(f"redemptions/{one.id}/{act}", body, key="k")
    answer = pos.post(f"redemptions/{other.id}/{act}", body, key="k")
    assert (answer.status_code, kind(answer)) == (422, "idempotency-key-reused")


WRONG = {
    "not told": ("reverse", {}, {"withdrawn"}),
    "a word": ("reverse", {"withdrawn": "true"}, {"withdrawn"}),
    "control": ("reverse", {"withdrawn": True, "reason": "a\u0000"}, {"reason"}),
    "long": ("reverse", {"withdrawn": True, "reason": "a" * 201}, {"reason"}),
    "unknown": ("hold", {"till": "1"}, {"till"}),
    "ticket": ("hold", {"ticket": "a b"}, {"ticket"}),
}


@pytest.mark.parametrize(("act", "body", "named"), WRONG.values(), ids=WRONG)
def test_fields_are_checked(
    pos: Pos, issued: str, act: str, body: dict[str, object], named: set[str]
) -> None:
    answer = pos.post(f"redemptions/{issued}/{act}", body)
    assert (answer.status_code, kind(answer), fields(answer)) == (422, "invalid-fields", named)
