"""While the panel waits it says so, not too early, and nothing moves meanwhile."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.states import MARA, RUTH, RUTHS_NAME
from tests.browser.till import Till

pytestmark = pytest.mark.browser

SAID_AFTER_MS, SLOW_AFTER_MS = 150, 2000
# What it shall say, and after which time it was set to: on a busy machine it may be later.
WATCH = """
    window.said = [];
    window.delays = [];
    const set = window.setTimeout;
    window.setTimeout = (act, ms, ...more) => {
        delays.push(ms);
        return set(act, ms, ...more);
    };
    const busy = document.getElementById("busy");
    new MutationObserver(() => { if (busy.textContent) said.push(busy.textContent); })
        .observe(busy, {childList: true});
"""
PLACES = """
    ["#query", "#member h2", "#offers", "footer"].map((each) => {
        const box = document.querySelector(each).getBoundingClientRect();
        return [each, box.x, box.y, box.width, box.height];
    })
"""


def test_that_it_asks_is_said_after_a_blink_and_that_it_is_slow_after_two_seconds(till: Till):
    till.page.evaluate(f"() => {{ {WATCH} }}")
    till.hold("**/lookup")
    till.ask(MARA)
    expect(till.busy).to_contain_text("slow just now")
    asking, slow = till.page.evaluate("said")
    assert "Asking" in asking and "slow just now" in slow
    assert {SAID_AFTER_MS, SLOW_AFTER_MS} <= set(till.page.evaluate("delays"))


def test_nothing_moves_while_it_asks(till: Till):
    till.look_up_mara()
    before = till.page.evaluate(PLACES)
    till.hold("**/lookup")
    till.ask(RUTH)
    expect(till.busy).to_contain_text("Asking")
    assert till.page.evaluate(PLACES) == before
    expect(till.busy).to_contain_text("slow just now")
    assert till.page.evaluate(PLACES) == before


@pytest.mark.provokes("no connection")
def test_enter_asks_while_another_question_is_under_way(till: Till):
    held = till.hold("**/lookup")
    till.ask(MARA)
    held.wait()
    expect(till.look_up_button).to_be_enabled()
    till.query.fill(RUTH)
    with till.page.expect_event("requestfailed"):
        till.query.press("Enter")
    expect(till.member.get_by_role("heading", name=RUTHS_NAME)).to_be_visible()


def test_a_redemption_that_takes_long_asks_for_patience(till: Till, sandbox: Sandbox):
    held = till.hold("**/redeem")
    till.look_up_mara()
    till.redeem("$5 off")
    held.wait()
    expect(till.dialog.get_by_text("Redeeming…")).to_be_visible()
    expect(till.dialog).to_contain_text("Please wait: nothing is done twice.")
    expect(till.stop_button).to_be_hidden()
    held.let_go()
    till.shown_code()
    assert len(sandbox.redemptions()) == 1


def test_an_undo_that_takes_long_asks_for_patience(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    held = till.hold("**/undo")
    till.undo()
    expect(till.coupon.get_by_text("Undoing…")).to_be_visible()
    expect(till.coupon).to_contain_text("Please wait: nothing is done twice.")
    held.let_go()
    expect(till.coupon).to_contain_text("500 points are back.")
