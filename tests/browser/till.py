"""The panel as an associate uses it: everything is found by the role and the name it has."""

import re
from collections.abc import Mapping
from typing import Self

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.held import Held
from tests.browser.sold import sell


class Till:
    def __init__(
        self,
        page: Page,
        address: str,
        frame: FrameLocator | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`frame`: where it stands in a page of a point of sale. `env`: of the panel's processes,
        for what a point of sale tells behind the screen."""
        self.page, self.address, self.env = page, address, env
        self.place = place = frame or page
        self._held: list[Held] = []

        self.main = place.get_by_role("main")
        self.query = place.get_by_role("textbox", name="Email or phone")
        self.look_up_button = place.get_by_role("button", name="Look up", exact=True)
        self.new_member_button = place.get_by_role("button", name="New member", exact=True)
        self.next_button = place.get_by_role("button", name="Next customer", exact=True)
        self.busy = place.locator("#busy")
        self.spoken = place.locator("#said")
        self.stop_button = place.get_by_role("button", name="Stop", exact=True)
        self.alert = place.get_by_role("alert")
        self.try_again_button = place.get_by_role("button", name="Try again", exact=True)
        self.look_up_again_button = place.get_by_role("button", name="Look up again", exact=True)
        self.not_found = place.get_by_role("region", name="Not found", exact=True)
        self.member = place.get_by_role("region", name="Member", exact=True)
        self.offers = place.get_by_role("region", name="Offers", exact=True)
        self.offer_buttons = self.offers.get_by_role("button", name=re.compile("^Redeem "))
        self.pending = place.get_by_role("list", name="Pending", exact=True)

        self.dialog = place.get_by_role("dialog")
        self.points_field = self.dialog.get_by_role("textbox", name="Points to spend")
        self.redeem_button = self.dialog.get_by_role("button", name="Redeem", exact=True)
        self.another_button = self.dialog.get_by_role("button", name="Redeem another", exact=True)
        self.cancel_button = self.dialog.get_by_role("button", name="Cancel", exact=True)

        self.coupon = place.get_by_role("region", name="Coupon", exact=True)
        self.code = place.locator("#coupon-code")
        self.undo_button = self.coupon.get_by_role("button", name="Undo", exact=True)

        self._name_the_enrolment()
        self._name_what_explains_points()

    def _name_the_enrolment(self) -> None:
        place = self.place
        self.enrolment = place.get_by_role("region", name="Enrolment", exact=True)
        self.email = self.enrolment.get_by_role("textbox", name="Email", exact=True)
        self.phone = self.enrolment.get_by_role("textbox", name="Phone", exact=True)
        self.first_name = self.enrolment.get_by_role("textbox", name="First name", exact=True)
        self.last_name = self.enrolment.get_by_role("textbox", name="Last name", exact=True)
        self.marketing = self.enrolment.get_by_role("checkbox", name="Wants marketing emails")
        self.enrol_button = self.enrolment.get_by_role("button", name="Enrol", exact=True)

    def _name_what_explains_points(self) -> None:
        place = self.place
        self.history_button = self.member.get_by_role("button", name="Points history", exact=True)
        self.add_sale_button = self.member.get_by_role("button", name="Add a sale", exact=True)
        self.add_button = self.dialog.get_by_role("button", name="Add to this member", exact=True)
        self.changes = self.dialog.get_by_role("list", name="Changes", exact=True)
        self.find_sale_button = place.get_by_role("button", name="Find a sale", exact=True)
        self.sale_number = self.dialog.get_by_role("textbox", name="Sale number")
        self.find_button = self.dialog.get_by_role("button", name="Find", exact=True)
        self.close_button = self.dialog.get_by_role("button", name="Close", exact=True)

    def open(self) -> Self:
        """Load the page and wait until it knows its till and its associate."""
        self.page.goto(self.address)
        expect(self.page.get_by_text("Ana Pardo · Till 1")).to_be_visible()
        return self

    def hold(self, address: str) -> Held:
        """The next request to there goes out when the test lets it, or at its end."""
        held = Held(self.page, address)
        self._held.append(held)
        return held

    def let_go(self) -> None:
        """Nothing that is still held keeps the next test waiting."""
        for held in self._held:
            held.end()

    def ask(self, text: str) -> None:
        """Type it and press the button, whatever will come of it."""
        self.query.fill(text)
        self.look_up_button.click()

    def look_up(self, text: str, name: str) -> Self:
        self.ask(text)
        expect(self.member.get_by_role("heading", name=name, exact=True)).to_be_visible()
        return self

    def look_up_mara(self) -> Self:
        """640 points, Silver, no phone in common with anybody."""
        return self.look_up("mara@example.com", "Mara Quill")

    def offer(self, name: str) -> Locator:
        return self.offers.get_by_role("button", name=f"Redeem {name}", exact=True)

    def sell(self, email: str, codes: tuple[str, ...] = ()) -> str:
        """What a point of sale reports: a sale to them, or to nobody; its number."""
        assert self.env is not None, "Say whose processes."
        return sell(self.env, email, codes)

    def find_sale(self, number: str) -> None:
        """Open the dialog and press Find, whatever will come of it."""
        self.find_sale_button.click()
        self.sale_number.fill(number)
        self.find_button.click()

    def open_sale(self, number: str) -> None:
        self.find_sale(number)
        expect(self.place.get_by_role("dialog", name=f"Sale {number}", exact=True)).to_be_visible()

    def choose(self, name: str) -> Locator:
        """Open the dialog of an offer."""
        self.offer(name).click()
        expect(self.place.get_by_role("dialog", name=f"Redeem {name}?", exact=True)).to_be_visible()
        return self.dialog

    def redeem(self, name: str, points: str = "") -> None:
        """Open the dialog and press Redeem, whatever will come of it."""
        self.choose(name)
        if points:
            self.points_field.fill(points)
        self.redeem_button.click()

    def redeemed(self, name: str, points: str = "") -> str:
        """Redeem to the end; the code."""
        self.redeem(name, points)
        return self.shown_code()

    def shown_code(self) -> str:
        expect(self.code).to_have_text(re.compile(r"^\S+$"))
        return self.code.inner_text()

    def undo(self) -> None:
        self.undo_button.click()

    def start_enrolment(self) -> None:
        self.new_member_button.click()
        expect(self.email).to_be_visible()

    def expect_points(self, points: str) -> None:
        """The balance that the region Member shows, as it is written there."""
        expect(self.member.get_by_text(f"{points} points", exact=True)).to_be_visible()

    def expect_alert(self, text: str) -> None:
        expect(self.alert.filter(has_text=text)).to_be_visible()

    def expect_no_alert(self) -> None:
        expect(self.alert).to_have_count(0)

    def expect_waiting(self) -> None:
        expect(self.coupon).to_contain_text(
            "We are checking whether this went through: do not redeem again"
        )

    def focused(self) -> str:
        """The name of the tag that has the focus."""
        tag: str = self.page.evaluate("document.activeElement.tagName.toLowerCase()")
        return tag

    def focused_name(self) -> str:
        """What a reader of the screen calls what has the focus: a label, or its own words."""
        name: str = self.page.evaluate(
            """() => {
                const at = document.activeElement;
                const label = at.ariaLabel ?? at.labels?.[0]?.textContent ?? at.textContent;
                return at === document.body ? "" : label.trim();
            }"""
        )
        return name
