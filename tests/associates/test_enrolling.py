"""Enrolling: prefilled, checked, never twice, and the wait until the engine knows the member."""

import pytest

from members.models import Consent, Member
from sandbox.control import Sandbox
from stores.models import Associate, Store
from tests.associates.panel import Panel, Value, hidden, text_of, words

ENROL = "POST /customers"
IDA: dict[str, Value] = {
    "email": "ida@example.com",
    "phone": "(415) 555-0166",
    "first_name": " Ida ",
    "last_name": "Nightfall",
}

MARAS_PHONE = "+14155550123"


def value_of(page: str, name: str) -> str:
    return page.partition(f'name="{name}"')[2].partition('value="')[2].partition('"')[0]


QUERIES = {
    "an email": ("ida@example.com", {"email": "ida@example.com", "phone": ""}),
    "a phone": ("(415) 555-0166", {"email": "", "phone": "(415) 555-0166"}),
    "nothing": ("", {"email": "", "phone": ""}),
    "nonsense": ("ida", {"email": "", "phone": ""}),
    "a payment card": ("4111 1111 1111 1111", {"email": "", "phone": ""}),
}


@pytest.mark.parametrize(("query", "filled"), QUERIES.values(), ids=QUERIES.keys())
def test_the_form_is_prefilled_with_what_was_looked_up(
    panel: Panel, query: str, filled: dict[str, str]
) -> None:
    answer = panel.post("new", {"query": query})
    assert answer.status_code == 200
    assert {name: value_of(text_of(answer), name) for name in filled} == filled


def test_the_box_for_marketing_is_not_ticked(panel: Panel) -> None:
    page = text_of(panel.post("new"))
    assert 'type="checkbox" name="marketing">' in page


def test_a_new_member_is_made_with_what_was_typed(panel: Panel, sandbox: Sandbox) -> None:
    answer = panel.post("enrol", IDA)
    assert answer.status_code == 200
    assert "needs a few seconds" in text_of(answer)
    [made] = [person for person in sandbox.customers() if person["email"] == "ida@example.com"]
    assert (made["first_name"], made["last_name"]) == ("Ida", "Nightfall")
    assert (made["phone_number"], made["opted_in"]) == ("+14155550166", True)


def test_a_phone_is_sent_as_the_stores_region_reads_it(
    panel: Panel, sandbox: Sandbox, store: Store
) -> None:
    store.region = "GB"
    store.save()
    panel.post("enrol", {**IDA, "phone": "020 7946 0199"})
    assert sandbox.customers()[-1]["phone_number"] == "+442079460199"


def test_the_wait_counts_its_tries(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.switch(new_customer_delay_seconds=3600)
    waiting = panel.post("enrol", IDA)
    for tries in ("0", "1", "2"):
        fields = {name: hidden(waiting, name) for name in ("new", "tries", "sure")}
        assert (fields["tries"], fields["sure"]) == (tries, "1")
        waiting = panel.post("enrol/wait", fields)
    assert sandbox.call_counts()[ENROL] == 1


def test_a_member_who_was_enrolled_before_is_a_member_already(
    panel: Panel, sandbox: Sandbox
) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    panel.post("enrol", IDA)
    assert "Already a member" in words(panel.post("enrol", IDA))
    assert sandbox.call_counts()[ENROL] == 1


def test_a_wait_that_takes_long_says_that_the_sale_may_go_on(panel: Panel) -> None:
    waiting = panel.post("enrol", IDA)
    fields = {"new": hidden(waiting, "new"), "tries": "19", "sure": "1"}
    assert "takes longer than usual" not in words(
        panel.post("enrol/wait", {**fields, "tries": "18"})
    )
    page = panel.post("enrol/wait", fields)
    assert "takes longer than usual" in words(page)
    assert "every 5s" in text_of(page)


def test_in_the_end_the_new_member_is_shown(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    waiting = panel.post("enrol", IDA)
    fields = {name: hidden(waiting, name) for name in ("new", "tries", "sure")}
    answer = panel.post("enrol/wait", fields)
    assert 'class="success" data-say>Welcome! The new member is enrolled.<' in text_of(answer)
    assert "Welcome" not in words(answer)
    assert ">Ida Nightfall<" in text_of(answer)
    assert sandbox.call_counts()[ENROL] == 1


def test_a_consent_is_kept_once_with_who_asked_and_where(
    panel: Panel, sandbox: Sandbox, store: Store, ana: Associate
) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    waiting = panel.post("enrol", {**IDA, "marketing": "on"})
    fields = {name: hidden(waiting, name) for name in ("new", "tries", "sure")}
    for _ in range(3):
        panel.post("enrol/wait", fields)
    consent = Consent.objects.get()
    assert (consent.granted, consent.store, consent.associate) == (True, store, ana)
    assert Member.objects.count() == 1


# Twins


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("email", ["mara@example.com", " MARA@Example.com "], ids=["same", "caps"])
def test_a_member_by_that_email_is_shown_and_not_changed(
    panel: Panel, sandbox: Sandbox, email: str
) -> None:
    answer = panel.post("enrol", {**IDA, "email": email, "shared": IDA["phone"]})
    assert answer.status_code == 200
    assert "Already a member: nothing was changed." in words(answer)
    assert ">Mara Quill<" in text_of(answer)
    assert ENROL not in sandbox.call_counts()
    assert not Consent.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_a_member_by_that_phone_is_named_and_masked(panel: Panel, sandbox: Sandbox) -> None:
    answer = panel.post("enrol", {**IDA, "phone": "(415) 555-0123"})
    assert answer.status_code == 409
    page = text_of(answer)
    assert "M••• Q•••" in page
    assert "m•••@example.com" in page
    assert "Mara" not in page
    assert (value_of(page, "email"), value_of(page, "shared")) == ("ida@example.com", MARAS_PHONE)
    assert value_of(page, "query") == "(415) 555-0123"
    assert "Enrol anyway" in page
    assert ENROL not in sandbox.call_counts()


def test_on_a_clear_yes_a_family_shares_its_phone(panel: Panel, sandbox: Sandbox) -> None:
    answer = panel.post("enrol", {**IDA, "phone": "415.555.0123", "shared": MARAS_PHONE})
    assert answer.status_code == 200
    assert sandbox.call_counts()[ENROL] == 1
    assert sandbox.customers()[-1]["phone_number"] == "+14155550123"


@pytest.mark.usefixtures("nothing_moves")
def test_the_yes_to_one_number_is_none_to_another(panel: Panel) -> None:
    answer = panel.post("enrol", {**IDA, "phone": "919 555 0111", "shared": MARAS_PHONE})
    assert answer.status_code == 409
    assert "This phone number belongs to" in text_of(answer)


@pytest.mark.parametrize("phone", ["(415) 555-0188", "555-0188", ""])
def test_what_was_said_of_a_phone_goes_when_another_is_typed(panel: Panel, phone: str) -> None:
    gone = '<div id="likely" hidden hx-swap-oob="true"></div>'
    answer = panel.post("new/check", {**IDA, "phone": phone, "field": "phone"})
    assert text_of(answer).endswith(gone)
    answer = panel.post("new/check", {**IDA, "phone": phone, "field": "email"})
    assert gone not in text_of(answer)


def test_pressed_twice_nobody_is_made_twice(panel: Panel, sandbox: Sandbox) -> None:
    for _ in range(2):
        panel.post("enrol", IDA)
    emails = [person["email"] for person in sandbox.customers()]
    assert emails.count("ida@example.com") == 1
    assert Consent.objects.count() == 1


def test_forms_show_no_members_whom_look_ups_no_longer_do(panel: Panel, settings) -> None:
    settings.LOOK_UPS_OF_A_TILL = 0
    for known in ({"email": "mara@example.com"}, {**IDA, "phone": MARAS_PHONE}):
        answer = panel.post("enrol", known)
        assert answer.status_code == 429 and "Mara" not in text_of(answer)
    assert panel.post("enrol", IDA).status_code == 200
