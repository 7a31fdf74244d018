"""While the panel waits it says so, not too early, and nothing moves meanwhile."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.states import MARA, RUTH, RUTHS_NAME
from tests.browser.till import Till

pytestmark = pytest.mark.browser

SAID_AFTER_MS, SLOW_AFTER_MS = 150, 2000
WATCH = """
    window.said = [];
    let begun = 0;
    // Before the panel hears of it, or what it waits would seem a part of a millisecond too short.
    addEventListener(
        "htmx:beforeRequest", () => { begun = performance.now(); }, {once: true, capture: true},
    );
    const busy = document.getElementById("busy");
    new MutationObserver(() => {
        if (busy.textContent) said.push([busy.textContent, performance.now() - begun]);
    }).observe(busy, {childList: true});
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
    (asking, asking_at), (slow, slow_at) = till.page.evaluate("said")
    assert "Asking" in asking and "slow just now" in slow
    assert asking_at >= SAID_AFTER_MS and slow_at >= SLOW_AFTER_MS


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
