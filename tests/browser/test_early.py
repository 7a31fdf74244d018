"""What is pressed before the page is ready for it: nothing personal gets into an address."""

import re

import pytest
from playwright.sync_api import Route, expect

from sandbox.control import Sandbox
from tests.browser.states import MARA
from tests.browser.till import Till

pytestmark = pytest.mark.browser

# As soon as the page has the dialog or the form, before anything else is done.
PRESS_AT_ONCE = """(selector) => document.addEventListener("htmx:afterSwap", () =>
    setTimeout(() => document.querySelector(selector)?.requestSubmit(), 0), { once: true })"""


@pytest.mark.provokes("no connection")
def test_enter_before_the_scripts_came_sends_nothing(till: Till):
    def away(route: Route) -> None:
        route.abort()

    till.page.route(re.compile("htmx"), away)
    till.page.reload()
    till.query.fill(MARA)
    address = till.page.url
    till.query.press("Enter")
    till.query.press("Enter")
    assert till.page.evaluate("() => location.href") == address
    expect(till.query).to_have_value(MARA)


def test_a_dialog_takes_enter_as_soon_as_it_is_there(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    till.page.evaluate(PRESS_AT_ONCE, "#dialog form")
    till.offer("$5 off").click()
    code = till.shown_code()
    assert [made["code"] for made in sandbox.redemptions()] == [code]
    assert till.page.url == till.address


@pytest.mark.provokes(422)
def test_an_empty_enrolment_form_is_ready_as_soon_as_it_is_there(till: Till):
    till.page.evaluate(PRESS_AT_ONCE, "#result form")
    till.new_member_button.click()
    till.expect_alert("Please check what is marked below.")
    assert till.page.url == till.address
