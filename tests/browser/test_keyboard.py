"""The whole job by keyboard alone, by the names that a reader of the screen hears."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from sandbox.control import Sandbox
from tests.browser.states import MARA, NEW
from tests.browser.till import Till

pytestmark = pytest.mark.browser

# More Tabs than the longest screen has places.
FAR = 40


def tab_to(till: Till, name: str) -> None:
    """Forwards from where the focus is; the place must come before the page ends."""
    for _ in range(FAR):
        till.page.keyboard.press("Tab")
        if till.focused_name() == name:
            return
    pytest.fail(f"No Tab leads to {name}.")


def look_up(till: Till) -> None:
    tab_to(till, "Email or phone")
    till.page.keyboard.type(MARA)
    till.page.keyboard.press("Enter")
    expect(till.spoken).to_have_text("Mara Quill. 640 points.")


def redeem(till: Till) -> str:
    tab_to(till, "Redeem $5 off")
    till.page.keyboard.press("Enter")
    expect(till.page.get_by_role("dialog", name="Redeem $5 off?")).to_be_visible()
    expect(till.dialog).to_contain_text("Mara Quill")
    tab_to(till, "Redeem")
    till.page.keyboard.press("Enter")
    code = till.shown_code()
    expect(till.spoken).to_have_text(f"$5 off. 500 points taken just now. {code}.")
    return code


def copy(till: Till) -> None:
    tab_to(till, "Copy")
    till.page.keyboard.press("Enter")
    expect(till.spoken).to_have_text("Copied")


def undo(till: Till) -> None:
    tab_to(till, "Undo")
    till.page.keyboard.press("Enter")
    expect(till.spoken).to_have_text("Undone. 500 points are back. The code no longer counts.")


def enrol(till: Till) -> None:
    tab_to(till, "New member")
    till.page.keyboard.press("Enter")
    expect(till.spoken).to_have_text("New member.")
    for _ in range(FAR):
        if till.focused_name() == "Email":
            break
        till.page.keyboard.press("Shift+Tab")
    till.page.keyboard.press("Control+A")
    till.page.keyboard.type(NEW)
    tab_to(till, "First name")
    till.page.keyboard.type("Nova")
    tab_to(till, "Enrol")
    till.page.keyboard.press("Enter")
    expect(till.spoken).to_have_text("Welcome! The new member is enrolled. Nova. 0 points.")


def test_look_up_redeem_copy_undo_and_enrol(till: Till, sandbox: Sandbox, context: BrowserContext):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    look_up(till)
    code = redeem(till)
    expect(till.coupon).to_be_focused()
    copy(till)
    assert till.page.evaluate("navigator.clipboard.readText()") == code
    undo(till)
    expect(till.coupon).to_be_focused()
    assert sandbox.balance(MARA) == 640
    enrol(till)
    assert till.focused() != "body"


def test_a_dialog_gives_the_focus_back(till: Till):
    till.look_up_mara()
    for way_out in ("Escape", "Enter"):
        till.choose("$5 off")
        if way_out == "Enter":
            till.cancel_button.focus()
        till.page.keyboard.press(way_out)
        expect(till.dialog).to_have_count(0)
        expect(till.offer("$5 off")).to_be_focused()


def test_a_code_that_was_asked_for_has_the_focus_though_its_button_is_gone(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    till.expect_points("140")
    expect(till.coupon).to_be_focused()


def test_a_waiting_screen_that_is_drawn_anew_keeps_the_focus(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.undo_button.focus()
    till.shown_code()
    expect(till.coupon).to_be_focused()


@pytest.mark.provokes(503)
def test_after_a_failure_the_focus_is_at_the_way_out(till: Till, sandbox: Sandbox):
    sandbox.fault("*", "drop_before", times=None)
    till.ask("never.seen@example.com")
    till.expect_alert("can't be reached")
    expect(till.page.locator(".htmx-settling")).to_have_count(0)
    till.try_again_button.press("Enter")
    till.expect_alert("can't be reached")
    expect(till.try_again_button).to_be_focused()


@pytest.mark.provokes(422)
def test_an_enrolment_with_errors_keeps_the_focus_in_its_form(till: Till):
    till.start_enrolment()
    till.enrol_button.press("Enter")
    till.expect_alert("Please check what is marked below.")
    expect(till.enrolment).to_be_focused()


def test_a_click_beside_everything_brings_no_focus_back(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.page.get_by_text(re.compile("Ana Pardo")).click()
    till.shown_code()
    till.expect_points("140")
    assert till.focused() == "body"
