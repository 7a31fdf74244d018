"""In a frame too low for all of it, what matters comes into view by itself."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("viewport", [{"width": 360, "height": 540}], ids=["540px"]),
]

RUTH = ("ruth@example.com", "Ruth Okafor")


def scroll_to_the_last_offer(till: Till) -> None:
    till.look_up(*RUTH)
    till.new_member_button.scroll_into_view_if_needed()
    expect(till.query).not_to_be_in_viewport()


def test_code_and_member_come_into_view(till: Till):
    scroll_to_the_last_offer(till)
    till.redeemed("Points for dollars", points="100")
    expect(till.code).to_be_in_viewport()
    till.expect_points("24,900")
    expect(till.member).to_be_in_viewport()


def test_what_is_in_view_already_is_not_scrolled_away(till: Till):
    till.page.set_viewport_size({"width": 360, "height": 760})
    till.look_up(*RUTH)
    till.redeemed("$25 off")
    till.expect_points("22,800")
    expect(till.query).to_be_in_viewport()


def test_a_code_that_is_opened_again_comes_into_view(till: Till):
    till.look_up(*RUTH)
    till.redeemed("$5 off")
    till.expect_points("24,500")
    till.pending.get_by_role("button", name="Show $5 off").click()
    expect(till.code).to_be_in_viewport()


def test_member_and_outcome_of_an_undo_come_into_view(till: Till):
    till.look_up(*RUTH)
    till.redeemed("$5 off")
    till.expect_points("24,500")
    till.undo_button.scroll_into_view_if_needed()
    till.undo()
    expect(till.coupon.get_by_text("500 points are back.")).to_be_in_viewport()
    till.expect_points("25,000")
    expect(till.member).to_be_in_viewport()


@pytest.mark.provokes(422)
def test_a_refusal_comes_into_view(till: Till, sandbox: Sandbox):
    scroll_to_the_last_offer(till)
    sandbox.fault("POST /redemptions", "status", status=422, body={"error": "Not today"})
    till.redeem("Points for dollars", points="100")
    expect(till.page.get_by_role("alert")).to_be_in_viewport()


@pytest.mark.provokes("no connection")
def test_a_lost_connection_comes_into_view(till: Till):
    scroll_to_the_last_offer(till)
    till.page.context.set_offline(True)
    till.new_member_button.click()
    expect(till.page.get_by_role("alert")).to_be_in_viewport()


@pytest.mark.parametrize("query", ["", "new.person@example.com"])
def test_the_enrolment_comes_into_view(till: Till, query: str):
    scroll_to_the_last_offer(till)
    till.query.evaluate("(field, text) => { field.value = text }", query)
    till.start_enrolment()
    first = till.phone if query else till.email
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport(ratio=1)
    expect(
        till.enrolment.get_by_text("Phone" if query else "Email", exact=True)
    ).to_be_in_viewport()


def test_an_enrolment_below_the_fold_comes_into_view(till: Till):
    till.page.set_viewport_size({"width": 360, "height": 200})
    till.start_enrolment()
    expect(till.email).to_be_in_viewport(ratio=1)


@pytest.mark.provokes(422)
def test_what_is_wrong_with_an_enrolment_comes_into_view(till: Till):
    till.start_enrolment()
    till.enrol_button.click()
    expect(till.page.get_by_role("alert")).to_be_in_viewport()
