"""The till's page, with a stand-in in the panel's frame: what one sees, presses and is told."""

import re
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from playwright.sync_api import Frame, Page, Route, ViewportSize, expect

from sandbox.control import Sandbox
from tests.browser.axe import complaints
from tests.browser.bridge import PANEL_PAGE, SCRIPT, STAND_IN
from tests.browser.fit import expect_it_fits
from tests.contract.till import KEYS, PanelApi, TillDesk, write_keys

pytestmark = pytest.mark.browser

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=740)
MARA, RUTH = "mara@example.com", "ruth@example.com"
OK = {"ok": True, "payload": {}}


@pytest.fixture
def desk(till_sandbox: Sandbox, panel_api: PanelApi, keys_file: Path) -> Iterator[TillDesk]:
    till_sandbox.reset()
    panel_api.forget()
    write_keys(keys_file, panel_api)
    desk = TillDesk(till_sandbox)
    yield desk
    desk.wait_until_all_is_told()


@pytest.fixture
def viewport() -> ViewportSize:
    return DESKTOP


class TillScreen:
    """What the page has on it, and the panel's stand-in in its frame."""

    def __init__(self, page: Page, desk: TillDesk) -> None:
        self.page = page
        self.desk = desk
        self.total = page.locator("#total")
        self.said = page.locator("#said")
        self.customer = page.locator("#customer")
        self.lines = page.get_by_role("list", name="Lines").get_by_role("listitem")
        self.coupons = page.get_by_role("list", name="Coupons").get_by_role("listitem")
        self.pay = page.get_by_role("button", name=re.compile("^Pay "))

    def open(self) -> "TillScreen":
        self.page.goto(self.desk.url)
        expect(self.page.locator("#sale-id")).not_to_be_empty()
        return self

    @property
    def panel(self) -> Frame:
        frame = self.page.query_selector("#panel").content_frame()
        frame.wait_for_function("typeof hello === 'function'")
        return frame

    def shake_hands(self) -> None:
        self.panel.evaluate("hello()")
        self.panel.wait_for_function("port !== null")

    def ask(self, type_: str, **payload: object) -> dict[str, object]:
        said = self.panel.evaluate("([t, p]) => ask(t, p)", [type_, payload])
        return {name: value for name, value in said.items() if name not in {"re", "v"}}

    def told(self, type_: str, *, times: int = 1) -> list[dict[str, object]]:
        self.panel.wait_for_function("([t, n]) => told(t).length >= n", arg=[type_, times])
        return list(self.panel.evaluate("(type) => told(type)", type_))

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def coupon(self, offer: int = 90121) -> dict[str, object]:
        code = self.desk.sandbox.redeem_online(RUTH, offer)["code"]
        more = {"valueCents": 500, "currency": "USD", "label": "$5 off"}
        return {"code": code, "redemptionId": "r1", **more}

    def choose_customer(self, sought: str) -> None:
        self.press("Find customer")
        self.page.get_by_role("searchbox", name="Name, email or phone").fill(sought)
        self.page.get_by_role("button", name=re.compile(re.escape(sought))).click()


@pytest.fixture
def till(page: Page, desk: TillDesk, panel_api: PanelApi) -> TillScreen:
    def serve(route: Route) -> None:
        files = {
            "/panel/shop/": ("text/html", PANEL_PAGE),
            "/stand-in.js": ("text/javascript", STAND_IN),
            "/static/bridge/loyalty-panel.js": ("text/javascript", SCRIPT.read_text()),
        }
        content_type, body = files[route.request.url.removeprefix(panel_api.origin)]
        route.fulfill(content_type=content_type, body=body)

    page.route(f"{panel_api.origin}/**", serve)
    screen = TillScreen(page, desk).open()
    screen.shake_hands()
    return screen


def test_the_panel_learns_who_acts_whose_sale_it_is_and_what_is_on_it(till: TillScreen) -> None:
    token = till.ask("launch.request")["payload"]["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["sale"]) == ("ana", till.desk.ticket["id"])
    assert till.told("cart.changed")[0]["totalCents"] == 4_300
    till.choose_customer(MARA)
    [told] = till.told("customer.attached")
    assert (told["email"], told["name"]) == (MARA, "Mara Quill")
    till.press("Remove the customer")
    till.told("customer.detached")


@pytest.mark.provokes(409)
def test_a_code_from_the_panel_is_on_the_sale_and_off_again(till: TillScreen) -> None:
    coupon = till.coupon()
    assert till.ask("discount.apply", **coupon) == OK
    expect(till.total).to_have_text("$38.00")
    expect(till.coupons).to_contain_text(str(coupon["code"]))
    assert till.told("cart.changed", times=2)[-1]["coupons"] == [coupon["code"]]
    assert till.ask("discount.remove", code=coupon["code"], redemptionId="r1") == OK
    expect(till.total).to_have_text("$43.00")
    expect(till.coupons).to_have_count(0)
    answer = till.ask("discount.apply", **coupon)["error"]
    assert answer["code"] == "withdrawn"
    assert answer["message"].endswith("was taken back: it no longer counts.")


@pytest.mark.provokes(409)
def test_a_code_may_be_typed_and_one_that_is_none_is_refused(till: TillScreen) -> None:
    field = till.page.get_by_role("textbox", name="Coupon code")
    field.fill("LP-0000-0000")
    field.press("Enter")
    expect(till.said).to_have_text("Nobody knows the code LP-0000-0000.")
    field.fill(str(till.coupon(90150)["code"]))
    till.press("Apply")
    expect(till.total).to_have_text("$36.55")
    expect(field).to_have_value("")
    till.page.get_by_role("button", name=re.compile("^Take .* off$")).click()
    till.told("discount.removed")
    expect(till.total).to_have_text("$43.00")


def test_a_sale_is_rung_up_paid_and_told(till: TillScreen) -> None:
    till.page.get_by_role("button", name="Enamel mug").click()
    expect(till.lines).to_have_count(3)
    till.press("One more of Enamel mug")
    expect(till.total).to_have_text("$75.00")
    till.press("Remove Merino yarn, sage")
    expect(till.lines).to_have_count(2)
    till.choose_customer(MARA)
    till.pay.click()
    till.press("Card")
    expect(till.page.get_by_role("dialog", name="Paid")).to_contain_text("$64.00")
    expect(till.page.locator("#paid-report")).to_have_text("The loyalty panel knows.")
    till.press("Next sale")
    assert till.told("sale.completed")[0]["totalCents"] == 6_400
    till.told("customer.detached")
    expect(till.lines).to_have_count(0)
    expect(till.pay).to_be_disabled()


def test_a_sale_is_parked_resumed_voided_and_returned(till: TillScreen) -> None:
    till.choose_customer(MARA)
    till.press("Park")
    till.told("sale.parked")
    expect(till.lines).to_have_count(0)
    till.press("Sales 1")
    till.page.get_by_role("button", name=re.compile("^Resume ")).click()
    till.told("sale.resumed")
    expect(till.lines).to_have_count(2)
    expect(till.customer).to_contain_text("Mara Quill")
    till.press("Void")
    till.press("Back")
    expect(till.lines).to_have_count(2)
    till.press("Void")
    till.press("Void the sale")
    till.told("sale.voided")
    till.page.get_by_role("button", name="Library candle").click()
    till.pay.click()
    till.press("Cash")
    till.press("Next sale")
    till.press("Sales")
    till.page.get_by_role("button", name=re.compile("^Return ")).click()
    till.press("Return the sale")
    sales = till.page.get_by_role("list", name="Paid sales")
    expect(sales).to_contain_text("The loyalty panel knows of the return.")
    expect(sales.get_by_role("button")).to_have_count(0)


def test_another_clerk_and_a_lock_are_told(till: TillScreen) -> None:
    till.page.get_by_role("combobox", name="Clerk").select_option("Mel Sato (manager)")
    till.told("clerk.changed")
    till.press("Lock the till")
    till.told("till.locked")
    locked = till.page.get_by_role("dialog", name="Locked")
    for _ in range(2):
        till.page.keyboard.press("Escape")
        expect(locked).to_be_visible()
    till.open()
    expect(locked).to_be_visible()
    till.press("Ben Okafor")
    expect(locked).to_be_hidden()
    expect(till.page.get_by_role("combobox", name="Clerk")).to_have_value("ben")


def test_a_network_that_goes_and_comes_is_told(till: TillScreen) -> None:
    for offline in (True, False):
        till.page.context.set_offline(offline)
    assert till.told("network", times=2) == [{"online": False}, {"online": True}]


@pytest.mark.provokes(423)
def test_a_locked_till_launches_nobody(till: TillScreen) -> None:
    till.press("Lock the till")
    till.told("till.locked")
    assert till.ask("launch.request")["error"]["code"] == "locked"


def test_a_page_that_is_loaded_again_has_lost_nothing(till: TillScreen) -> None:
    till.choose_customer(MARA)
    till.ask("discount.apply", **till.coupon())
    expect(till.total).to_have_text("$38.00")
    till.open()
    expect(till.total).to_have_text("$38.00")
    till.shake_hands()
    assert till.told("customer.attached")[0]["email"] == MARA
    assert till.told("cart.changed")[0]["totalCents"] == 3_800


def test_what_the_scanner_reads_goes_where_it_belongs(till: TillScreen) -> None:
    till.page.keyboard.press("F2")
    for text in ("PN-INK", str(till.coupon()["code"]), "POS-22"):
        till.page.keyboard.type(text)
        till.page.keyboard.press("Enter")
        expect(till.page.get_by_role("searchbox", name="Search or scan")).to_have_value("")
    assert till.told("scan") == [{"text": "POS-22"}]
    expect(till.total).to_have_text("$50.50")


def test_the_whole_sale_by_keyboard(till: TillScreen) -> None:
    keys = till.page.keyboard
    keys.press("F2")
    keys.type("stork")
    keys.press("Enter")
    expect(till.lines).to_have_count(3)
    keys.press("F4")
    keys.type("mara")
    expect(till.page.get_by_role("list", name="Customers").get_by_role("button")).to_have_count(1)
    keys.press("Enter")
    expect(till.customer).to_contain_text("Mara Quill")
    keys.press("F9")
    expect(till.page.get_by_role("button", name="Card", exact=True)).to_be_focused()
    keys.press("Enter")
    expect(till.page.get_by_role("dialog", name="Paid")).to_be_visible()


def test_a_button_that_is_drawn_anew_keeps_the_focus(till: TillScreen) -> None:
    more = till.page.get_by_role("button", name="One more of A Year of Stitches")
    more.focus()
    for pieces in ("3 pieces", "4 pieces"):
        till.page.keyboard.press("Enter")
        expect(till.page.locator("#pieces")).to_have_text(pieces)
        expect(more).to_be_focused()


def test_names_are_text(till: TillScreen) -> None:
    till.choose_customer("tom@example.com")
    expect(till.customer).to_contain_text('Tom & "Jerry" <b>')
    till.panel.evaluate(
        "port.postMessage({v: 1, type: 'toast', payload: {text: '<img src=x onerror=alert(1)>'}})"
    )
    expect(till.said).to_have_text("<img src=x onerror=alert(1)>")


@pytest.mark.provokes("no connection")
def test_without_a_panel_one_sells_on(page: Page, desk: TillDesk, panel_api: PanelApi) -> None:
    page.route(f"{panel_api.origin}/**", lambda route: route.abort())
    till = TillScreen(page, desk).open()
    expect(page.locator("#connection")).to_have_text("Out of reach: sell on without it")
    till.pay.click()
    till.press("Cash")
    expect(page.get_by_role("dialog", name="Paid")).to_be_visible()


def test_where_there_is_no_room_the_panel_is_a_sheet(till: TillScreen) -> None:
    till.page.set_viewport_size(PHONE)
    frame, sheet = till.page.locator("#panel"), till.page.locator("#sheet")
    expect(frame).to_be_hidden()
    sheet.click()
    expect(frame).to_be_visible()
    expect(sheet).to_have_attribute("aria-expanded", "true")
    sheet.click()
    expect(frame).to_be_hidden()
    till.pay.scroll_into_view_if_needed()
    till.pay.click()
    expect(till.page.get_by_role("dialog", name="To pay")).to_be_visible()


def test_everything_can_be_read_and_hit(till: TillScreen) -> None:
    till.choose_customer("max@example.com")
    till.ask("discount.apply", **till.coupon())
    found = look(till, of_colour_only=False)
    for name in ("tour", "paying", "sales", "locked"):
        till.page.evaluate("(id) => document.getElementById(id).showModal()", name)
        found += look(till, of_colour_only=name != "sales")
        till.page.evaluate("(id) => document.getElementById(id).close()", name)
    assert not found, "\n".join(found)
    for width in (320, 360, 768, 1024, 1280):
        till.page.set_viewport_size({"width": width, "height": 720})
        expect_it_fits(till.page)


def look(till: TillScreen, *, of_colour_only: bool) -> list[str]:
    """What axe finds in the light, and of colours in the dark."""
    found = complaints(till.page, of_colour_only=of_colour_only)
    till.page.emulate_media(color_scheme="dark")
    found += [f"dark: {line}" for line in complaints(till.page, of_colour_only=True)]
    till.page.emulate_media(color_scheme="light")
    return found


def test_its_secrets_are_nowhere_in_the_browser(till: TillScreen) -> None:
    html = till.page.content()
    assert not any(KEYS[name] in html for name in ("launch_secret", "launch_kid", "api_key"))
    assert till.page.evaluate("localStorage.length + sessionStorage.length") == 0
