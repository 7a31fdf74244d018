"""The API's page works under the policy of the house: no script in line, none from elsewhere."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.fit import overflow
from tests.support.servers import Panel

pytestmark = pytest.mark.browser


@pytest.fixture
def viewport() -> ViewportSize:
    return ViewportSize(width=1280, height=900)


def test_every_call_is_shown_and_can_be_opened(page: Page, panel: Panel) -> None:
    page.goto(f"{panel.url}/api/v1/docs")
    expect(page.get_by_role("heading", name="Loyalty Panel")).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(13)
    page.get_by_text("Redeem an offer").click()
    shown = page.locator(".opblock.is-open")
    expect(shown.get_by_text("offer_id").first).to_be_visible()


def test_every_call_can_be_read_on_a_phone_and_nothing_comes_from_elsewhere(
    page: Page, panel: Panel
) -> None:
    """Its example, its answers and its problems, without scrolling sideways."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{panel.url}/api/v1/docs")
    calls = page.locator(".opblock")
    expect(calls).to_have_count(13)
    for call in calls.all():
        call.locator(".opblock-summary-control").click()
        expect(call.locator(".responses-table").first).to_be_visible()
        expect(call.get_by_text("No valid API key").first).to_be_visible()
        assert overflow(page) == 0, call.get_attribute("id")
        call.locator(".opblock-summary-control").click()
    assert asked and all(url.startswith((panel.url, "data:")) for url in asked), asked


@pytest.mark.provokes(401)
def test_a_call_can_be_tried(page: Page, panel: Panel) -> None:
    """Without a key the answer is a problem; the page asks our own server alone."""
    page.goto(f"{panel.url}/api/v1/docs")
    page.get_by_text("List redemptions").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.locator(".live-responses-table").get_by_text("unauthorized").first).to_be_visible()
