"""Every state says what is so and what to do next, and what it offers to do works.

One test a state, by the name that it has in the table (states.py). Before that it is looked at as
it stands: axe is content in every look, all fits into the narrowest frame and the widest, and a
thumb hits what is to be pressed.
"""

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from sandbox.control import Sandbox
from tests.browser.axe import complaints
from tests.browser.fit import expect_it_fits
from tests.browser.states import CANCELLATION, MARA, NEW, RUTH, RUTHS_NAME, STATES
from tests.browser.till import Till
from tests.support.servers import Panel

pytestmark = pytest.mark.browser


NARROWEST, WIDEST = 320, 1280
LOOKS: dict[str, dict[str, str]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "contrast": {"color_scheme": "light", "contrast": "more"},
    "dark contrast": {"color_scheme": "dark", "contrast": "more"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}
# On a busy machine they pass before all looks have been taken, so they are reached once more.
PASSING = {"loading", "throttled"}
AS_IT_IS = {"color_scheme": "light", "contrast": "no-preference", "forced_colors": "none"}


@pytest.fixture(autouse=True)
def _reached(
    request: pytest.FixtureRequest,
    till: Till,
    panel: Panel,
    sandbox: Sandbox,
    viewport: ViewportSize,
) -> None:
    """The till is in the state that the test is named for, and that is fit to be seen."""
    name = request.node.originalname.removeprefix("test_")
    panel.database.delay_points(STATES[name].delayed)
    STATES[name].reach(till, sandbox)
    found = [line for look in LOOKS for line in complaints_in(till.page, look)]
    assert not found, "\n".join(found)
    for width in (NARROWEST, WIDEST):
        till.page.set_viewport_size({"width": width, "height": 640})
        expect_it_fits(till.page)
    till.page.set_viewport_size(viewport)
    if name in PASSING:
        till.let_go()
        STATES[name].reach(till.open(), sandbox)


def complaints_in(page: Page, look: str) -> list[str]:
    page.emulate_media(**AS_IT_IS | LOOKS[look])
    try:
        found = complaints(page, of_colour_only=look != "light")
        return [f"{look}: {line}" for line in found]
    finally:
        page.emulate_media(**AS_IT_IS)


def test_empty(till: Till):
    start = till.page.get_by_role("region", name="Start")
    expect(start).to_contain_text("Ask for an email or a phone number")
    expect(start).to_contain_text("Press New member")
    expect(till.next_button).to_be_hidden()
    till.look_up_mara()
    expect(start).to_have_count(0)


@pytest.mark.provokes("no connection")
def test_loading(till: Till, sandbox: Sandbox):
    expect(till.busy).to_have_text("Asking the loyalty system…")
    expect(till.stop_button).to_be_hidden()
    # The member before is still drawn, and nobody can act on her.
    expect(till.page.locator("#result")).to_have_attribute("inert", "")
    till.look_up_button.press("Tab")
    expect(till.new_member_button).to_be_focused()
    till.query.fill("pia@example.com")
    till.query.press("Enter")
    expect(till.member.get_by_role("heading", name="Pia Lindqvist")).to_be_visible()
    expect(till.busy).to_be_empty()
    till.let_go()
    expect(till.member.get_by_role("heading", name="Pia Lindqvist")).to_be_visible()


def test_found(till: Till, sandbox: Sandbox):
    till.expect_points("640")
    expect(till.spoken).to_have_text("Mara Quill. 640 points.")
    till.redeemed("$5 off")
    assert sandbox.balance(MARA) == 140


@pytest.mark.provokes(404)
def test_not_found(till: Till):
    expect(till.not_found.get_by_role("heading", name="never.seen@example.com")).to_be_visible()
    words = "Nobody has this email in the loyalty programme. Check the spelling"
    expect(till.not_found).to_contain_text(words)
    expect(till.spoken).to_contain_text(words)
    till.page.get_by_role("button", name="Enrol this customer").click()
    expect(till.email).to_have_value("never.seen@example.com")


@pytest.mark.provokes(422)
def test_incomplete_number(till: Till, sandbox: Sandbox):
    till.expect_alert("That phone number is incomplete: add the area code.")
    expect(till.query).to_have_attribute("aria-invalid", "true")
    expect(till.query).to_have_accessible_description(re.compile("add the area code"))
    assert sandbox.call_counts() == {}
    till.query.press("Home")
    till.query.press_sequentially("415 ")
    expect(till.query).not_to_have_attribute("aria-invalid", "true")
    till.query.press("Enter")
    expect(till.member.get_by_role("heading", name="Mara Quill")).to_be_visible()
    till.expect_no_alert()


def test_opted_out(till: Till):
    till.expect_points("700")
    expect(till.member).to_contain_text("This person has left the loyalty programme")
    expect(till.member).to_contain_text("They can join again online")
    expect(till.offer_buttons).to_have_count(0)
    till.query.fill(MARA)
    till.look_up_again_button.click()
    till.expect_points("640")


def test_no_email(till: Till):
    till.expect_points("1,150")
    expect(till.member).to_contain_text(
        "The loyalty programme has no email for this person, so nothing can be redeemed. "
        "Ask for their email and enrol them with it."
    )
    expect(till.offer_buttons).to_have_count(0)
    till.member.get_by_role("button", name="Enrol with an email").click()
    expect(till.phone).to_have_value("(404) 555-0112")


def test_too_few_points(till: Till, sandbox: Sandbox):
    till.expect_points("0")
    expect(till.offers).to_contain_text("Too few points for a reward yet.")
    nearest = till.offers.get_by_role("listitem").first
    expect(nearest).to_have_text(re.compile(r"Tote bag voucher\s+300 points missing"))
    expect(till.offer_buttons).to_have_count(0)
    till.next_button.click()
    till.look_up_mara()


def test_nothing_to_redeem(till: Till, sandbox: Sandbox):
    expect(till.offers).to_contain_text("There is nothing to redeem in the store at present.")
    expect(till.offers).to_contain_text("go on with the sale")
    sandbox.clear_faults()
    till.look_up_again_button.click()
    expect(till.offer("$5 off")).to_be_visible()


@pytest.mark.provokes("no connection")
def test_engine_slow(till: Till, sandbox: Sandbox):
    expect(till.busy).to_have_text(
        "The loyalty system is slow just now. Wait for it, or stop and look up again."
    )
    till.stop_button.click()
    expect(till.page.get_by_role("region", name="Start")).to_be_visible()
    expect(till.busy).to_be_empty()
    expect(till.query).to_be_focused()
    till.query.press("Enter")
    till.expect_points("640")


@pytest.mark.provokes(503)
def test_engine_down(till: Till, sandbox: Sandbox):
    till.expect_alert("The loyalty system can't be reached. Nothing was changed. Try again.")
    sandbox.clear_faults()
    sandbox.add_member(email=till.query.input_value(), first_name="Stella", points=700)
    till.try_again_button.click()
    till.expect_points("700")
    till.expect_no_alert()


@pytest.mark.provokes(429)
def test_throttled(till: Till, sandbox: Sandbox):
    till.expect_alert("The loyalty system is busy. Wait 2 seconds, then try again.")
    expect(till.try_again_button).to_be_disabled()
    expect(till.try_again_button).to_be_enabled()
    till.try_again_button.click()
    till.expect_points("640")
    till.expect_no_alert()


def test_question(till: Till, sandbox: Sandbox):
    expect(till.dialog).to_contain_text("Mara Quill")
    expect(till.dialog).to_contain_text("Redeem Points for dollars?")
    expect(till.dialog).to_contain_text("Worth $2.50")
    till.cancel_button.click()
    expect(till.offer("Points for dollars")).to_be_focused()
    till.redeemed("Points for dollars", points="250")
    assert sandbox.balance(MARA) == 390


def test_code_shown(till: Till, sandbox: Sandbox):
    code = till.shown_code()
    expect(till.spoken).to_contain_text(f"$5 off. 500 points taken just now. {code}.")
    expect(till.coupon).to_contain_text("Undo gives the points back.")
    till.undo()
    expect(till.coupon).to_contain_text("500 points are back.")
    assert sandbox.balance(MARA) == 640


def test_code_open_already(till: Till, sandbox: Sandbox):
    (made,) = sandbox.redemptions()
    expect(till.dialog).to_contain_text("There is an open code for this offer already")
    expect(till.dialog).to_contain_text(made["code"])
    till.dialog.get_by_role("button", name="Show that code").click()
    expect(till.dialog).to_have_count(0)
    expect(till.code).to_have_text(made["code"])
    assert len(sandbox.redemptions()) == 1


def test_delayed_code_shown(till: Till, sandbox: Sandbox):
    till.shown_code()
    expect(till.spoken).to_contain_text("500 points go when the sale is complete")
    expect(till.member).to_contain_text("500 points of them wait for a sale")
    expect(till.offer("$5 off")).to_have_accessible_description("Ends the open code")
    assert sandbox.balance(MARA) == 640


def test_delayed_code_open_already(till: Till, sandbox: Sandbox):
    (made,) = sandbox.redemptions()
    expect(till.dialog).to_contain_text(f"This ends code {made['code']}")
    expect(till.dialog).to_contain_text("140 will be left")
    till.dialog.get_by_role("button", name="End it and redeem").click()
    expect(till.code).not_to_have_text(made["code"])
    assert sandbox.balance(MARA) == 640


def test_code_ended(till: Till, sandbox: Sandbox):
    expect(till.coupon).to_contain_text("The code no longer counts.")
    till.redeemed("$5 off")
    assert sandbox.balance(MARA) == 640


@pytest.mark.provokes(422)
def test_pool_empty(till: Till, sandbox: Sandbox):
    till.expect_alert(
        "There are no codes left for Tote bag voucher. No points were taken. "
        "Offer something else, and tell your manager, who can load new codes."
    )
    assert sandbox.balance(MARA) == 640
    till.redeemed("$5 off")
    till.expect_no_alert()


def test_reply_lost(till: Till, sandbox: Sandbox):
    till.expect_waiting()
    expect(till.coupon).to_contain_text("You may look up somebody else meanwhile")
    expect(till.offer_buttons).to_have_count(0)
    till.look_up(RUTH, RUTHS_NAME)
    till.look_up_mara()
    expect(till.pending).to_contain_text("500 points · being checked · just now")
    till.pending.get_by_role("button", name="Show $5 off").click()
    till.undo()
    expect(till.coupon).to_contain_text("If it did, the points go back at once.")
    sandbox.clear_faults()
    expect(till.coupon).to_contain_text("500 points are back.")
    assert sandbox.balance(MARA) == 640


def test_disputed(till: Till):
    words = "We can't tell what came of this. Ask a manager before you do anything else with it."
    expect(till.coupon).to_contain_text(words)
    expect(till.spoken).to_contain_text(words)
    expect(till.coupon).to_contain_text("Go on with the sale without it.")
    expect(till.code).to_have_count(0)
    till.look_up_again_button.click()
    expect(till.coupon).to_have_count(0)
    expect(till.offer("$5 off")).to_be_visible()


def test_undone(till: Till, sandbox: Sandbox):
    expect(till.spoken).to_have_text("Undone. 500 points are back. The code no longer counts.")
    till.next_button.click()
    expect(till.main.get_by_text("Mara")).to_have_count(0)
    expect(till.query).to_have_value("")
    expect(till.query).to_be_focused()


def test_undo_under_way(till: Till, sandbox: Sandbox):
    expect(till.coupon).to_contain_text("Undo is under way")
    expect(till.coupon).to_contain_text("The points come back by themselves.")
    expect(till.code).to_have_count(0)
    till.look_up(RUTH, RUTHS_NAME)
    till.look_up_mara()
    expect(till.pending).to_contain_text("being undone")
    sandbox.clear_faults()
    till.pending.get_by_role("button", name="Show $5 off").click()
    expect(till.coupon).to_contain_text("500 points are back.")
    assert sandbox.balance(MARA) == 640


@pytest.mark.provokes(409)
def test_undo_refused(till: Till, sandbox: Sandbox):
    till.expect_alert("A manager must look at this redemption before anything else is done.")
    expect(till.coupon).to_contain_text("The points were not given back")
    expect(till.coupon).to_contain_text("do not take it")
    expect(till.undo_button).to_have_count(0)
    expect(till.page.get_by_role("img", name="Barcode")).to_have_count(0)
    till.look_up_again_button.click()
    expect(till.coupon).to_have_count(0)
    till.expect_points("140")
    assert sandbox.call_counts()[CANCELLATION] == 1


def test_points_history(till: Till):
    expect(till.dialog).to_contain_text(RUTHS_NAME)
    expect(till.page.get_by_role("heading", name="Points history")).to_be_focused()
    undone, online, sale = (till.changes.get_by_role("listitem").nth(place) for place in range(3))
    expect(online).to_contain_text("Online: code")
    expect(undone).to_contain_text("spent by Ana Pardo at Till 1, Harbor Street, Boston, undone")
    expect(sale).to_contain_text("Sale 109001 in Harbor Street, Boston, 84 points")
    till.dialog.get_by_text(re.compile(r"^\d+ older$")).press("Enter")
    expect(till.dialog.get_by_role("list", name="Older changes")).to_be_visible()
    sale.get_by_role("button", name="Why these points for sale 109001").press("Enter")
    expect(till.page.get_by_role("heading", name="Sale 109001")).to_be_focused()
    expect(till.dialog).to_contain_text("Member: r•••@example.com")
    till.page.keyboard.press("Escape")
    expect(till.dialog).to_have_count(0)
    expect(till.history_button).to_be_focused()


def test_points_history_away(till: Till, sandbox: Sandbox):
    expect(till.dialog.get_by_role("alert")).to_contain_text("These are our own records")
    expect(till.changes).to_contain_text("500 points spent by Ana Pardo")
    sandbox.clear_faults()
    till.dialog.get_by_role("button", name="Try again").click()
    expect(till.dialog).to_contain_text("24,500 points now")
    expect(till.dialog.get_by_role("alert")).to_have_count(0)


def test_points_history_empty(till: Till):
    till.close_button.click()
    expect(till.dialog).to_have_count(0)
    expect(till.history_button).to_be_focused()


def test_sale_shown(till: Till):
    expect(till.dialog).to_contain_text("$84.00")
    expect(till.dialog).to_contain_text("Till 1, Harbor Street, Boston · Ana Pardo")
    till.close_button.click()
    expect(till.find_sale_button).to_be_focused()


@pytest.mark.provokes(422)
def test_refund_preview(till: Till, sandbox: Sandbox):
    told = till.dialog.locator("#refund-preview")
    expect(told).to_contain_text(re.compile(r"Taken back\s*21 points"))
    expect(told).to_contain_text(re.compile(r"Balance after\s*703 points"))
    expect(told).to_contain_text("An estimate; nothing was changed.")
    expect(told).to_be_in_viewport()
    till.dialog.get_by_role("textbox", name="Amount to refund").fill("90")
    till.page.keyboard.press("Enter")
    expect(told).to_contain_text("Of this sale $84.00 is left to refund")
    assert "POST /refunds" not in sandbox.call_counts()


@pytest.mark.provokes(404)
def test_no_such_sale(till: Till):
    expect(till.sale_number).to_be_focused()
    expect(till.sale_number).to_have_attribute("aria-invalid", "true")
    expect(till.sale_number).to_have_accessible_description(re.compile("No sale of this number"))
    till.cancel_button.click()
    expect(till.dialog).to_have_count(0)


def test_sale_to_add(till: Till):
    expect(till.dialog).to_contain_text("Add this sale to Mara Quill?")
    expect(till.dialog).to_contain_text("It names no member")
    till.close_button.click()
    expect(till.add_sale_button).to_be_focused()


def test_sale_added(till: Till):
    expect(till.page.get_by_role("heading", name="Sale 109001 is added")).to_be_focused()
    till.page.keyboard.press("Escape")
    expect(till.add_sale_button).to_be_focused()
    till.history_button.click()
    expect(till.changes).to_contain_text("The loyalty system has not been told of it yet.")


def test_enrolment_form(till: Till):
    expect(till.email).to_have_value(NEW)
    expect(till.enrolment).to_contain_text("That phone number is incomplete: add the area code.")
    till.phone.fill("(415) 555-0188")
    till.enrol_button.click()
    expect(till.main.get_by_text("Welcome! The new member is enrolled.")).to_be_visible()


def test_enrolling(till: Till, sandbox: Sandbox):
    expect(till.enrolment.get_by_role("progressbar")).to_be_visible()
    expect(till.spoken).to_have_text("Enrolling Nova. The loyalty system needs a few seconds.")
    expect(till.enrolment).to_contain_text("You may go on with the sale")
    till.next_button.click()
    till.look_up_mara()
    assert sandbox.call_counts()["POST /customers"] == 1


def test_enrolment_kept(till: Till, sandbox: Sandbox):
    expect(till.enrolment.get_by_role("heading", name="Nova")).to_be_visible()
    expect(till.spoken).to_contain_text("The enrolment is kept")
    expect(till.enrolment).to_contain_text("Go on with the sale; nobody has to be enrolled again.")
    sandbox.clear_faults()
    till.next_button.click()
    till.look_up_mara()


@pytest.mark.provokes(401)
def test_session_over(till: Till):
    till.expect_alert("This panel's session is over. Reload it to go on.")
    expect(till.page.locator("#query")).to_have_value("")
    expect(till.look_up_button).to_be_hidden()
    expect(till.page.get_by_role("button", name="Reload")).to_be_focused()
    till.page.get_by_role("button", name="Reload").click()
    expect(till.page.get_by_text("Ana Pardo · Till 1")).to_be_visible()
    till.look_up_mara()
