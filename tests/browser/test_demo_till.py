"""The demo as a visitor sees it: the sandbox's till, and the panel of another site in its frame."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, ViewportSize, expect

from sandbox.control import Sandbox
from tests.contract.till import TillDesk
from tests.support.servers import Panel, manage, running_panel, sqlite_database
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    keys = tmp_path_factory.mktemp("shop") / "till.json"
    # Nobody has hands as quick as these tests: what they ask in a second is more than ten calls.
    with Sandbox.start(till=keys, rate=None) as sandbox:
        yield sandbox, keys


@pytest.fixture(scope="module")
def demo_panel(
    shop: tuple[Sandbox, Path], output_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Panel]:
    sandbox, keys = shop
    log = output_dir / f"till-panel-{uuid.uuid4().hex}.log"
    with (
        sqlite_database(tmp_path_factory.mktemp("panel")) as database,
        running_panel(sandbox, database, log) as panel,
    ):
        origin = TillDesk(sandbox).url.removesuffix("/till/")
        words = ("--till", str(keys), "--till-origin", origin)
        manage({**panel.env, "PUBLIC_URL": panel.url}, "seed_demo", *words)
        yield panel


class Shop:
    """The till's page, and the panel in it."""

    def __init__(self, page: Page, desk: TillDesk, panel: Panel) -> None:
        self.page = page
        self.desk = desk
        self.frame: FrameLocator = page.frame_locator("#panel")
        self.total = page.locator("#total")
        self.coupons = page.get_by_role("list", name="Coupons").get_by_role("listitem")
        self.points = self.frame.get_by_role("region", name="Member", exact=True)
        self.code = self.frame.locator("#coupon-code")
        self.panel = panel

    def open(self) -> "Shop":
        self.page.goto(self.desk.url)
        expect(self.frame.locator("#session")).to_have_text(re.compile("^Ana Pardo · Till 1"))
        return self

    def choose_mara(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Find customer")).click()
        self.page.get_by_role("searchbox", name="Name, email or phone").fill("mara")
        self.page.get_by_role("button", name=re.compile("^Mara Quill")).click()
        self.expect_points(640)

    def expect_points(self, points: int) -> None:
        expect(self.points.get_by_text(f"{points} points", exact=True)).to_be_visible()

    def redeem(self) -> str:
        button = self.frame.get_by_role("button", name="Redeem $5 off", exact=True)
        until(lambda: self.is_under_pointer(button), "the pointer's events reach the frame")
        button.click()
        dialog = self.frame.get_by_role("dialog")
        dialog.get_by_role("button", name="Redeem", exact=True).click()
        expect(self.coupons).to_have_count(1)
        return self.code.inner_text()

    @staticmethod
    def is_under_pointer(button: Locator) -> bool:
        """A frame of another site that has just come into view is drawn before it can be hit."""
        button.hover()
        return bool(button.evaluate("button => button.matches(':hover')"))

    def state(self, code: str) -> str:
        ask = "SELECT state FROM redemptions_pendingredemption WHERE code = ?"
        return str(self.panel.database.execute(ask, code)[0][0])


@pytest.fixture
def viewport() -> ViewportSize:
    return ViewportSize(width=1280, height=800)


@pytest.fixture
def visit(page: Page, shop: tuple[Sandbox, Path], demo_panel: Panel) -> Shop:
    sandbox, _ = shop
    demo_panel.database.clear()
    sandbox.reset()
    return Shop(page, TillDesk(sandbox), demo_panel).open()


def test_a_code_is_on_the_sale_by_itself_and_an_undo_takes_it_off(visit: Shop) -> None:
    visit.choose_mara()
    code = visit.redeem()
    expect(visit.coupons).to_contain_text(code)
    expect(visit.total).to_have_text("$38.00")
    expect(visit.frame.get_by_text("It is on the sale.")).to_be_visible()
    assert visit.desk.sandbox.balance(MARA) == 140

    visit.frame.get_by_role("button", name="Undo", exact=True).click()
    expect(visit.coupons).to_have_count(0)
    visit.expect_points(640)
    expect(visit.total).to_have_text("$43.00")
    assert visit.desk.refused("apply", code=code) in {(409, "withdrawn"), (409, "reversed")}


def test_what_is_paid_is_told_server_to_server_and_nothing_stays(visit: Shop) -> None:
    visit.choose_mara()
    code = visit.redeem()
    visit.page.get_by_role("button", name=re.compile("^Pay ")).click()
    visit.page.get_by_role("button", name="Card", exact=True).click()
    expect(visit.page.locator("#paid-report")).to_have_text("The loyalty panel knows.")
    assert visit.state(code) == "used"
    visit.page.get_by_role("button", name="Next sale").click()
    expect(visit.points).to_have_count(0)
    assert "Mara" not in visit.frame.locator("body").inner_text()


def test_what_is_voided_gives_the_points_back(visit: Shop) -> None:
    visit.choose_mara()
    code = visit.redeem()
    expect(visit.frame.get_by_text("It is on the sale.")).to_be_visible()
    visit.page.get_by_role("button", name="Void", exact=True).click()
    visit.page.get_by_role("button", name="Void the sale").click()
    until(lambda: visit.state(code) in {"reversing", "reversed"}, "its points go back")


def test_a_page_that_is_loaded_again_is_back_at_the_sale(visit: Shop) -> None:
    visit.choose_mara()
    visit.redeem()
    expect(visit.frame.get_by_text("It is on the sale.")).to_be_visible()
    visit.open()
    visit.expect_points(140)
    expect(visit.total).to_have_text("$38.00")


def test_a_lock_and_another_clerk_reach_the_panel(visit: Shop) -> None:
    visit.choose_mara()
    visit.page.get_by_role("button", name="Lock the till").click()
    expect(visit.points).to_have_count(0)
    visit.page.get_by_role("button", name="Ben Okafor").click()
    expect(visit.frame.get_by_text("Ben Okafor · Till 1")).to_be_visible()
    visit.expect_points(640)


@pytest.mark.parametrize("viewport", [{"width": 360, "height": 740}], ids=["360px"])
def test_on_a_small_screen_the_same_is_done_on_a_sheet(visit: Shop) -> None:
    sheet = visit.page.get_by_role("button", name="Loyalty", exact=True)
    visit.page.get_by_role("button", name=re.compile("^Find customer")).click()
    visit.page.get_by_role("button", name=re.compile("^Mara Quill")).click()
    sheet.click()
    visit.expect_points(640)
    visit.redeem()
    sheet.click()
    expect(visit.total).to_have_text("$38.00")
