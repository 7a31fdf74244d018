"""Undo gives the points back, once."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.support.servers import Database
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"
CANCELLATION = "POST /redemptions/*/cancellation_completed"


def test_undo_gives_the_points_back_and_the_member_shows_it(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.redeemed("$5 off")
    till.expect_points("140")
    till.undo()
    expect(till.coupon).to_contain_text("500 points are back. The code no longer counts.")
    till.expect_points("640")
    expect(till.member).to_be_in_viewport()
    expect(till.code).to_have_count(0)
    expect(till.pending).to_have_count(0)
    assert sandbox.balance(MARA) == 640
    assert sandbox.redemptions()[0]["state"] == "cancelled"


def test_what_was_undone_can_be_redeemed_again(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    first = till.redeemed("$5 off")
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")
    assert till.redeemed("$5 off") != first
    till.expect_points("140")


def test_a_double_click_on_undo_gives_back_once(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.redeemed("$5 off")
    sandbox.fault(CANCELLATION, "slow", seconds=0.5)
    till.undo_button.dblclick()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")
    assert reversals(sandbox) == [500]


def test_undo_in_two_tabs_gives_back_once(
    till: Till, second_till: Callable[[], Till], sandbox: Sandbox
):
    till.look_up_mara()
    till.redeemed("$5 off")
    other = second_till().look_up_mara()
    other.pending.get_by_role("button", name="Show $5 off").click()
    other.shown_code()

    till.undo()
    expect(till.coupon).to_contain_text("are back")
    other.undo()
    expect(other.coupon).to_contain_text("are back")
    other.expect_points("640")
    assert reversals(sandbox) == [500]


@pytest.mark.parametrize("lost", ["drop_after", "drop_before"], ids=["done", "not-done"])
def test_a_lost_reply_to_the_undo_gives_back_exactly_once(till: Till, sandbox: Sandbox, lost: str):
    till.look_up_mara()
    till.redeemed("$5 off")
    sandbox.fault(CANCELLATION, lost)
    till.undo()
    expect(till.coupon).to_contain_text("Undo is under way")
    expect(till.code).to_have_count(0)
    expect(till.coupon).to_contain_text("500 points are back.")
    till.expect_points("640")
    assert reversals(sandbox) == [500]


def test_an_undo_under_way_is_still_ended_after_somebody_else_was_looked_up(
    till: Till, sandbox: Sandbox, database: Database
):
    till.look_up_mara()
    till.redeemed("$5 off")
    sandbox.fault(CANCELLATION, "drop_before")
    till.undo()
    expect(till.coupon).to_contain_text("Undo is under way")
    till.look_up("ruth@example.com", "Ruth Okafor")
    assert database.states() == ["reversing"]

    till.look_up_mara()
    till.pending.get_by_role("button", name="Show $5 off").click()
    expect(till.coupon).to_contain_text("500 points are back.")
    until(lambda: database.states() == ["reversed"], "reversed")
    assert reversals(sandbox) == [500]


@pytest.mark.provokes(409)
def test_a_code_that_a_sale_has_used_cannot_be_undone(
    till: Till, sandbox: Sandbox, database: Database
):
    till.look_up_mara()
    till.redeemed("$5 off")
    database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'used', sold_at = changed_at"
    )
    till.undo()
    till.expect_alert("This code was used in a sale. Refund the sale instead.")
    assert sandbox.balance(MARA) == 140


def reversals(sandbox: Sandbox) -> list[int]:
    """The points that the engine gave back to Mara."""
    return [row["points"] for row in sandbox.ledger(MARA) if row["kind"] == "reversal"]


def test_the_time_of_a_code_runs_and_is_made_longer_once(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    clock = till.coupon.locator("[data-lease]")
    expect(clock).to_have_text(re.compile(r"14:[45]\d"))
    first = clock.inner_text()
    expect(clock).not_to_have_text(first)
    longer = till.coupon.get_by_role("button", name="Keep longer", exact=True)
    longer.click()
    expect(clock).to_have_text(re.compile(r"29:[45]\d"))
    expect(longer).to_have_count(0)


def test_time_that_is_up_is_said_without_asking_anew(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    clock = till.coupon.locator("[data-lease]")
    clock.evaluate("element => { element.until = performance.now(); }")
    expect(till.coupon).to_contain_text("Kept for this sale: Time is up.")
