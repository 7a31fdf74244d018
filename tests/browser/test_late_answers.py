"""An answer that comes late never takes the place of what is on the screen by then."""

import pytest
from playwright.sync_api import Route, expect

from sandbox.control import Sandbox
from tests.browser.till import Till

pytestmark = pytest.mark.browser

REFRESH = "**/panel/demo/members/*"


def hold(till: Till, address: str) -> list[Route]:
    """Requests to that address go out only when the test lets them."""
    held: list[Route] = []
    till.page.route(address, held.append)
    return held


def let_go(till: Till, address: str, held: list[Route]) -> None:
    """Send what was held, and wait until it is answered and was worked in."""
    till.page.unroute(address)
    with till.page.expect_event("requestfinished"):
        held[0].continue_()
    till.page.evaluate("() => new Promise((done) => setTimeout(done, 100))")


def test_figures_of_one_member_never_land_on_another(till: Till):
    till.look_up_mara()
    held = hold(till, REFRESH)
    till.redeemed("$5 off")
    till.look_up("ruth@example.com", "Ruth Okafor")
    let_go(till, REFRESH, held)
    expect(till.member).to_contain_text("Ruth Okafor")
    expect(till.pending).to_have_count(0)
    till.expect_points("25,000")


def test_older_figures_never_replace_newer_ones(till: Till):
    till.look_up_mara()
    held = hold(till, REFRESH)
    till.redeemed("$5 off")
    till.page.unroute(REFRESH)
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")
    held[0].fulfill(status=503, body="", headers={"HX-Retarget": "#alert"})
    till.page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    till.expect_points("640")


def test_a_dialog_of_one_member_never_opens_over_another(till: Till):
    till.look_up_mara()
    held = hold(till, "**/ask")
    till.offer("$5 off").click()
    till.look_up("ruth@example.com", "Ruth Okafor")
    let_go(till, "**/ask", held)
    expect(till.dialog).to_have_count(0)


def test_a_code_of_one_member_is_not_shown_under_another(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    held = hold(till, "**/redeem")
    till.redeem("$5 off")
    till.page.keyboard.press("Escape")
    till.look_up("ruth@example.com", "Ruth Okafor")
    let_go(till, "**/redeem", held)
    expect(till.coupon).to_have_count(0)
    expect(till.member).to_contain_text("Ruth Okafor")

    till.look_up_mara()
    expect(till.pending).to_contain_text("$5 off")
    assert len(sandbox.redemptions()) == 1


def test_the_wait_for_a_new_member_never_pushes_another_one_away(till: Till, sandbox: Sandbox):
    sandbox.switch(new_customer_delay_seconds=600)
    till.start_enrolment()
    till.email.fill("new.person@example.com")
    held = hold(till, "**/enrol/wait")
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("Enrolling")
    till.page.wait_for_event("request", lambda request: request.url.endswith("/enrol/wait"))
    till.look_up_mara()
    let_go(till, "**/enrol/wait", held)
    expect(till.enrolment).to_have_count(0)
    till.expect_points("640")


def test_a_look_up_never_pushes_a_form_away_that_was_opened_after_it(till: Till):
    held = hold(till, "**/lookup")
    till.ask("mara@example.com")
    till.page.unroute("**/lookup")
    till.start_enrolment()
    till.first_name.fill("Nova")
    held[0].abort()
    expect(till.first_name).to_have_value("Nova")
    expect(till.member).to_have_count(0)


def test_the_second_of_two_look_ups_counts(till: Till):
    held = hold(till, "**/lookup")
    till.query.fill("mara@example.com")
    till.query.press("Enter")
    till.page.wait_for_event("request") if not held else None
    till.page.unroute("**/lookup")
    till.query.fill("ruth@example.com")
    till.query.press("Enter")
    expect(till.member).to_contain_text("Ruth Okafor")
    held[0].continue_()
    till.expect_points("25,000")
