"""The panel as an extension of Heartland Retail, whose page knows three commands and no bridge."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, ViewportSize, expect

from tests.browser.axe import complaints
from tests.browser.pos import Installed, Site
from tests.support.servers import Panel

pytestmark = [pytest.mark.browser, pytest.mark.provokes(401)]

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Heartland</title>
<link rel="icon" href="data:,">
<main><h1>Sale 100234</h1></main>
<script>
  window.commands = [];
  addEventListener("message", ({ data }) => commands.push(JSON.parse(data)));
</script>
<iframe title="Extension" width="380" height="700" src="%s"></iframe>
"""


@pytest.fixture
def viewport() -> ViewportSize:
    return ViewportSize(width=420, height=800)


@pytest.fixture(scope="module")
def heartland() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def installed(_panel: Panel, heartland: Site) -> Installed:
    return Installed(_panel, heartland, pos="heartland")


@pytest.fixture
def page(context: BrowserContext, panel: Panel, installed: Installed, heartland: Site) -> Page:
    hints = f"ticket_id=100234&customer_id=&subdomain=localhost&pos_url={heartland.origin}/"
    heartland.html = PAGE % f"{panel.url}/panel/{installed.id}/?{hints}"
    page = context.new_page()
    page.goto(heartland.origin)
    return page


@pytest.fixture
def frame(page: Page) -> FrameLocator:
    frame = page.frame_locator("iframe")
    expect(frame.locator("#pairing-code")).to_be_visible()
    return frame


def commands(page: Page) -> list[dict[str, object]]:
    said: list[dict[str, object]] = page.evaluate("commands")
    return said


def test_it_shows_itself_and_says_nothing_else(page: Page, frame: FrameLocator):
    assert commands(page) == [{"command": "show", "params": {}}]
    expect(frame.get_by_text("Not connected to the till.")).to_have_count(0)


def test_it_hides_when_asked_to(page: Page, frame: FrameLocator):
    frame.get_by_role("button", name="Hide", exact=True).click()
    assert commands(page)[1:] == [{"command": "hide", "params": {}}]


def test_it_opens_the_sale_anew_on_the_page_that_the_shop_listed(
    page: Page, frame: FrameLocator, heartland: Site
):
    frame.get_by_role("button", name="Reload the sale", exact=True).click()
    url = f"{heartland.origin}/#sales/tickets/edit/100234"
    assert commands(page)[1:] == [{"command": "redirect", "params": {"url": url}}]


def test_its_buttons_can_be_read_and_hit(page: Page, frame: FrameLocator):
    assert not complaints(page)
    for name in ("Hide", "Reload the sale"):
        size = frame.get_by_role("button", name=name, exact=True).bounding_box()
        assert size is not None and size["height"] >= 44
