"""A manager on a phone: whose a sale was, and which sale a refund belongs to."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.servers import Panel, manage

pytestmark = pytest.mark.browser

# Of a POS that told a sale without a member, and money that was given back for nobody knows what.
TOLD = """
from django.utils import timezone
from sales.record import NewSale, find_sale, record
from sales.refunds import NewRefund, record_refund
from stores.models import Installation
from stores.places import Place
shop, nowhere = Installation.objects.get(pk="demo"), Place(None, None, None)
if find_sale(shop, "M-1") is None:
    record(shop, NewSale("M-1", timezone.now(), 1299, "USD"), nowhere)
    record_refund(shop, NewRefund("M-R1", 500, "USD"), nowhere)
"""


@pytest.fixture
def admin(page: Page, panel: Panel) -> str:
    """Logged in; the address that its pages begin with."""
    panel.database.clear()
    manage(panel.env, "seed_demo")
    manage(panel.env, "shell", "-c", TOLD)
    address = f"{panel.url}/admin/"
    page.goto(address)
    page.get_by_label("Username").fill("manager")
    page.get_by_label("Password").fill("demo-manager")
    page.get_by_role("button", name="Log in").click()
    return address


def expect_nothing_beside(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_a_sale_is_claimed(page: Page, admin: str) -> None:
    page.goto(f"{admin}sales/sale/")
    page.get_by_role("link", name="Nobody has said yet").click()
    page.get_by_role("link", name="M-1", exact=True).click()
    expect(page.get_by_role("heading", name="Claim for a member")).to_be_visible()
    expect_nothing_beside(page)
    page.get_by_label("Email or phone").fill("mara@example.com")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("who has 640 points now")).to_be_visible()
    expect_nothing_beside(page)
    page.get_by_label("Why").fill("Came back with the receipt")
    page.get_by_role("button", name="Claim it").click()
    expect(page.get_by_text("Claimed: the loyalty system is told of it.")).to_be_visible()
    expect(page.get_by_label("Email or phone")).to_have_count(0)


def test_a_refund_finds_its_sale(page: Page, admin: str) -> None:
    page.goto(f"{admin}sales/refund/")
    page.get_by_role("link", name="M-R1", exact=True).click()
    expect(page.get_by_text("$5.00 was given back, and no points were taken yet.")).to_be_visible()
    expect_nothing_beside(page)
    page.get_by_role("button", name="Decide").click()
    # The browser itself asks for a choice and a reason.
    page.get_by_label("Sale M-1").check()
    page.get_by_label("Why").fill("The receipt says so")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("Matched with Sale M-1.")).to_be_visible()
    expect(page.get_by_role("button", name="Decide")).to_have_count(0)
