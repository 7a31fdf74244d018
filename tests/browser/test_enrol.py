"""Enrolling at the till: once, and in sight."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.support.servers import Database

pytestmark = pytest.mark.browser

NEW = "new.person@example.com"
NEW_PHONE = "(415) 555-0188"


@pytest.mark.provokes(404)
def test_who_was_not_found_is_enrolled_and_then_shown(till: Till, sandbox: Sandbox):
    sandbox.switch(new_customer_delay_seconds=3)
    till.ask(NEW)
    till.page.get_by_role("button", name="Enrol this customer").click()
    expect(till.email).to_have_value(NEW)
    till.phone.fill(NEW_PHONE)
    till.first_name.fill("Nova")
    till.last_name.fill("Person")
    till.enrol_button.click()

    expect(till.enrolment).to_contain_text("Enrolling Nova")
    expect(till.enrolment.get_by_role("progressbar")).to_be_visible()
    expect(till.member.get_by_role("heading", name="Nova Person")).to_be_visible()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_have_class("success")
    till.expect_points("0")
    assert sandbox.call_counts()["POST /customers"] == 1
    assert len(named(sandbox, NEW)) == 1


def named(sandbox: Sandbox, email: str) -> list[dict]:
    return [customer for customer in sandbox.customers() if customer["email"] == email]


@pytest.mark.provokes(404)
def test_a_phone_that_was_looked_up_is_in_the_form(till: Till):
    till.ask(NEW_PHONE)
    till.page.get_by_role("button", name="Enrol this customer").click()
    expect(till.phone).to_have_value(NEW_PHONE)
    expect(till.email).to_have_value("")


def test_new_member_takes_over_what_stands_in_the_look_up(till: Till):
    till.query.fill(NEW)
    till.start_enrolment()
    expect(till.email).to_have_value(NEW)
    expect(till.phone).to_have_value("")


@pytest.mark.parametrize(("query", "field"), [("", "Email"), (NEW, "Phone"), (NEW_PHONE, "Email")])
def test_the_form_begins_at_its_first_empty_field(till: Till, query: str, field: str):
    till.query.fill(query)
    till.start_enrolment()
    first = till.enrolment.get_by_role("textbox", name=field, exact=True)
    expect(first).to_be_focused()
    till.page.keyboard.type("a")
    expect(first).to_have_value("a")


@pytest.mark.provokes(404)
def test_who_was_not_found_is_enrolled_from_the_keyboard(till: Till):
    till.ask(NEW)
    expect(till.spoken).to_contain_text("Nobody has this email")  # so the button can be pressed
    till.page.get_by_role("button", name="Enrol this customer").press("Enter")
    expect(till.phone).to_be_focused()


def test_nobody_consents_to_marketing_by_default(till: Till, sandbox: Sandbox, database: Database):
    till.start_enrolment()
    expect(till.marketing).not_to_be_checked()
    enrol(till, NEW)
    assert last_consent(database) == 0


def test_a_ticked_box_is_kept_as_consent(till: Till, sandbox: Sandbox, database: Database):
    till.start_enrolment()
    till.marketing.check()
    enrol(till, "consenting@example.com")
    assert last_consent(database) == 1


def enrol(till: Till, email: str) -> None:
    till.email.fill(email)
    till.enrol_button.click()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()


def last_consent(database: Database) -> object:
    rows = database.execute("SELECT granted FROM members_consent ORDER BY given_at DESC, id DESC")
    return rows[0][0]


def test_what_is_wrong_is_said_when_a_field_is_left(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill("new.person@")
    till.email.press("Tab")
    expect(till.enrolment).to_contain_text("That email address is not complete.")
    till.phone.fill("555-0188")
    till.phone.press("Tab")
    expect(till.enrolment).to_contain_text("That phone number is incomplete: add the area code.")

    till.email.fill(NEW)
    till.email.press("Tab")
    expect(till.enrolment).not_to_contain_text("not complete")
    assert sandbox.call_counts() == {}


@pytest.mark.provokes(422)
def test_a_form_with_errors_is_not_sent_and_keeps_what_was_typed(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.phone.fill(NEW_PHONE)
    till.first_name.fill("Nova")
    till.marketing.check()
    till.enrol_button.click()
    till.expect_alert("Please check what is marked below.")
    expect(till.enrolment).to_contain_text("Type an email address.")
    expect(till.phone).to_have_value(NEW_PHONE)
    expect(till.first_name).to_have_value("Nova")
    expect(till.marketing).to_be_checked()
    assert sandbox.call_counts() == {}


@pytest.mark.provokes(422)
def test_a_field_of_ten_thousand_characters_is_refused(till: Till):
    till.start_enrolment()
    till.email.fill(NEW)
    # No person can type that many: the field stops them.
    till.first_name.evaluate("field => { field.value = 'n'.repeat(10000) }")
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("A name has at most 100 characters here.")


def test_names_of_any_script_are_kept_as_they_are(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.first_name.fill("Zoë 🎉")
    till.last_name.fill("<i>O'Brien</i>")
    enrol(till, NEW)
    expect(till.member.get_by_role("heading", name="Zoë 🎉 <i>O'Brien</i>")).to_be_visible()
    (made,) = named(sandbox, NEW)
    assert (made["first_name"], made["last_name"]) == ("Zoë 🎉", "<i>O'Brien</i>")


def test_who_is_a_member_already_is_shown_and_not_changed(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill("Mara@example.com")
    till.first_name.fill("Somebody")
    till.enrol_button.click()
    expect(till.main.get_by_text("Already a member: nothing was changed.")).to_be_visible()
    expect(till.member.get_by_role("heading", name="Mara Quill")).to_be_visible()
    assert "POST /customers" not in sandbox.call_counts()


@pytest.mark.provokes(409)
def test_somebody_elses_phone_asks_first(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill(NEW)
    till.phone.fill("(415) 555-0123")
    till.enrol_button.click()
    till.expect_alert("This phone number belongs to M••• Q•••")
    expect(till.enrolment).not_to_contain_text("Mara")
    assert "POST /customers" not in sandbox.call_counts()

    till.enrolment.get_by_role("button", name="Enrol anyway").click()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()
    assert len(named(sandbox, NEW)) == 1
    assert sandbox.call_counts()["POST /customers"] == 1


@pytest.mark.provokes(409)
def test_whose_phone_it_is_is_looked_up_with_one_press(till: Till, sandbox: Sandbox):
    ask_about_maras_phone(till)
    till.enrolment.get_by_role("button", name="Look up this number").press("Enter")
    expect(till.member.get_by_role("heading", name="Mara Quill")).to_be_visible()
    expect(till.member).to_contain_text("Found by phone.")
    expect(till.enrolment).to_have_count(0)
    assert "POST /customers" not in sandbox.call_counts()


def ask_about_maras_phone(till: Till) -> None:
    till.start_enrolment()
    till.email.fill(NEW)
    till.phone.fill("(415) 555-0123")
    till.enrol_button.click()
    till.expect_alert("This phone number belongs to M••• Q•••")


@pytest.mark.provokes(409)
def test_with_another_phone_nothing_is_said_of_the_one_before(till: Till, sandbox: Sandbox):
    ask_about_maras_phone(till)
    till.phone.fill(NEW_PHONE)
    till.phone.press("Tab")
    till.expect_no_alert()
    expect(till.enrolment.get_by_role("button", name="Look up this number")).to_have_count(0)
    expect(till.enrolment.get_by_role("button", name="Enrol anyway")).to_have_count(0)
    expect(till.email).to_have_value(NEW)
    expect(till.first_name).to_be_focused()
    till.enrol_button.click()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()
    assert named(sandbox, NEW)[0]["phone_number"] == "+14155550188"


@pytest.mark.provokes(409)
def test_the_enter_key_asks_again_and_enrols_nobody_anyway(till: Till, sandbox: Sandbox):
    ask_about_maras_phone(till)
    with till.page.expect_response("**/enrol") as answer:
        till.email.press("Enter")
    assert answer.value.status == 409
    assert "POST /customers" not in sandbox.call_counts()


def test_a_double_click_enrols_once(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /customers", "slow", seconds=0.5)
    till.start_enrolment()
    till.email.fill(NEW)
    till.enrol_button.dblclick()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()
    assert sandbox.call_counts()["POST /customers"] == 1


def test_a_lost_reply_is_found_by_waiting(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /customers", "drop_after")
    till.start_enrolment()
    till.email.fill(NEW)
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("We are checking whether the enrolment arrived.")
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()
    assert sandbox.call_counts()["POST /customers"] == 1


KEYS_REFUSED = "The loyalty system does not accept this shop's keys."


@pytest.mark.provokes(503)
def test_an_error_keeps_what_was_typed(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill(NEW)
    till.first_name.fill("Nova")
    sandbox.fault("*", "status", status=401, times=None)
    till.enrol_button.click()
    till.expect_alert(KEYS_REFUSED)
    expect(till.email).to_have_value(NEW)
    expect(till.first_name).to_have_value("Nova")
    sandbox.clear_faults()
    till.enrol_button.click()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()


@pytest.mark.provokes(503)
def test_a_field_that_is_checked_takes_no_alert_away(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill(NEW)
    sandbox.fault("*", "status", status=401, times=None)
    till.enrol_button.click()
    till.expect_alert(KEYS_REFUSED)
    till.phone.fill("555-0188")
    till.phone.press("Tab")
    expect(till.enrolment).to_contain_text("That phone number is incomplete: add the area code.")
    till.expect_alert(KEYS_REFUSED)


def test_waiting_for_a_new_member_survives_an_outage(till: Till, sandbox: Sandbox):
    sandbox.switch(new_customer_delay_seconds=1)
    till.start_enrolment()
    # Nobody else's in these tests, or the panel would know figures of it.
    till.email.fill("never.seen.before@example.com")
    asked_again = till.hold("**/enrol/wait")
    till.enrol_button.click()
    expect(till.enrolment.get_by_role("progressbar")).to_be_visible()
    asked_again.wait()
    sandbox.fault("*", "drop_before", times=None)
    asked_again.let_go()
    expect(till.enrolment).to_contain_text("can't be reached just now. We go on asking")
    sandbox.clear_faults()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()
    assert sandbox.call_counts()["POST /customers"] == 1


def test_cancel_leaves_nothing_behind(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    till.email.fill(NEW)
    till.enrolment.get_by_role("button", name="Cancel").click()
    expect(till.enrolment).to_have_count(0)
    assert sandbox.call_counts() == {}


def test_a_new_member_can_redeem_at_once(till: Till, sandbox: Sandbox):
    till.start_enrolment()
    enrol(till, NEW)
    sandbox.adjust(NEW, 600)
    till.look_up(NEW, "No name given")
    till.redeemed("$5 off")
    till.expect_points("100")
