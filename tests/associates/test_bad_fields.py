"""Whatever stands in a field: a clear answer, never a 5xx, and no points move."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest
from django.http import HttpResponse

from associates.tokens import sign_new_member
from members.enrol import NewMember
from members.models import Consent, Member
from redemptions.models import PendingRedemption
from sandbox.control import Sandbox
from tests.associates.panel import (
    FIVE_OFF,
    POINTS_FOR_DOLLARS,
    Panel,
    Value,
    buttons,
    code_of,
    text_of,
    words,
)

OK, NOT_FOUND, CONFLICT, UNREADABLE = 200, 404, 409, 422
Form = dict[str, Value]

BAD: dict[str, Value | None] = {
    "missing": None,
    "empty": "",
    "spaces": " \t\n",
    "10,000 characters": "a" * 10_000,
    "10,000 digits": "9" * 10_000,
    "emoji": "😀🎉",
    "SQL": "'; DROP TABLE members_member; --",
    "HTML": "<script>alert(1)</script>",
    "a template": "{{ settings.SECRET_KEY }}{% now 'Y' %}",
    "JSON": '{"a": [null]}',
    "a line break": "a\r\nSet-Cookie: b=c",
    "NUL": "a\0b",
    "invalid UTF-8": b"a\xff\xfe\xc3",
    "half of an emoji": b"\xed\xa0\xbd",
    "a huge number": "9" * 40,
    "beyond 64 bits": str(2**64),
    "negative": "-1",
    "zero": "0",
    "a fraction": "1.5",
    "a fraction with a comma": "1,5",
    "an exponent": "1e3",
    "hexadecimal": "0x10",
    "not a number": "NaN",
    "infinity": "Infinity",
    "an Arabic digit": "٣",
    "a superscript": "²",
}
BLANK = ("missing", "empty", "spaces")


@dataclass(frozen=True)
class Case:
    """A form that is good but for one field: `status` for all that is bad, but for `others`."""

    path: str
    field: str
    status: int
    others: Mapping[str, int] = field(default_factory=dict)
    good: Mapping[str, str] = field(default_factory=dict)

    def expected(self) -> dict[str, int]:
        return {name: self.others.get(name, self.status) for name in BAD}

    def forms(self, good: Form) -> dict[str, Form]:
        return {name: filled(good, self.field, value) for name, value in BAD.items()}


def filled(good: Form, name: str, value: Value | None) -> Form:
    form = {**good, name: value}
    return {key: given for key, given in form.items() if given is not None}


def statuses(answers: Mapping[str, HttpResponse]) -> dict[str, int]:
    return {name: answer.status_code for name, answer in answers.items()}


def check_words(answers: Mapping[str, HttpResponse]) -> None:
    """Who is told no is told why, and nothing that was sent comes back as markup."""
    for name, answer in answers.items():
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            assert len(words(answer).split()) >= 3, name
        assert b"<script>" not in answer.content, name


# Look-up


@pytest.mark.usefixtures("nothing_moves")
def test_a_look_up_by_nonsense_is_refused_in_words(panel: Panel, sandbox: Sandbox) -> None:
    case = Case("lookup", "query", UNREADABLE)
    answers = {name: panel.post("lookup", form) for name, form in case.forms({}).items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert all(answer["HX-Retarget"] == "#alert" for answer in answers.values())
    assert sandbox.call_counts() == {}
    assert not Member.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_a_new_members_form_repeats_no_nonsense(panel: Panel) -> None:
    case = Case("new", "query", OK)
    answers = {name: panel.post("new", form) for name, form in case.forms({}).items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    empty = text_of(panel.post("new"))
    assert [name for name, answer in answers.items() if text_of(answer) != empty] == []


# The dialog


@pytest.mark.usefixtures("nothing_moves")
def test_a_dialog_is_opened_by_our_own_token_only(panel: Panel, mara: Member) -> None:
    case = Case(f"members/{mara.id}/ask", "shown", CONFLICT)
    answers = {name: panel.post(case.path, form) for name, form in case.forms({}).items()}
    assert statuses(answers) == case.expected()
    check_words(answers)


# Redeem


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("offer", [FIVE_OFF, POINTS_FOR_DOLLARS], ids=["fixed", "variable"])
def test_points_are_spent_by_our_own_token_only(panel: Panel, mara: Member, offer: int) -> None:
    case = Case("redeem", "act", CONFLICT)
    forms = case.forms({"points": "500", "another": "1"})
    answers = {name: panel.post("redeem", form) for name, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert not PendingRedemption.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_points_to_spend_are_a_whole_number_from_1(panel: Panel, mara: Member) -> None:
    case = Case("redeem", "points", UNREADABLE)
    forms = case.forms({"act": panel.act(mara, POINTS_FOR_DOLLARS)})
    answers = {name: panel.post("redeem", form) for name, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert not PendingRedemption.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_a_fixed_offer_is_not_had_for_other_points(panel: Panel, mara: Member) -> None:
    case = Case("redeem", "points", UNREADABLE)
    forms = case.forms({"act": panel.act(mara, FIVE_OFF)})
    del forms["missing"]  # which is how its dialog sends it
    answers = {name: panel.post("redeem", form) for name, form in forms.items()}
    assert set(statuses(answers).values()) == {UNREADABLE}
    check_words(answers)
    assert not PendingRedemption.objects.exists()


@pytest.mark.parametrize(
    ("typed", "points"),
    [("1", 1), ("640", 640), (" 12 ", 12), ("007", 7)],
    ids=["least", "all", "spaces", "zeros before it"],
)
def test_a_whole_number_is_spent_as_it_is(
    panel: Panel, sandbox: Sandbox, mara: Member, typed: str, points: int
) -> None:
    assert panel.redeem(panel.act(mara, POINTS_FOR_DOLLARS), points=typed).status_code == OK
    assert sandbox.balance(mara.email) == 640 - points


@pytest.mark.parametrize("typed", ["1,000", "1 000", "1\u202f000", "1000"])
def test_thousands_may_stand_apart(panel: Panel, sandbox: Sandbox, typed: str) -> None:
    ruth = Member.objects.seen("ruth@example.com")
    assert panel.redeem(panel.act(ruth, POINTS_FOR_DOLLARS), points=typed).status_code == OK
    assert sandbox.balance(ruth.email) == 24_000


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("typed", ["1,00", "10,00,000", ",1", "1,", "1,,000", "1 0", "1_000"])
def test_other_groups_are_no_whole_number(panel: Panel, mara: Member, typed: str) -> None:
    assert panel.redeem(panel.act(mara, POINTS_FOR_DOLLARS), points=typed).status_code == UNREADABLE


@pytest.fixture
def open_code(panel: Panel, bea: Member, sandbox: Sandbox) -> str:
    """Bea has a code for $5 off, and points for another."""
    sandbox.adjust(bea.email, 1_000)
    return code_of(panel.redeem(panel.act(bea, FIVE_OFF)))


@pytest.mark.parametrize("name", ["another", "shown"])
def test_another_code_of_the_same_offer_takes_a_clear_yes(
    panel: Panel, bea: Member, open_code: str, sandbox: Sandbox, name: str
) -> None:
    """`another` must say 1; the page's `shown` only says what the dialog shows again."""
    case = Case("redeem", name, CONFLICT)
    forms = case.forms({"act": panel.act(bea, FIVE_OFF)})
    answers = {bad: panel.post("redeem", form) for bad, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert sandbox.balance(bea.email) == 1_010
    assert len(sandbox.redemptions()) == 1


def test_with_a_clear_yes_there_is_another_code(
    panel: Panel, bea: Member, open_code: str, sandbox: Sandbox
) -> None:
    answer = panel.redeem(panel.act(bea, FIVE_OFF), another="1", shown="<script>")
    assert code_of(answer) not in {"", open_code}
    assert sandbox.balance(bea.email) == 510


def test_the_dialog_that_asks_again_shows_the_code(
    panel: Panel, bea: Member, open_code: str
) -> None:
    button = buttons(panel.look_up("bea@example.com"))["$5 off"]
    answer = panel.redeem(panel.act(bea, FIVE_OFF), **button)
    assert answer.status_code == CONFLICT
    assert open_code in words(answer) + text_of(answer)


def test_what_another_member_was_shown_asks_nothing_again(
    panel: Panel, bea: Member, mara: Member, open_code: str
) -> None:
    """Else the dialog that comes back would spend the other member's points."""
    answer = panel.redeem(panel.act(bea, FIVE_OFF), **buttons(panel.look_up(mara.email))["$5 off"])
    assert answer.status_code == CONFLICT
    assert 'name="act"' not in text_of(answer)


# What became of it


@pytest.mark.parametrize("act", ["check", "undo"])
def test_a_redemption_is_opened_together_with_its_member_only(
    panel: Panel, bea: Member, open_code: str, sandbox: Sandbox, act: str
) -> None:
    case = Case(f"redemptions/{PendingRedemption.objects.get().id}/{act}", "member", NOT_FOUND)
    answers = {name: panel.post(case.path, form) for name, form in case.forms({}).items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert PendingRedemption.objects.get().state == "issued"
    assert sandbox.balance(bea.email) == 1_010


def test_a_code_is_shown_together_with_its_member_only(
    panel: Panel, bea: Member, open_code: str
) -> None:
    redemption = PendingRedemption.objects.get()
    case = Case(f"redemptions/{redemption.id}", "member", NOT_FOUND)
    answers = {name: panel.get(case.path, form) for name, form in case.forms({}).items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert not any(open_code in text_of(answer) for answer in answers.values())
    assert open_code in text_of(panel.get(case.path, {"member": str(bea.id)}))


# Enrol

NEW = NewMember("ida@example.com", "+14155550166", "Ida", "Nightfall", marketing_emails=False)
GOOD: Form = {
    "email": NEW.email,
    "phone": "415 555 0166",
    "first_name": "Ida",
    "last_name": "Nightfall",
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    "case",
    [
        Case("enrol", "email", UNREADABLE),
        Case("enrol", "phone", UNREADABLE, dict.fromkeys(BLANK, OK)),
    ],
    ids=["email", "phone"],
)
def test_who_cannot_be_written_to_is_not_enrolled(
    panel: Panel, sandbox: Sandbox, case: Case
) -> None:
    forms = case.forms(GOOD)
    answers = {
        name: panel.post("enrol", form)
        for name, form in forms.items()
        if case.others.get(name) != OK
    }
    assert set(statuses(answers).values()) == {UNREADABLE}
    check_words(answers)
    assert all(f'id="error-{case.field}"' in text_of(answer) for answer in answers.values())
    assert sandbox.call_counts() == {}


# Names are what people say they are.
NO_NAMES = ["10,000 characters", "10,000 digits", "NUL", "invalid UTF-8", "half of an emoji"]


@pytest.mark.parametrize("name", ["first_name", "last_name"])
@pytest.mark.parametrize("bad", NO_NAMES)
def test_what_is_no_name_is_refused(panel: Panel, sandbox: Sandbox, name: str, bad: str) -> None:
    answer = panel.post("enrol", filled(GOOD, name, BAD[bad]))
    assert answer.status_code == UNREADABLE
    check_words({bad: answer})
    assert "POST /customers" not in sandbox.call_counts()


@pytest.mark.parametrize("name", ["first_name", "last_name"])
def test_any_other_text_is_a_name_and_is_sent_as_it_is(
    panel: Panel, sandbox: Sandbox, name: str
) -> None:
    texts = {bad: value for bad, value in BAD.items() if bad not in NO_NAMES}
    answers = {}
    for place, (bad, value) in enumerate(texts.items()):
        form = filled({**GOOD, "email": f"ida{place}@example.com", "phone": ""}, name, value)
        answers[bad] = panel.post("enrol", form)
    assert statuses(answers) == dict.fromkeys(texts, OK)
    check_words(answers)
    made = [person[name] for person in sandbox.customers() if (person["email"] or "")[:3] == "ida"]
    assert made == [" ".join(str(text or "").split()) or None for text in texts.values()]


def test_a_name_may_have_joiners_and_no_other_invisible_signs(panel: Panel) -> None:
    written_so = {"Persian": "مهر\u200cبد", "emoji": "Ida 👩\u200d🚀"}
    hidden_so = {"bidi override": "Ida\u202e", "bell": "Ida\a", "a byte order mark": "\ufeffIda"}
    answers = {
        kind: panel.post("enrol", {**GOOD, "first_name": name})
        for kind, name in {**written_so, **hidden_so}.items()
    }
    expected = dict.fromkeys(written_so, OK) | dict.fromkeys(hidden_so, UNREADABLE)
    assert statuses(answers) == expected


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("name", ["phone", "first_name", "last_name"])
def test_a_payment_card_is_refused_and_not_shown_again(panel: Panel, name: str) -> None:
    answer = panel.post("enrol", {**GOOD, name: "4111 1111 1111 1111"})
    assert answer.status_code == UNREADABLE
    assert "payment card" in text_of(answer)
    assert "4111" not in text_of(answer)


def test_nothing_that_was_typed_gets_lost_by_a_mistake(panel: Panel) -> None:
    page = text_of(panel.post("enrol", {**GOOD, "email": "ida@", "marketing": "on"}))
    for typed in ("ida@", "415 555 0166", "Ida", "Nightfall"):
        assert f'value="{typed}"' in page
    assert " checked" in page


def test_only_a_ticked_box_is_a_consent(panel: Panel) -> None:
    texts = {**BAD, "ticked": "on"}
    for place, value in enumerate(texts.values()):
        form = filled({"email": f"ida{place}@example.com"}, "marketing", value)
        assert panel.post("enrol", form).status_code == OK
    assert Consent.objects.count() == len(texts)
    assert list(Consent.objects.filter(granted=True)) == [Consent.objects.order_by("id").last()]


@pytest.mark.usefixtures("nothing_moves")
def test_a_likely_twin_is_enrolled_on_a_clear_yes_only(panel: Panel, sandbox: Sandbox) -> None:
    case = Case("enrol", "shared", CONFLICT)
    forms = case.forms({**GOOD, "phone": "(415) 555-0123"})
    answers = {name: panel.post("enrol", form) for name, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert "POST /customers" not in sandbox.call_counts()


@pytest.mark.usefixtures("nothing_moves")
def test_the_wait_goes_on_with_our_own_token_only(panel: Panel) -> None:
    case = Case("enrol/wait", "new", CONFLICT)
    forms = case.forms({"tries": "1", "sure": "1"})
    answers = {name: panel.post(case.path, form) for name, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("name", ["tries", "sure"])
def test_the_wait_goes_on_whatever_else_it_is_sent(panel: Panel, name: str) -> None:
    case = Case("enrol/wait", name, OK)
    forms = case.forms({"new": sign_new_member(NEW), "tries": "1", "sure": "1"})
    answers = {bad: panel.post(case.path, form) for bad, form in forms.items()}
    assert statuses(answers) == case.expected()
    check_words(answers)
    assert all("Enrolling" in text_of(answer) for answer in answers.values())


@pytest.mark.usefixtures("nothing_moves")
def test_a_field_that_does_not_exist_has_nothing_wrong(panel: Panel) -> None:
    case = Case("new/check", "field", OK)
    answers = {bad: panel.post(case.path, form) for bad, form in case.forms(GOOD).items()}
    assert statuses(answers) == case.expected()
    assert {answer.content.strip() for answer in answers.values()} == {b""}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("name", ["email", "phone", "first_name", "last_name"])
def test_a_field_is_checked_as_it_is_left(panel: Panel, sandbox: Sandbox, name: str) -> None:
    fine = set(BAD).difference(NO_NAMES) if "name" in name else set(BLANK)
    forms = Case("new/check", name, OK).forms({"field": name})
    answers = {bad: panel.post("new/check", form) for bad, form in forms.items()}
    assert set(statuses(answers).values()) == {OK}
    told = {bad for bad, answer in answers.items() if text_of(answer).partition("<div")[0]}
    assert told == set(BAD) - fine
    check_words(answers)
    assert sandbox.call_counts() == {}


# What is no form at all

WHOLE_BODIES: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "a body of 300 KiB": (lambda: b"query=" + b"a" * 300 * 1024, "FORM", 413),
    "2,000 fields": (lambda: b"&".join(b"f%d=1" % n for n in range(2_000)), "FORM", 400),
    "another encoding": (lambda: b"query=a", "FORM; charset=utf-16", 400),
    "a torn multipart form": (lambda: b"--x\r\nContent-", "multipart/form-data", 400),
    "JSON": (lambda: b'{"query": "mara@example.com"}', "application/json", 422),
    "no body": (lambda: b"", "FORM", 422),
    "bytes": (lambda: bytes(range(256)), "application/octet-stream", 422),
    "only ampersands": (lambda: b"&" * 900, "FORM", 422),
    "half of an escape": (lambda: b"query=%", "FORM", 422),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    ("body", "content_type", "status"), WHOLE_BODIES.values(), ids=WHOLE_BODIES.keys()
)
def test_what_is_no_form_is_refused_in_words(
    panel: Panel, body: Callable[[], bytes], content_type: str, status: int
) -> None:
    form = "application/x-www-form-urlencoded"
    answer = panel.send("lookup", body(), content_type.replace("FORM", form))
    assert answer.status_code == status
    assert answer["HX-Retarget"] == "#alert"
    assert words(answer)


@pytest.mark.usefixtures("nothing_moves")
def test_an_oversized_body_spends_no_points(panel: Panel, mara: Member) -> None:
    answer = panel.redeem(panel.act(mara, FIVE_OFF), ask="a" * 300 * 1024)
    assert answer.status_code == 413
    assert not PendingRedemption.objects.exists()


@pytest.mark.database
def test_a_code_with_a_sign_that_no_database_takes_is_nobodys(panel: Panel) -> None:
    answer = panel.post("ticket", {"event": "cart.changed", "sale": "T-1", "coupons": "\0"})
    assert (answer.status_code, answer.json()) == (200, {"changed": []})
