"""The API's page works under the policy of the house: no script in line, none from elsewhere."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.servers import Panel

pytestmark = pytest.mark.browser


@pytest.fixture
def viewport() -> ViewportSize:
    return ViewportSize(width=1280, height=900)


def test_every_call_is_shown_and_can_be_opened(page: Page, panel: Panel) -> None:
    page.goto(f"{panel.url}/api/v1/docs")
    expect(page.get_by_role("heading", name="Loyalty Panel")).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(10)
    page.get_by_text("Redeem an offer").click()
    shown = page.locator(".opblock.is-open")
    expect(shown.get_by_text("offer_id").first).to_be_visible()


@pytest.mark.provokes(401)
def test_a_call_can_be_tried(page: Page, panel: Panel) -> None:
    """Without a key the answer is a problem; the page asks our own server alone."""
    page.goto(f"{panel.url}/api/v1/docs")
    page.get_by_text("List redemptions").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.locator(".live-responses-table").get_by_text("unauthorized").first).to_be_visible()
