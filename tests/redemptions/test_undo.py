"""Undo gives the points back once, whatever is lost on the way."""

import time
from types import SimpleNamespace

import pytest
from django.db.models.functions import Now

from connectors.errors import ReplyLost
from connectors.yotpo.payloads import Redemption
from redemptions import reversal
from redemptions.actions import redeem, undo, write_failure, write_success
from redemptions.errors import CannotUndo
from redemptions.models import PendingRedemption
from redemptions.settling import see_to
from redemptions.states import Reason, State
from tests.redemptions.conftest import FIVE_OFF

pytestmark = pytest.mark.django_db
MARA = "mara@example.com"
CANCEL = "POST /redemptions/*/cancellation_completed"


@pytest.fixture
def issued(engine, sandbox, act, mara):
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    assert (redemption.state, sandbox.balance(MARA)) == (State.ISSUED, 140)
    return redemption


def reversals(sandbox) -> int:
    return sum(row["kind"] == "reversal" for row in sandbox.ledger(MARA))


def test_undo_gives_the_points_back(engine, sandbox, issued):
    undo(engine=engine, redemption=issued)

    assert (issued.state, issued.reason) == (State.REVERSED, Reason.UNDONE)
    assert sandbox.balance(MARA) == 640


def test_undo_twice_gives_back_once(engine, sandbox, issued):
    twin = PendingRedemption.objects.get(pk=issued.pk)
    undo(engine=engine, redemption=issued)

    undo(engine=engine, redemption=twin)

    assert twin.state == State.REVERSED
    assert (sandbox.balance(MARA), reversals(sandbox)) == (640, 1)


def test_the_engines_id_is_found_by_the_codes_record(engine, sandbox, issued):
    PendingRedemption.objects.filter(pk=issued.pk).update(engine_id=None)
    issued.refresh_from_db()

    undo(engine=engine, redemption=issued)

    assert issued.state == State.REVERSED
    assert issued.engine_id == sandbox.redemptions()[-1]["id"]


def test_the_promise_is_committed_before_the_engine_is_asked(engine, issued, monkeypatch):
    seen = []

    def look(*_args, **_how):
        seen.append(PendingRedemption.objects.values_list("state", "reversal_attempts").get())

    monkeypatch.setattr(engine, "approve_cancellation", look)
    undo(engine=engine, redemption=issued)

    assert seen == [(State.REVERSING, 1)]


SHOWN_AS = ["status", "row", "none"]
SECOND = ["ok", "refuse"]
LOST = {"dropped after": "drop_after", "dropped before": "drop_before", "cut": "html_after"}


@pytest.mark.parametrize("shown", SHOWN_AS)
@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_lost_answer_is_settled_by_reading(engine, sandbox, issued, due, shown, second, fault):
    """However the engine shows a reversal and whatever it says to a second one."""
    sandbox.switch(cancellation_history=shown, second_cancellation=second)
    sandbox.fault(CANCEL, fault)

    undo(engine=engine, redemption=issued)
    assert issued.state == State.REVERSING
    see_to(engine, due(issued))

    assert issued.state == State.REVERSED
    assert (sandbox.balance(MARA), reversals(sandbox)) == (640, 1)


NOT_NOW = {
    "429": ("throttle", {}),
    "503": ("status", {"status": 503}),
    "wrong keys": ("status", {"status": 401, "body": "{}"}),
}


@pytest.mark.parametrize(("fault", "details"), NOT_NOW.values(), ids=NOT_NOW)
def test_what_may_pass_is_tried_again(engine, sandbox, issued, due, fault, details):
    sandbox.fault(CANCEL, fault, **details)

    undo(engine=engine, redemption=issued)
    assert (issued.state, sandbox.balance(MARA)) == (State.REVERSING, 140)
    see_to(engine, due(issued))

    assert issued.state == State.REVERSED


def test_an_engine_that_is_down_keeps_the_promise(engine, sandbox, issued, due):
    sandbox.fault("*", "drop_before", times=None)
    undo(engine=engine, redemption=issued)
    assert (issued.state, issued.reversal_attempts) == (State.REVERSING, 0)

    sandbox.clear_faults()
    see_to(engine, due(issued))

    assert issued.state == State.REVERSED


def test_a_refusal_that_reading_does_not_explain_is_a_managers_matter(engine, sandbox, issued):
    sandbox.fault(CANCEL, "status", status=422, body='{"error": "not allowed"}')

    with pytest.raises(CannotUndo):
        undo(engine=engine, redemption=issued)

    assert (issued.state, issued.reason) == (State.DISPUTED, Reason.REVERSAL_REFUSED)
    assert "not allowed" in issued.engine_words
    assert "140" in issued.engine_words


def test_a_refusal_because_it_was_given_back_before_is_none(engine, sandbox, issued):
    """The shopper's own reversal was approved a moment ago, in the engine's admin."""
    sandbox.switch(second_cancellation="refuse")
    engine.approve_cancellation(issued.engine_id, issued.code)

    undo(engine=engine, redemption=issued)

    assert issued.state == State.REVERSED
    assert (sandbox.balance(MARA), reversals(sandbox)) == (640, 1)


def test_two_processes_do_not_both_ask(engine, sandbox, issued, monkeypatch):
    ask = engine.approve_cancellation
    twin = PendingRedemption.objects.get(pk=issued.pk)

    def meanwhile(*args, **how):
        undo(engine=engine, redemption=twin)
        ask(*args, **how)

    monkeypatch.setattr(engine, "approve_cancellation", meanwhile)
    undo(engine=engine, redemption=issued)

    assert sandbox.call_counts()[CANCEL] == 1
    assert issued.state == State.REVERSED


@pytest.mark.parametrize("state", [State.USED, State.REFUSED, State.NOT_MADE, State.DISPUTED])
def test_what_cannot_be_undone_says_why(engine, row, state):
    with pytest.raises(CannotUndo):
        undo(engine=engine, redemption=row(state))


def test_a_process_that_stood_still_before_it_asked_asks_no_more(
    engine, sandbox, issued, due, monkeypatch
):
    """Another may have asked meanwhile, or a sale come: the engine may not refuse a second one."""
    stood_still = SimpleNamespace(monotonic=lambda: time.monotonic() - 10)
    monkeypatch.setattr(reversal, "time", stood_still, raising=False)
    undo(engine=engine, redemption=issued)
    assert (issued.state, CANCEL in sandbox.call_counts()) == (State.REVERSING, False)

    monkeypatch.setattr(reversal, "time", time)
    see_to(engine, due(issued))
    assert (issued.state, sandbox.balance(MARA)) == (State.REVERSED, 640)


def test_undo_while_uncertain_is_remembered(engine, row):
    redemption = undo(engine=engine, redemption=row(State.UNCERTAIN))

    assert (redemption.state, redemption.reverse_when_found) == (State.UNCERTAIN, True)


def test_a_delayed_code_ends_without_a_call(engine, sandbox, row):
    redemption = undo(engine=engine, redemption=row(State.ISSUED, delayed=True))

    assert redemption.state == State.CANCELLED
    assert sandbox.calls() == []


def press_undo(redemption: PendingRedemption) -> None:
    """As another tab does, while this process waits for the engine."""
    PendingRedemption.objects.filter(pk=redemption.pk).update(reverse_when_found=True)


def test_undo_pressed_while_the_engine_answers_is_carried_out(
    engine, sandbox, act, mara, due, monkeypatch
):
    create = engine.create_redemption

    def answer(**asked):
        press_undo(PendingRedemption.objects.get())
        return create(**asked)

    monkeypatch.setattr(engine, "create_redemption", answer)
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    assert redemption.state == State.REVERSING

    see_to(engine, due(redemption))
    assert (redemption.state, sandbox.balance(MARA)) == (State.REVERSED, 640)


def test_undo_pressed_while_the_history_is_read_is_carried_out(
    engine, sandbox, act, mara, monkeypatch
):
    sandbox.fault("POST /redemptions", "drop_after")
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    read = engine.redemption_code

    def answer(code):
        press_undo(redemption)
        return read(code)

    monkeypatch.setattr(engine, "redemption_code", answer)
    see_to(engine, redemption)

    assert (redemption.state, sandbox.balance(MARA)) == (State.REVERSED, 640)


LATE = {
    "uncertain": (State.UNCERTAIN, {}, State.ISSUED),
    "uncertain and undone": (State.UNCERTAIN, {"reverse_when_found": True}, State.REVERSING),
    "called not made": (State.NOT_MADE, {}, State.REVERSING),
    "disputed": (State.DISPUTED, {}, State.REVERSING),
    "taken for another's": (State.ISSUED, {"code": "LP-OTHER", "lease_until": Now()}, State.ISSUED),
    "found before": (State.ISSUED, {"code": "LP-LATE", "lease_until": Now()}, State.ISSUED),
}


@pytest.mark.parametrize(("state", "facts", "end"), LATE.values(), ids=LATE)
def test_an_answer_that_comes_late_wins(row, state, facts, end):
    """The process stood still while others settled its redemption."""
    redemption = row(State.REQUESTED)
    PendingRedemption.objects.filter(pk=redemption.pk).update(state=state, **facts)

    write_success(redemption, Redemption(7, "LP-LATE", approved=True, created_at=None))

    assert (redemption.state, redemption.code) == (end, "LP-LATE")


@pytest.mark.parametrize("shown", SHOWN_AS)
def test_another_undo_meanwhile_is_not_taken_for_ours(
    engine, sandbox, another_act, mara, due, shown
):
    """Two codes for one offer: the first undo is lost before it acted, the second goes through."""
    sandbox.switch(cancellation_history=shown)
    sandbox.adjust(MARA, 500)
    first, second = (
        redeem(engine=engine, act=another_act(), member=mara, offer_id=FIVE_OFF, another=True)
        for _ in range(2)
    )
    sandbox.fault(CANCEL, "drop_before")
    undo(engine=engine, redemption=first)
    undo(engine=engine, redemption=second)
    assert (first.state, second.state) == (State.REVERSING, State.REVERSED)

    see_to(engine, due(first))

    assert (first.state, sandbox.balance(MARA)) == (State.REVERSED, 1140)


NO_YES = {"success false": {"success": False}, "an error": {"error": "no"}}


@pytest.mark.parametrize("body", NO_YES.values(), ids=NO_YES)
def test_a_yes_that_says_no_is_none(engine, sandbox, issued, due, body):
    sandbox.fault(CANCEL, "status", status=200, body=body)

    undo(engine=engine, redemption=issued)
    assert (issued.state, sandbox.balance(MARA)) == (State.REVERSING, 140)

    assert see_to(engine, due(issued)).state == State.REVERSED


def test_a_code_that_cannot_be_read_yet_is_asked_for_again(
    engine, sandbox, issued, due, monkeypatch
):
    PendingRedemption.objects.filter(pk=issued.pk).update(engine_id=None)
    issued.refresh_from_db()
    sandbox.fault("GET /redemption_codes", "status", status=404, body="{}")
    undo(engine=engine, redemption=issued)
    assert issued.state == State.REVERSING

    assert see_to(engine, due(issued)).state == State.REVERSED


def test_a_code_that_stays_unknown_is_a_managers_matter(engine, sandbox, issued, due, settings):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    PendingRedemption.objects.filter(pk=issued.pk).update(engine_id=None)
    issued.refresh_from_db()
    sandbox.fault("GET /redemption_codes", "status", status=404, body="{}", times=None)

    with pytest.raises(CannotUndo):
        undo(engine=engine, redemption=issued)

    assert issued.state == State.DISPUTED


def test_an_answer_that_comes_after_another_was_given_back_is_a_managers_matter(row):
    redemption = row(State.REQUESTED)
    facts = {"state": State.REVERSED, "reason": Reason.LET_GO, "code": "LP-OTHER"}
    PendingRedemption.objects.filter(pk=redemption.pk).update(**facts)

    write_success(redemption, Redemption(7, "LP-LATE", approved=True, created_at=None))

    assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.LATE_REPLY)
    assert "LP-LATE" in redemption.engine_words


def test_a_late_answer_without_a_code_leaves_its_id(row):
    redemption = row(State.REQUESTED)
    PendingRedemption.objects.filter(pk=redemption.pk).update(state=State.UNCERTAIN)

    write_failure(redemption, ReplyLost("yotpo", "POST", "/redemptions", 200, engine_id=7))

    redemption.refresh_from_db()
    assert (redemption.state, redemption.engine_id) == (State.UNCERTAIN, 7)
