"""Points into a coupon code: the dialog, the code, and only one of it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from sandbox.control import Sandbox
from tests.browser.fit import expect_it_fits
from tests.browser.held import Held
from tests.browser.till import Till
from tests.support.offers import five_off, list_offers
from tests.support.servers import Database
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"


def test_a_fixed_offer_becomes_a_code(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    dialog = till.choose("$5 off")
    expect(dialog).to_contain_text("500 points for $5.00; 140 will be left.")
    till.redeem_button.click()

    code = till.shown_code()
    expect(dialog).to_have_count(0)
    expect(till.coupon).to_contain_text("Takes $5.00 off")
    till.expect_points("140")
    (made,) = sandbox.redemptions()
    assert (made["code"], made["points"]) == (code, 500)
    assert sandbox.balance(MARA) == 140


def test_a_variable_offer_takes_as_many_points_as_were_typed(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    code = till.redeemed("Points for dollars", points="125")
    expect(till.coupon).to_contain_text("Takes $1.25 off")
    till.expect_points("515")
    (made,) = sandbox.redemptions()
    assert (made["code"], made["points"]) == (code, 125)


def test_a_custom_offer_gives_a_code_of_its_pool(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    code = till.redeemed("Tote bag voucher")
    assert code.startswith("TOTE")
    till.expect_points("340")
    (made,) = sandbox.redemptions()
    assert (made["code"], made["points"]) == (code, 300)


def test_a_variable_offer_tells_its_worth_while_typing(till: Till):
    till.look_up_mara()
    dialog = till.choose("Points for dollars")
    expect(dialog).to_contain_text("1 to 640")
    till.points_field.press_sequentially("64")
    expect(dialog).to_contain_text("Worth $0.64")
    till.points_field.press_sequentially("0")
    expect(dialog).to_contain_text("Worth $6.40")


@pytest.mark.parametrize(
    "typed",
    ["0", "641", "-5", "1.5", "ten", "999999999999"],
    ids=["none", "one-too-many", "negative", "fraction", "word", "huge"],
)
def test_points_out_of_bounds_are_called_so_while_typing(till: Till, typed: str):
    till.look_up_mara()
    dialog = till.choose("Points for dollars")
    till.points_field.fill(typed)
    expect(dialog).to_contain_text("Type a whole number from 1 to 640.")


WHOLE = "Type how many points to spend: a whole number, 1 or more."


@pytest.mark.provokes(422)
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("641", "There are only 640 points."),
        ("0", WHOLE),
        ("1.5", WHOLE),
        ("ten", WHOLE),
        ("", WHOLE),
    ],
    ids=["one-too-many", "none", "fraction", "letters", "nothing"],
)
def test_a_mistyped_number_of_points_is_mended_in_the_dialog(
    till: Till, sandbox: Sandbox, typed: str, words: str
):
    till.look_up_mara()
    till.redeem("Points for dollars", points=typed)
    expect(till.points_field).to_have_attribute("aria-invalid", "true")
    expect(till.points_field).to_have_accessible_description(re.compile(re.escape(words)))
    expect(till.points_field).to_have_value(typed)
    expect(till.points_field).to_be_focused()
    expect(till.dialog).to_contain_text("Mara Quill")
    expect(till.dialog).to_contain_text(words)
    expect_it_fits(till.page)
    till.expect_no_alert()
    assert sandbox.balance(MARA) == 640

    till.points_field.fill("64")
    expect(till.points_field).not_to_have_attribute("aria-invalid", "true")
    expect(till.dialog).not_to_contain_text(words)
    expect(till.dialog).to_contain_text("Worth $0.64")
    till.page.keyboard.press("Enter")
    till.shown_code()
    expect(till.dialog).to_have_count(0)
    assert sandbox.balance(MARA) == 576


@pytest.mark.provokes(422)
def test_a_mistyped_number_beside_an_open_code_keeps_the_focus(till: Till):
    till.look_up_mara()
    code = till.redeemed("Points for dollars", points="100")
    till.expect_points("540")
    till.choose("Points for dollars")
    till.points_field.fill("ten")
    till.another_button.click()
    expect(till.dialog).to_contain_text("Type how many points to spend")
    expect(till.dialog).to_contain_text(code)
    expect(till.points_field).to_be_focused()


@pytest.mark.provokes(409)
def test_a_price_that_changed_is_asked_about_again(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.choose("$5 off")
    list_offers(sandbox, five_off(600))
    till.redeem_button.click()
    till.expect_alert("The price has changed: it is 600 points now. Nothing was spent.")
    expect(till.dialog).to_contain_text("600 points for $5.00; 40 will be left.")
    expect(till.dialog).to_contain_text("Mara Quill")
    assert sandbox.balance(MARA) == 640

    till.redeem_button.click()
    expect(till.coupon).to_contain_text("600 points taken")


def test_all_points_can_be_spent_to_the_last_one(till: Till):
    till.look_up("ada@example.com", "Ada Exact")
    till.redeemed("$5 off")
    till.expect_points("0")
    expect(till.offer_buttons).to_have_count(0)


def test_cancel_spends_nothing(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.choose("$5 off")
    till.cancel_button.click()
    expect(till.dialog).to_have_count(0)
    expect(till.coupon).to_have_count(0)
    assert sandbox.redemptions() == []


def test_enter_in_the_points_field_redeems(till: Till):
    till.look_up_mara()
    till.choose("Points for dollars")
    expect(till.points_field).to_be_focused()
    till.page.keyboard.type("100")
    till.page.keyboard.press("Enter")
    till.shown_code()
    till.expect_points("540")


def test_a_double_click_makes_one_redemption(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "slow", seconds=0.5)
    till.look_up_mara()
    till.choose("$5 off")
    till.redeem_button.dblclick()
    till.shown_code()
    till.expect_points("140")
    assert sandbox.call_counts()["POST /redemptions"] == 1


def test_two_clicks_in_one_moment_make_one_redemption(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.choose("$5 off")
    till.redeem_button.evaluate("button => { button.click(); button.click(); }")
    till.shown_code()
    till.expect_points("140")
    assert sandbox.call_counts()["POST /redemptions"] == 1


@pytest.mark.provokes(409)
def test_the_second_tab_is_asked_about_the_open_code(
    till: Till, second_till: Callable[[], Till], sandbox: Sandbox
):
    other = second_till().look_up("ruth@example.com", "Ruth Okafor")
    other.choose("$5 off")
    till.look_up("ruth@example.com", "Ruth Okafor")
    code = till.redeemed("$5 off")

    other.redeem_button.click()
    expect(other.dialog).to_contain_text("There is an open code for this offer already")
    expect(other.dialog).to_contain_text(code)
    other.cancel_button.click()
    expect(other.dialog).to_have_count(0)
    assert len(sandbox.redemptions()) == 1


def test_another_code_is_made_when_it_is_really_wanted(till: Till, sandbox: Sandbox):
    till.look_up("ruth@example.com", "Ruth Okafor")
    first = till.redeemed("$5 off")
    till.expect_points("24,500")
    expect(till.choose("$5 off")).to_contain_text(first)
    till.another_button.click()
    expect(till.code).not_to_have_text(first)
    till.expect_points("24,000")
    assert len(sandbox.redemptions()) == 2


@pytest.mark.provokes(409)
def test_two_tabs_cannot_redeem_for_one_member_at_the_same_time(
    till: Till, second_till: Callable[[], Till], sandbox: Sandbox, database: Database
):
    other = second_till().look_up("ruth@example.com", "Ruth Okafor")
    other.choose("$10 off")
    till.look_up("ruth@example.com", "Ruth Okafor")
    sandbox.fault("POST /redemptions", "slow", seconds=60)
    till.redeem("$5 off")
    until(lambda: database.states() == ["requested"], "written down")

    other.redeem_button.click()
    other.expect_alert("Another redemption of this member has not ended yet.")
    sandbox.clear_faults()
    till.shown_code()
    assert len(sandbox.redemptions()) == 1


def test_closing_the_dialog_while_it_works_loses_nothing(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "slow", seconds=60)
    till.look_up_mara()
    till.redeem("$5 off")
    expect(till.dialog.get_by_text("Redeeming…")).to_be_visible()
    till.page.keyboard.press("Escape")
    expect(till.dialog).to_be_hidden()
    sandbox.clear_faults()
    till.shown_code()
    till.expect_points("140")


@pytest.mark.provokes(422)
def test_closing_the_dialog_while_it_works_hides_no_refusal(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    held = Held(till.page, "**/redeem")
    till.redeem("$5 off")
    held.wait()
    till.page.keyboard.press("Escape")
    expect(till.dialog).to_be_hidden()
    sandbox.adjust(MARA, -600)
    held.let_go()
    till.expect_alert("That takes 460 more points than the 40 there are.")
    expect(till.dialog).to_have_count(0)


@pytest.mark.provokes("no connection")
def test_closing_the_dialog_while_it_works_hides_no_failure(till: Till):
    till.look_up_mara()
    held = Held(till.page, "**/redeem")
    till.redeem("$5 off")
    held.wait()
    till.page.keyboard.press("Escape")
    held.break_off()
    till.expect_alert("No answer. Check the network, then try again: nothing is done twice.")


def test_the_code_is_shown_as_text_barcode_and_qr(till: Till):
    till.look_up_mara()
    code = till.redeemed("$5 off")
    assert re.fullmatch(r"LP-[0-9A-Z-]+", code)
    barcode = till.coupon.get_by_role("img", name="Barcode")
    expect(barcode).to_be_visible()
    assert barcode.bounding_box()["width"] > 250
    till.coupon.get_by_text("QR code", exact=True).first.click()
    qr = till.coupon.get_by_role("img", name="QR code")
    expect(qr).to_be_visible()
    assert qr.bounding_box()["width"] >= 150


def test_copy_puts_the_code_on_the_clipboard(till: Till, context: BrowserContext):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    till.look_up_mara()
    code = till.redeemed("$5 off")
    till.coupon.get_by_role("button", name="Copy", exact=True).click()
    expect(till.coupon.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert till.page.evaluate("navigator.clipboard.readText()") == code


def test_copy_selects_the_code_where_the_clipboard_is_forbidden(till: Till):
    till.look_up_mara()
    code = till.redeemed("$5 off")
    till.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    till.coupon.get_by_role("button", name="Copy", exact=True).click()
    expect(till.coupon.get_by_role("button", name="Selected: press Ctrl+C")).to_be_visible()
    assert till.page.evaluate("getSelection().toString().trim()") == code


def test_an_open_code_is_listed_with_its_age_and_can_be_opened_again(
    till: Till, database: Database
):
    till.look_up_mara()
    code = till.redeemed("$5 off")
    database.execute(
        "UPDATE redemptions_pendingredemption SET requested_at = datetime('now', '-5 minutes')"
    )
    till.look_up_mara()
    expect(till.coupon).to_have_count(0)
    expect(till.pending).to_contain_text(code)
    expect(till.pending).to_contain_text(f"500 points · {code} · open · 5 min ago")

    till.pending.get_by_role("button", name="Show $5 off, 5 min ago").click()
    expect(till.code).to_have_text(code)


def test_the_pending_list_names_every_open_code(till: Till):
    till.look_up("ruth@example.com", "Ruth Okafor")
    codes = [till.redeemed("$5 off")]
    till.expect_points("24,500")
    till.redeem("$10 off")
    expect(till.code).not_to_have_text(codes[0])
    codes.append(till.shown_code())
    expect(till.pending.get_by_role("listitem")).to_have_count(2)
    for code in codes:
        expect(till.pending).to_contain_text(code)
