"""Members who are not like most."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till

pytestmark = pytest.mark.browser


def test_a_balance_below_zero_is_shown_and_what_is_missing_counts_it(till: Till):
    till.look_up("nell@example.com", "Nell Harbor")
    till.expect_points("-85")
    expect(till.member).to_contain_text("Below zero after a refund")
    expect(till.offer_buttons).to_have_count(0)
    expect(till.offers).to_contain_text("585 points missing")


def test_a_name_that_looks_like_html_is_text(till: Till):
    till.look_up("tom@example.com", 'Tom & "Jerry" <b>')
    expect(till.member.locator("b")).to_have_count(0)


def test_a_script_in_a_name_does_not_run(till: Till, sandbox: Sandbox):
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    sandbox.add_member(email="script@example.com", first_name=name, points=900)
    till.look_up("script@example.com", name)
    till.redeemed("$5 off")
    expect(till.member.locator("img, script")).to_have_count(0)


@pytest.mark.parametrize(
    ("email", "name", "direction"),
    [
        ("layla@example.com", "ليلى الحداد", "rtl"),
        ("noam@example.com", "נועם לוי", "rtl"),
        ("yuki@example.com", "由紀 田中", "ltr"),
    ],
    ids=["arabic", "hebrew", "japanese"],
)
def test_a_name_is_written_in_its_own_direction(till: Till, email: str, name: str, direction: str):
    till.look_up(email, name)
    heading = till.member.get_by_role("heading", name=name)
    expect(heading).to_have_css("direction", direction)


def test_a_member_without_tier_is_said_to_have_none(till: Till):
    till.look_up("zed@example.com", "Zed Marlow")
    expect(till.member).to_contain_text("No tier yet")
