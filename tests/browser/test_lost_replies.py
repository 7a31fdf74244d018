"""The engine acted, or it did not, and its answer was lost."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.support.servers import Database
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"
READING_HISTORY = {"with_history": "true"}


def test_lost_and_then_found(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    expect(till.code).to_have_count(0)

    code = till.shown_code()
    till.expect_points("140")
    (made,) = sandbox.redemptions()
    assert made["code"] == code
    assert sandbox.call_counts()["POST /redemptions"] == 1


def test_lost_and_then_absent(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_before")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()

    expect(till.coupon).to_contain_text("It did not go through")
    expect(till.coupon).to_contain_text("No points were taken.")
    till.expect_points("640")
    assert sandbox.redemptions() == []
    assert sandbox.call_counts()["POST /redemptions"] == 1


def test_what_did_not_go_through_can_be_redeemed_again(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_before")
    till.look_up_mara()
    till.redeem("$5 off")
    expect(till.coupon).to_contain_text("You can redeem again.")
    till.redeemed("$5 off")
    till.expect_points("140")
    assert len(sandbox.redemptions()) == 1


def test_an_answer_after_our_deadline_is_found(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "late", seconds=2.5)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.shown_code()
    till.expect_points("140")
    assert len(sandbox.redemptions()) == 1


@pytest.mark.parametrize("kind", ["code_missing", "not_approved", "html_after", "cut"])
def test_an_answer_that_says_too_little_is_looked_into(till: Till, sandbox: Sandbox, kind: str):
    sandbox.fault("POST /redemptions", kind)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.shown_code()
    till.expect_points("140")
    assert len(sandbox.redemptions()) == 1


def test_nothing_else_can_be_redeemed_while_it_is_checked(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up("ruth@example.com", "Ruth Okafor")
    till.redeem("$5 off")
    till.expect_waiting()
    expect(till.offers).to_contain_text("A redemption is being checked")
    expect(till.offer_buttons).to_have_count(0)
    till.shown_code()
    expect(till.offer("$10 off")).to_be_visible()


@pytest.mark.provokes(409)
def test_the_second_tab_cannot_redeem_while_it_is_checked(
    till: Till, second_till: Callable[[], Till], sandbox: Sandbox
):
    other = second_till().look_up("ruth@example.com", "Ruth Okafor")
    other.choose("$10 off")
    till.look_up("ruth@example.com", "Ruth Okafor")
    sandbox.fault("GET /customers", "status", match=READING_HISTORY, times=None)
    sandbox.fault("POST /redemptions", "drop_after")
    till.redeem("$5 off")
    till.expect_waiting()

    other.redeem_button.click()
    other.expect_alert("Another redemption of this member has not ended yet.")
    sandbox.clear_faults()
    till.shown_code()
    assert len(sandbox.redemptions()) == 1


def test_it_is_still_checked_after_somebody_else_was_looked_up(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.look_up("ruth@example.com", "Ruth Okafor")
    expect(till.coupon).to_have_count(0)

    till.look_up_mara()
    till.pending.get_by_role("button", name="Show $5 off").click()
    till.shown_code()
    assert len(sandbox.redemptions()) == 1


@pytest.mark.parametrize("lost", ["drop_after", "drop_before"], ids=["made", "not-made"])
def test_undo_while_uncertain_brings_the_points_back_by_themselves(
    till: Till, sandbox: Sandbox, lost: str
):
    sandbox.fault("POST /redemptions", lost)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.undo()
    expect(till.coupon).to_contain_text("If it did, the points go back at once.")

    done = "500 points are back." if lost == "drop_after" else "No points were taken."
    expect(till.coupon).to_contain_text(done)
    till.expect_points("640")
    assert sandbox.balance(MARA) == 640
    assert all(made["state"] == "cancelled" for made in sandbox.redemptions())


def test_undo_pressed_elsewhere_before_the_answer_brings_the_points_back(
    till: Till, second_till: Callable[[], Till], sandbox: Sandbox, database: Database
):
    till.look_up_mara()
    other = second_till()
    sandbox.fault("POST /redemptions", "slow", seconds=60)
    till.redeem("$5 off")
    until(lambda: database.states() == ["requested"], "written down")
    other.look_up_mara()
    other.pending.get_by_role("button", name="Show $5 off").click()
    other.undo()
    expect(other.coupon).to_contain_text("If it did, the points go back at once.")
    sandbox.clear_faults()

    expect(other.coupon).to_contain_text("500 points are back.")
    other.expect_points("640")
    assert sandbox.balance(MARA) == 640


def test_an_online_redemption_in_the_same_minute_is_for_a_manager(
    till: Till, sandbox: Sandbox, database: Database
):
    till.look_up("ruth@example.com", "Ruth Okafor")
    # The history can't be read before the second one is in it.
    sandbox.fault("GET /customers", "status", match=READING_HISTORY, times=None)
    sandbox.fault("POST /redemptions", "drop_after")
    till.redeem("$5 off")
    till.expect_waiting()
    sandbox.redeem_online("ruth@example.com", 90121)
    sandbox.clear_faults()

    expect(till.coupon).to_contain_text("Ask a manager before you do anything else with it.")
    expect(till.code).to_have_count(0)
    till.expect_points("24,000")
    assert database.states() == ["disputed"]
    assert [row["kind"] for row in sandbox.ledger("ruth@example.com")][-2:] == ["redemption"] * 2
