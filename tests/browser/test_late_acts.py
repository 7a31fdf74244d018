"""An act whose answer is late keeps to itself when the associate has gone on to somebody else."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.held import Held
from tests.browser.till import Till

pytestmark = pytest.mark.browser


def test_an_enrolment_does_not_push_another_member_away(till: Till, sandbox: Sandbox):
    sandbox.switch(new_customer_delay_seconds=0)
    till.start_enrolment()
    till.email.fill("new.person@example.com")
    held = Held(till.page, "**/panel/demo/enrol")
    till.enrol_button.click()
    held.wait()

    till.look_up_mara()
    held.let_go()

    till.expect_points("640")
    expect(till.main.get_by_text("Enrolling")).to_have_count(0)


@pytest.mark.provokes(404)
def test_a_form_that_was_asked_for_does_not_push_another_member_away(till: Till):
    till.ask("nobody.here@example.com")
    held = Held(till.page, "**/panel/demo/new")
    till.page.get_by_role("button", name="Enrol this customer").click()
    held.wait()

    till.look_up_mara()
    held.let_go()

    till.expect_points("640")
    expect(till.enrol_button).to_have_count(0)


def test_an_undo_does_not_stand_over_another_code(till: Till, sandbox: Sandbox):
    sandbox.adjust("mara@example.com", 5000)
    till.look_up_mara()
    till.redeemed("$5 off")
    till.redeemed("$10 off")
    held = Held(till.page, "**/undo")
    till.undo()
    held.wait()

    till.pending.get_by_role("button", name="Show $5 off").click()
    expect(till.coupon).to_contain_text("$5 off")
    held.let_go()

    expect(till.coupon).to_contain_text("$5 off")
    expect(till.coupon).not_to_contain_text("Undone")
    assert len(sandbox.redemptions()) == 2


@pytest.mark.provokes("no connection")
def test_what_failed_is_tried_again_although_the_card_asked_for_news_meanwhile(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    page = till.page
    page.route("**/undo", lambda route: route.abort(), times=1)
    till.undo_button.click()
    expect(till.try_again_button).to_be_visible()
    page.route("**/news?*", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed", lambda request: "/news" in request.url):
        pass
    # The next one has an answer, so what the first brought about is there.
    with page.expect_response("**/news?*"):
        pass
    till.try_again_button.click()
    expect(till.coupon).to_contain_text("The code no longer counts")
