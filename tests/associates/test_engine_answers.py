"""Whatever the engine answers: a clear message, never a 500, and points move only as it says."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from associates.tokens import sign_new_member
from audit.models import Entry
from connectors.errors import Unavailable
from members.engine import engine
from members.enrol import NewMember
from members.models import Consent, Enrolment, Member
from outbox.models import Delivery
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from tests.associates.panel import FIVE_OFF, Panel, code_of, hidden, text_of, words

CUSTOMER, OPTIONS = "GET /customers", "GET /redemption_options"
CREATE, CANCEL = "POST /redemptions", "POST /redemptions/*/cancellation_completed"
ENROL = "POST /customers"

AWAY = (503, "can't be reached")
# What is answered to a question -> status, and what the associate is told.
ANSWERS: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "HTML": ({"kind": "html"}, AWAY),
    "nothing": ({"kind": "empty"}, AWAY),
    "null": ({"kind": "null"}, AWAY),
    "a list": ({"kind": "list"}, AWAY),
    "an error inside a yes": ({"kind": "error_inside"}, AWAY),
    "a torn answer": ({"kind": "cut"}, AWAY),
    "no answer": ({"kind": "drop_before"}, AWAY),
    "a broken engine": ({"kind": "status", "status": 500}, AWAY),
    "a proxy's page": ({"kind": "status", "status": 502, "body": "<h1>Bad gateway</h1>"}, AWAY),
    "a redirect": ({"kind": "status", "status": 302}, AWAY),
    "a number": ({"kind": "error_inside", "body": 7}, AWAY),
    "an object of something else": ({"kind": "error_inside", "body": {"a": {"b": 1}}}, AWAY),
    "a balance that is none": (
        {"kind": "error_inside", "body": {"points_balance": "many", "email": "mara@example.com"}},
        AWAY,
    ),
    "too many calls": ({"kind": "throttle"}, (429, "busy")),
    "keys refused": ({"kind": "status", "status": 401}, (503, "does not accept this shop's keys")),
    "keys forbidden": (
        {"kind": "status", "status": 403},
        (503, "does not accept this shop's keys"),
    ),
    "a refusal": (
        {"kind": "status", "status": 422, "body": {"error": "Not today"}},
        (422, "said no: Not today"),
    ),
}
to_a_question = pytest.mark.parametrize(("fault", "told"), ANSWERS.values(), ids=ANSWERS.keys())


def told_clearly(answer: HttpResponse, told: tuple[int, str]) -> None:
    status, text = told
    assert answer.status_code == status
    assert text in words(answer)
    assert "<h1>" not in text_of(answer)
    assert answer["HX-Retarget"] == "#alert"


@to_a_question
def test_looking_up(
    panel: Panel, sandbox: Sandbox, fault: dict[str, Any], told: tuple[int, str]
) -> None:
    sandbox.fault(CUSTOMER, times=None, **fault)
    told_clearly(panel.look_up("mara@example.com"), told)
    assert not Member.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
@to_a_question
def test_redeeming_when_the_member_cannot_be_read(
    panel: Panel, sandbox: Sandbox, mara: Member, fault: dict[str, Any], told: tuple[int, str]
) -> None:
    sandbox.fault(CUSTOMER, times=None, **fault)
    told_clearly(panel.redeem(panel.act(mara, FIVE_OFF)), told)
    assert CREATE not in sandbox.call_counts()
    assert not PendingRedemption.objects.exists()


# A list of options may be a list, or empty: that is no failure.
NO_OPTIONS = {name: fault for name, (fault, _) in ANSWERS.items() if name != "a list"}


@pytest.mark.parametrize("fault", NO_OPTIONS.values(), ids=NO_OPTIONS.keys())
def test_a_member_is_shown_without_offers_that_cannot_be_read(
    panel: Panel, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.fault(OPTIONS, times=None, **fault)
    answer = panel.look_up("mara@example.com")
    assert answer.status_code == 200
    assert "Mara Quill" in text_of(answer)
    assert "The offers could not be read" in words(answer)
    assert "Redeem $5 off" not in text_of(answer)


def test_a_shop_may_have_no_offers(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.fault(OPTIONS, "list")
    answer = panel.look_up("mara@example.com")
    assert "nothing to redeem in the store" in text_of(answer)


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("fault", NO_OPTIONS.values(), ids=NO_OPTIONS.keys())
def test_redeeming_when_the_offers_cannot_be_read(
    panel: Panel, sandbox: Sandbox, mara: Member, fault: dict[str, Any]
) -> None:
    sandbox.fault(OPTIONS, times=None, **fault)
    answer = panel.redeem(panel.act(mara, FIVE_OFF))
    assert answer.status_code in {422, 429, 503}
    assert words(answer)
    assert CREATE not in sandbox.call_counts()


# What is answered to the one call that spends points, and that it did nothing.
LOST: dict[str, dict[str, Any]] = {
    "HTML": {"kind": "html"},
    "nothing": {"kind": "empty"},
    "null": {"kind": "null"},
    "a list": {"kind": "list"},
    "an error inside a yes": {"kind": "error_inside"},
    "an object of something else": {"kind": "error_inside", "body": {"a": 1}},
    "a number": {"kind": "error_inside", "body": 7},
    "no answer": {"kind": "drop_before"},
    "a broken engine": {"kind": "status", "status": 500},
    "a proxy's page": {"kind": "status", "status": 422, "body": "<h1>Bad gateway</h1>"},
    "too slow": {"kind": "hang", "seconds": 0.2},
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
def test_an_unclear_answer_is_checked_and_not_asked_again(
    panel: Panel,
    sandbox: Sandbox,
    mara: Member,
    later: Callable[[float], None],
    fault: dict[str, Any],
) -> None:
    sandbox.fault(CREATE, **fault)
    act = panel.act(mara, FIVE_OFF)
    answer = panel.redeem(act)
    assert answer.status_code == 200
    assert "We are checking whether this went through: do not redeem again." in words(answer)
    assert words(panel.redeem(act)) == words(answer)

    assert came_of_it(panel, later) == State.NOT_MADE
    assert sandbox.call_counts()[CREATE] == 1


def came_of_it(panel: Panel, later: Callable[[float], None]) -> str:
    """What the waiting screen's questions come to, the engine's settle time having passed."""
    redemption = PendingRedemption.objects.get()
    whose = {"member": str(redemption.member_id)}
    for _ in range(3):
        later(4)
        answer = panel.post(f"redemptions/{redemption.id}/check", whose)
        assert answer.status_code == 200
    redemption.refresh_from_db()
    assert (redemption.state == State.NOT_MADE) is ("It did not go through" in text_of(answer))
    return redemption.state


@pytest.mark.parametrize("kind", ["cut", "drop_after", "html_after"])
def test_what_was_done_though_its_answer_was_lost_is_found(
    panel: Panel, sandbox: Sandbox, mara: Member, kind: str
) -> None:
    sandbox.fault(CREATE, kind)
    answer = panel.redeem(panel.act(mara, FIVE_OFF))
    assert "do not redeem again" in words(answer)
    redemption = PendingRedemption.objects.get()
    found = panel.post(f"redemptions/{redemption.id}/check", {"member": str(mara.id)})
    assert code_of(found) == sandbox.redemptions()[0]["code"]
    assert (sandbox.call_counts()[CREATE], sandbox.balance(mara.email)) == (1, 140)


def test_while_one_is_checked_there_is_no_other(
    panel: Panel, sandbox: Sandbox, mara: Member
) -> None:
    sandbox.fault(CREATE, "html")
    panel.redeem(panel.act(mara, FIVE_OFF))
    answer = panel.redeem(panel.act(mara, FIVE_OFF))
    assert answer.status_code == 409
    assert "has not ended yet" in words(answer)
    assert "Redeem $5 off" not in text_of(panel.look_up(mara.email))
    assert sandbox.call_counts()[CREATE] == 1


CLEAR: dict[str, tuple[dict[str, Any], int, str]] = {
    "keys refused": ({"kind": "status", "status": 401}, 503, "keys. No points were taken"),
    "too many calls": ({"kind": "throttle"}, 429, "No points were taken"),
    "a refusal": (
        {"kind": "status", "status": 422, "body": {"amount": ["is too much"]}},
        422,
        "said no: amount: is too much. No points were taken",
    ),
    "a refusal without words": (
        {"kind": "status", "status": 422, "body": {}},
        422,
        "said no. No points were taken",
    ),
    "an unknown customer": ({"kind": "status", "status": 404, "body": {}}, 422, "said no"),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(("fault", "status", "said"), CLEAR.values(), ids=CLEAR.keys())
def test_a_clear_no_is_told_and_ends_it(
    panel: Panel, sandbox: Sandbox, mara: Member, fault: dict[str, Any], status: int, said: str
) -> None:
    sandbox.fault(CREATE, **fault)
    told_clearly(panel.redeem(panel.act(mara, FIVE_OFF)), (status, said))
    assert PendingRedemption.objects.get().state == State.REFUSED


def test_after_too_many_calls_the_same_dialog_may_try_again(
    panel: Panel, sandbox: Sandbox, mara: Member
) -> None:
    sandbox.fault(CREATE, "throttle")
    act = panel.act(mara, FIVE_OFF)
    assert panel.redeem(act).status_code == 429
    assert code_of(panel.redeem(act))
    assert sandbox.balance(mara.email) == 140


# Undo


@pytest.fixture
def undo(panel: Panel, mara: Member) -> Callable[[], HttpResponse]:
    """Presses Undo of Mara's code for $5 off."""
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    whose = {"member": str(mara.id)}
    return lambda: panel.post(f"redemptions/{redemption.id}/undo", whose)


NOT_UNDONE_YET: dict[str, dict[str, Any]] = {
    "HTML": {"kind": "html"},
    "HTML, and it was done": {"kind": "html_after"},
    "an error inside a yes": {"kind": "error_inside"},
    "a torn answer, and it was done": {"kind": "cut"},
    "no answer": {"kind": "drop_before"},
    "no answer, and it was done": {"kind": "drop_after"},
    "a broken engine": {"kind": "status", "status": 500},
    "too many calls": {"kind": "throttle"},
    "keys refused": {"kind": "status", "status": 401},
}


@pytest.mark.parametrize("fault", NOT_UNDONE_YET.values(), ids=NOT_UNDONE_YET.keys())
def test_points_are_back_only_when_the_engine_said_so(
    panel: Panel,
    sandbox: Sandbox,
    mara: Member,
    undo: Callable[[], HttpResponse],
    later: Callable[[float], None],
    fault: dict[str, Any],
) -> None:
    sandbox.fault(CANCEL, **fault)
    answer = undo()
    assert answer.status_code == 200
    assert "has not confirmed it yet" in words(answer)
    assert "points are back" not in text_of(answer)

    later(600)
    assert "500 points are back" in text_of(undo())
    assert sandbox.balance(mara.email) == 640
    assert [row["kind"] for row in sandbox.ledger(mara.email)][-2:] == ["redemption", "reversal"]


@pytest.mark.parametrize("kind", ["empty", "null", "list"])
def test_a_yes_without_a_body_is_a_yes(
    sandbox: Sandbox, mara: Member, undo: Callable[[], HttpResponse], kind: str
) -> None:
    """The body of this answer is documented nowhere."""
    sandbox.fault(CANCEL, kind, made=True)
    assert "500 points are back" in text_of(undo())
    assert sandbox.balance(mara.email) == 640


def test_a_clear_no_to_undo_is_for_a_manager(
    sandbox: Sandbox, mara: Member, undo: Callable[[], HttpResponse]
) -> None:
    sandbox.fault(CANCEL, "status", status=422, body={"error": "Coupon code was used"})
    answer = undo()
    assert answer.status_code == 409
    assert "manager" in words(answer)
    assert sandbox.balance(mara.email) == 140


# Enrolment

IDA = {"email": "ida@example.com", "first_name": "Ida", "phone": ""}
NEW = NewMember("ida@example.com", None, "Ida", None, marketing_emails=False)

UNSURE: dict[str, dict[str, Any]] = {
    "HTML": {"kind": "html"},
    "an error inside a yes": {"kind": "error_inside"},
    "no answer": {"kind": "drop_before"},
    "a broken engine": {"kind": "status", "status": 500},
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("fault", UNSURE.values(), ids=UNSURE.keys())
def test_an_enrolment_that_did_not_arrive_is_kept(
    panel: Panel, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.fault(ENROL, **fault)
    answer = panel.post("enrol", IDA)
    assert answer.status_code == 200
    assert "We are checking whether the enrolment arrived" in words(answer)
    assert not Consent.objects.exists()

    for _ in range(25):
        if 'name="new"' not in text_of(answer):
            break
        fields = {name: hidden(answer, name) for name in ("new", "tries", "sure")}
        answer = panel.post("enrol/wait", fields)
    assert "The enrolment is on its way" in words(answer)
    assert Delivery.objects.get().state == "pending"
    assert sandbox.call_counts()[ENROL] == 1


def test_an_enrolment_of_which_nothing_is_kept_is_sent_again(panel: Panel) -> None:
    """A manager dropped it meanwhile."""
    fields = {"new": sign_new_member(NEW), "tries": "20", "sure": "0"}
    answer = panel.post("enrol/wait", fields)
    assert "Nothing was made: send it again" in words(answer)
    assert 'value="ida@example.com"' in text_of(answer)


@pytest.mark.parametrize("kind", ["cut", "drop_after", "html_after"])
def test_an_enrolment_whose_answer_was_lost_is_found(
    panel: Panel, sandbox: Sandbox, kind: str
) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    sandbox.fault(ENROL, kind)
    waiting = panel.post("enrol", {**IDA, "marketing": "on"})
    assert "We are checking" in words(waiting)
    fields = {name: hidden(waiting, name) for name in ("new", "tries", "sure")}
    assert "Welcome!" in text_of(panel.post("enrol/wait", fields))
    assert Consent.objects.get().granted is True
    assert sandbox.call_counts()[ENROL] == 1
    assert not Enrolment.objects.filter(state="waiting").exists()
    assert [entry.act for entry in Entry.objects.order_by("id")] == [
        "enrolment.kept",
        "member.enrolled",
    ]


@pytest.mark.parametrize("kind", ["empty", "null", "list"])
def test_an_enrolments_yes_needs_no_body(panel: Panel, sandbox: Sandbox, kind: str) -> None:
    sandbox.fault(ENROL, kind, made=True)
    answer = panel.post("enrol", IDA)
    assert "needs a few seconds" in text_of(answer)
    assert Consent.objects.count() == 1


ENROL_REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "refused": (
        {"kind": "status", "status": 422, "body": {"phone_number": ["is invalid"]}},
        422,
        "said no: phone_number: is invalid",
    ),
    "too many calls": ({"kind": "throttle"}, 429, "busy"),
    "keys refused": ({"kind": "status", "status": 401}, 503, "keys"),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    ("fault", "status", "said"), ENROL_REFUSED.values(), ids=ENROL_REFUSED.keys()
)
def test_a_refused_enrolment_is_told_and_keeps_nothing(
    panel: Panel, sandbox: Sandbox, fault: dict[str, Any], status: int, said: str
) -> None:
    sandbox.fault(ENROL, **fault)
    told_clearly(panel.post("enrol", IDA), (status, said))
    assert not Member.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
@to_a_question
def test_nobody_is_enrolled_while_a_twin_cannot_be_looked_for(
    panel: Panel, sandbox: Sandbox, fault: dict[str, Any], told: tuple[int, str]
) -> None:
    sandbox.fault(CUSTOMER, times=None, **fault)
    answer = panel.post("enrol", IDA)
    kept = Enrolment.objects.filter(state="waiting").exists()
    if told is AWAY:
        assert answer.status_code == 200
        assert "can't be reached. The enrolment is kept" in words(answer)
    else:
        told_clearly(answer, told)
    assert kept is (told is AWAY)
    assert ENROL not in sandbox.call_counts()


def test_one_whom_the_engine_left_in_the_middle_is_kept(
    panel: Panel, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_told: object) -> None:
        raise Unavailable("yotpo", "POST", "/customers")

    monkeypatch.setattr(engine(), "save_customer", away)
    assert "The enrolment is kept" in words(panel.post("enrol", IDA))
    assert Delivery.objects.get().kind == "enrolment"
    entry = Entry.objects.get()
    assert (entry.act, entry.who, entry.till) == ("enrolment.kept", "Ana Pardo", "Till 1, Boston")


def test_whoever_looks_up_one_who_is_kept_reads_so(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.fault("*", "drop_before", times=None)
    panel.post("enrol", IDA | {"phone": "(415) 555-0166"})
    for query in (IDA["email"], "415 555 0166"):
        page = text_of(panel.look_up(query))
        assert "Ida" in page
        assert "The enrolment is kept: they become a member by themselves" in page
    sandbox.clear_faults()
    page = text_of(panel.look_up(IDA["email"]))
    assert "The enrolment is on its way" in page
    assert "Redeem" not in page


def test_the_wait_goes_on_while_the_engine_is_away(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.fault(CUSTOMER, "drop_before", times=None)
    fields = {"new": sign_new_member(NEW), "tries": "1", "sure": "1"}
    waiting = panel.post("enrol/wait", fields)
    assert "can't be reached just now. We go on asking" in words(waiting)
    assert hidden(waiting, "tries") == "1"
    sandbox.clear_faults()
    assert "Enrolling" in text_of(panel.post("enrol/wait", fields))


# Refusals that quote a customer


def test_the_engines_own_words_bring_no_markup_and_no_email(
    panel: Panel, sandbox: Sandbox, mara: Member
) -> None:
    said = {"error": "<script>alert(1)</script> no points for mara@example.com +14155550123"}
    sandbox.fault(CREATE, "status", status=422, body=said)
    page = panel.redeem(panel.act(mara, FIVE_OFF)).content.decode()
    assert "no points for [email]" in page
    assert "<script>" not in page
    assert "mara@" not in page + PendingRedemption.objects.get().engine_words
    assert "5550123" not in page
