"""What is longer than usual fits into the narrowest frame, too; the states see to the rest."""

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.fit import expect_it_fits
from tests.browser.till import Till

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("viewport", [{"width": 320, "height": 640}], ids=["320px"]),
]


def test_the_longest_name_and_its_offers_fit(till: Till):
    till.ask("max@example.com")
    till.expect_points("960")
    expect_it_fits(till.page)


def test_a_name_without_a_space_fits(till: Till, sandbox: Sandbox):
    sandbox.add_member(email="long@example.com", first_name="N" * 90, points=9_999_999)
    till.ask("long@example.com")
    till.expect_points("9,999,999")
    expect_it_fits(till.page)


def test_dialog_and_coupon_fit(till: Till):
    till.look_up("ruth@example.com", "Ruth Okafor")
    till.choose("Points for dollars")
    till.points_field.fill("24999")
    expect_it_fits(till.page)
    box = till.dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    till.redeem_button.click()
    till.shown_code()
    till.coupon.get_by_text("QR code", exact=True).first.click()
    expect(till.pending).to_be_visible()
    expect_it_fits(till.page)


def test_a_sale_with_the_longest_code_fits(till: Till):
    till.open_sale(till.sell("", ("Z" * 255,)))
    expect(till.dialog).to_contain_text("not made at our tills")
    expect_it_fits(till.page)
    hidden = till.dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth")
    assert not hidden, f"The dialog is {hidden} pixels wider than its frame."


@pytest.mark.provokes(409, 422)
def test_the_enrolment_with_all_its_words_fits(till: Till):
    till.start_enrolment()
    till.enrol_button.click()
    till.expect_alert("Please check")
    expect_it_fits(till.page)
    till.email.fill("new.person@example.com")
    till.phone.fill("(415) 555-0123")
    till.enrol_button.click()
    expect(till.enrolment.get_by_role("button", name="Enrol anyway")).to_be_visible()
    expect_it_fits(till.page)


@pytest.mark.provokes(404)
def test_not_found_fits(till: Till):
    till.ask("somebody.with.a.very.long.address.indeed@subdomain.of.a.long.example.com")
    expect(till.page.get_by_role("button", name="Enrol this customer")).to_be_visible()
    expect_it_fits(till.page)
