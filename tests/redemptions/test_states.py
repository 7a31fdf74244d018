"""The states are data: every pair is either a door or a wall, and the database knows both."""

import itertools

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from redemptions.models import PendingRedemption
from redemptions.states import (
    HAS_CODE,
    OPEN,
    TILL_WORDS,
    TRANSITIONS,
    UNDER_WAY,
    Reason,
    State,
    sources_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PAIRS = list(itertools.product(State, State))


def needs(state: State) -> dict[str, object]:
    """What a row must have to be allowed to stand in that state."""
    facts: dict[str, object] = {"code": "LP-NEW" if state in HAS_CODE else ""}
    if state == State.REFUSED:
        facts["reason"] = Reason.ENGINE_SAID_NO
    if state == State.REVERSED:
        facts["reason"] = Reason.LET_GO
    if state == State.ISSUED:
        facts["lease_until"] = timezone.now()
    if state == State.USED:
        facts["sold_at"] = timezone.now()
    return facts


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_a_row_moves_through_doors_only(row, old, new):
    redemption = row(old)

    moved = redemption.move(new, **needs(new))

    assert moved is (new in TRANSITIONS[old])
    assert redemption.state == (new if moved else old)


def test_every_state_is_reached_from_somewhere():
    assert [s for s in State if s != State.REQUESTED and not sources_of(s)] == []


def test_what_a_member_has_open_is_told_in_words_of_a_till():
    assert set(TILL_WORDS) == {*UNDER_WAY, *OPEN}
    assert PendingRedemption(state="uncertain").till_words == "being checked"


def test_a_row_that_somebody_else_moved_is_not_moved_again(row):
    mine = row(State.ISSUED)
    theirs = PendingRedemption.objects.get(pk=mine.pk)
    assert theirs.move(State.USED, sold_at=Now())

    assert not mine.move(State.REVERSING, only_from=[State.ISSUED])
    assert mine.state == State.USED


def test_the_drawing_is_fresh():
    call_command("draw_states", "--check")


def test_a_stale_drawing_is_told(settings, tmp_path):
    page = settings.BASE_DIR / "docs" / "architecture.md"
    copy = tmp_path / "docs" / "architecture.md"
    copy.parent.mkdir()
    copy.write_text(page.read_text().replace("--> issued", "--> given"))
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match="draw_states"):
        call_command("draw_states", "--check")
    call_command("draw_states")
    assert copy.read_text() == page.read_text()


def test_a_page_without_room_for_the_drawing_is_told(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "architecture.md").write_text("# How it works\n")

    with pytest.raises(CommandError, match="marks"):
        call_command("draw_states")


def is_refused(redemption: PendingRedemption) -> bool:
    try:
        with transaction.atomic():
            redemption.save(force_insert=True)
    except IntegrityError:
        return True
    return False


BAD_ROWS = {
    "an unknown state": ("lost", {}),
    "no points": (State.REQUESTED, {"points": 0}),
    "issued without a code": (State.ISSUED, {"code": ""}),
    "reversing without a code": (State.REVERSING, {"code": ""}),
    "issued without a lease": (State.ISSUED, {"lease_until": None}),
    "used without a sale": (State.USED, {"sold_at": None}),
    "refused without a reason": (State.REFUSED, {"reason": ""}),
    "refused with a code": (State.REFUSED, {"code": "LP-1"}),
    "reversed without an attempt": (State.REVERSED, {"reason": Reason.UNDONE}),
}


@pytest.mark.parametrize(("state", "wrong"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_the_database_refuses(row, state, wrong):
    assert is_refused(row(state, save=False, **wrong))


@pytest.mark.parametrize("state", State)
def test_the_database_takes_a_good_row_of_every_state(row, state):
    assert not is_refused(row(state, save=False))


@pytest.mark.parametrize("first", UNDER_WAY)
@pytest.mark.parametrize("second", UNDER_WAY)
def test_a_member_has_one_redemption_under_way(row, first, second):
    row(first)

    assert is_refused(row(second, save=False))


@pytest.mark.parametrize("ended", [s for s in State if s not in UNDER_WAY])
def test_what_has_ended_does_not_hinder_another(row, ended):
    row(ended)

    assert not is_refused(row(State.REQUESTED, save=False))


def test_a_member_has_one_open_delayed_redemption(row):
    row(State.ISSUED, delayed=True)

    assert is_refused(row(State.ISSUED, save=False, delayed=True))
    assert not is_refused(row(State.ISSUED, save=False, delayed=False))


def test_an_act_makes_one_redemption(row):
    first = row(State.ISSUED)

    assert is_refused(row(State.ISSUED, save=False, act_key=first.act_key))


@pytest.mark.parametrize("reason", [Reason.NOT_SENT, Reason.THROTTLED])
def test_an_act_in_which_nothing_was_taken_may_be_tried_again(row, reason):
    first = row(State.REFUSED, reason=reason)

    assert not is_refused(row(State.REQUESTED, save=False, act_key=first.act_key))


def test_an_act_that_the_engine_refused_is_not_tried_again(row):
    first = row(State.REFUSED, reason=Reason.ENGINE_SAID_NO)

    assert is_refused(row(State.REQUESTED, save=False, act_key=first.act_key))


@pytest.mark.parametrize("state", OPEN)
def test_an_open_code_is_held_once(row, state):
    row(state, code="LP-SAME")

    assert is_refused(row(State.ISSUED, save=False, code="LP-SAME"))


@pytest.mark.parametrize("ended", [State.USED, State.REVERSED, State.CANCELLED])
def test_a_code_can_come_again_when_it_is_no_longer_open(row, ended):
    row(ended, code="LP-SAME", engine_id=1)

    assert not is_refused(row(State.ISSUED, save=False, code="LP-SAME", engine_id=2))


def test_an_engine_redemption_is_held_once(row):
    row(State.REVERSED, code="LP-SAME", engine_id=1)

    assert is_refused(row(State.ISSUED, save=False, code="LP-SAME", engine_id=1))
