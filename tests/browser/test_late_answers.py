"""An answer that comes late never takes the place of what is on the screen by then."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.held import Held
from tests.browser.till import Till

pytestmark = pytest.mark.browser

REFRESH = "**/panel/demo/members/*"


def test_figures_of_one_member_never_land_on_another(till: Till):
    till.look_up_mara()
    held = Held(till.page, REFRESH)
    till.redeemed("$5 off")
    held.wait()
    till.look_up("ruth@example.com", "Ruth Okafor")
    held.let_go()
    expect(till.member).to_contain_text("Ruth Okafor")
    expect(till.pending).to_have_count(0)
    till.expect_points("25,000")


def test_older_figures_never_replace_newer_ones(till: Till):
    till.look_up_mara()
    held = Held(till.page, REFRESH)
    till.redeemed("$5 off")
    held.wait()
    held.answer_later()
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")
    held.answer_now()
    till.expect_points("640")


def test_a_dialog_of_one_member_never_opens_over_another(till: Till):
    till.look_up_mara()
    held = Held(till.page, "**/ask")
    till.offer("$5 off").click()
    held.wait()
    till.look_up("ruth@example.com", "Ruth Okafor")
    held.let_go()
    expect(till.dialog).to_have_count(0)


def test_a_dialog_opens_though_the_figures_were_drawn_anew_meanwhile(till: Till):
    till.look_up("ruth@example.com", "Ruth Okafor")
    refresh = Held(till.page, REFRESH)
    till.redeemed("$5 off")
    refresh.wait()
    ask = Held(till.page, "**/ask")
    till.offer("$10 off").click()
    ask.wait()
    refresh.let_go()
    till.expect_points("24,500")
    ask.let_go()
    expect(till.page.get_by_role("dialog", name="Redeem $10 off?")).to_be_visible()


def test_an_undo_counts_though_the_waiting_screen_was_drawn_anew_meanwhile(
    till: Till, sandbox: Sandbox
):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    undo = Held(till.page, "**/undo")
    till.undo()
    undo.wait()
    till.shown_code()
    undo.let_go()
    expect(till.coupon).to_contain_text("500 points are back.")
    expect(till.code).to_have_count(0)
    till.expect_points("640")


def test_a_code_of_one_member_is_not_shown_under_another(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    held = Held(till.page, "**/redeem")
    till.redeem("$5 off")
    held.wait()
    till.page.keyboard.press("Escape")
    till.look_up("ruth@example.com", "Ruth Okafor")
    held.let_go()
    expect(till.coupon).to_have_count(0)
    expect(till.member).to_contain_text("Ruth Okafor")

    till.look_up_mara()
    expect(till.pending).to_contain_text("$5 off")
    assert len(sandbox.redemptions()) == 1


def test_while_one_dialog_still_asks_no_other_opens(till: Till):
    till.look_up_mara()
    held = Held(till.page, "**/redeem")
    till.redeem("$5 off")
    held.wait()
    till.page.keyboard.press("Escape")
    till.offer("Tote bag voucher").click()
    expect(till.dialog).to_be_hidden()
    held.let_go()
    till.shown_code()
    till.expect_points("140")


def test_the_wait_for_a_new_member_never_pushes_another_one_away(till: Till, sandbox: Sandbox):
    sandbox.switch(new_customer_delay_seconds=600)
    till.start_enrolment()
    till.email.fill("new.person@example.com")
    held = Held(till.page, "**/enrol/wait")
    till.enrol_button.click()
    held.wait()
    till.look_up_mara()
    held.let_go()
    expect(till.enrolment).to_have_count(0)
    till.expect_points("640")


@pytest.mark.provokes("no connection")
def test_a_look_up_never_pushes_a_form_away_that_was_opened_after_it(till: Till):
    held = Held(till.page, "**/lookup")
    till.ask("mara@example.com")
    held.wait()
    held.answer_later()
    till.start_enrolment()
    till.first_name.fill("Nova")
    held.answer_now()
    expect(till.first_name).to_have_value("Nova")
    expect(till.member).to_have_count(0)


def test_a_slow_history_keeps_nobody_and_opens_over_no_other_dialog(till: Till):
    till.look_up_mara()
    held = Held(till.page, "**/points")
    till.history_button.click()
    held.wait()
    expect(till.busy).to_contain_text("slow just now")
    till.choose("$5 off")
    held.let_go()
    expect(till.page.get_by_role("dialog", name="Redeem $5 off?")).to_be_visible()
    expect(till.busy).to_be_empty()
    till.redeem_button.click()
    till.shown_code()
    expect(till.dialog).to_have_count(0)
