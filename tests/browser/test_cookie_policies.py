"""The whole job in a POS of another site, whatever its browser lets a foreign frame keep."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Playwright, Request, expect

from sandbox.control import Sandbox
from tests.browser import policies
from tests.browser.conftest import ARGUMENTS, PATIENCE
from tests.browser.pos import ALL, Installed, Pos, Site
from tests.browser.test_session import expire_bearers
from tests.support.servers import Database, Panel
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"
WHO = "Ana Pardo · 7, boston"
# The POS that posts its tokens has the bridge for the rest.
NO_LAUNCH = [kind for kind in ALL if kind != "launch.request"]


@pytest.fixture(scope="module", params=policies.some("all cookies blocked"))
def browsing(
    request: pytest.FixtureRequest,
    playwright: Playwright,
    chromium: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BrowserContext]:
    folder = tmp_path_factory.mktemp("profile")
    with policies.browsing(playwright, request.param, chromium, ARGUMENTS, folder) as context:
        context.set_default_timeout(PATIENCE * 1000)
        yield context


@pytest.fixture
def pos(browsing: BrowserContext, panel: Panel) -> Iterator[Pos]:
    site = Site()
    installed = Installed(panel, site)
    panel.database.execute(
        "UPDATE stores_installation SET pairing = ? WHERE id = ?", False, installed.id
    )
    page = browsing.new_page()
    page.set_viewport_size({"width": 420, "height": 800})
    yield Pos(page, panel, installed)
    page.close()
    site.stop()


@pytest.fixture
def asked(pos: Pos) -> list[Request]:
    """What the page and its frame ask of the panel."""
    asked: list[Request] = []
    pos.page.on(
        "request", lambda one: asked.append(one) if one.url.startswith(pos.panel_origin) else None
    )
    return asked


def cookies_of(asked: list[Request]) -> list[str]:
    return [one.url for one in asked if "cookie" in one.all_headers()]


def put_on_sale(pos: Pos) -> None:
    """Mara is on the sale, and a code of hers."""
    pos.tell("cart.changed", saleId="T-1", rev=1, totalCents=4200, currency="USD", coupons=[])
    pos.tell("customer.attached", email=MARA)
    expect(pos.panel.member.get_by_role("heading", name="Mara Quill")).to_be_visible()
    pos.panel.redeemed("$5 off")
    expect(pos.panel.coupon).to_contain_text("It is on the sale.")


def take_off(pos: Pos, sandbox: Sandbox) -> None:
    pos.panel.undo()
    expect(pos.panel.coupon).to_contain_text("The code no longer counts.")
    assert sandbox.balance(MARA) == 640


def lock(pos: Pos, database: Database) -> None:
    pos.tell("till.locked")
    pos.panel.expect_alert("This till is locked.")
    expect(pos.panel.member).to_have_count(0)
    good = "SELECT 1 FROM access_bearer WHERE installation_id = ? AND revoked_at IS NULL"
    until(lambda: not database.execute(good, pos.installed.id), "its bearers open nothing")


def test_launched_over_the_bridge(
    pos: Pos, asked: list[Request], database: Database, sandbox: Sandbox
):
    pos.open()
    expect(pos.frame.get_by_text(WHO)).to_be_visible()
    put_on_sale(pos)
    take_off(pos, sandbox)

    expire_bearers(database)
    pos.panel.look_up("pia@example.com", "Pia Lindqvist")
    pos.panel.expect_no_alert()
    pos.page.reload()
    expect(pos.frame.get_by_text(WHO)).to_be_visible()

    pos.panel.look_up_mara()
    lock(pos, database)
    assert asked and cookies_of(asked) == []


def test_launched_by_a_form(pos: Pos, asked: list[Request], database: Database, sandbox: Sandbox):
    pos.open(NO_LAUNCH, by_post=True)
    expect(pos.frame.get_by_text(WHO)).to_be_visible()
    put_on_sale(pos)
    take_off(pos, sandbox)

    # Nobody renews it: the POS posts again.
    expire_bearers(database)
    pos.panel.ask("pia@example.com")
    expect(pos.panel.alert).to_contain_text("Reload the panel to go on.")
    pos.page.evaluate("launchByPost()")
    expect(pos.frame.get_by_text(WHO)).to_be_visible()
    pos.panel.look_up("pia@example.com", "Pia Lindqvist")
    pos.page.reload()
    expect(pos.frame.get_by_text(WHO)).to_be_visible()

    pos.panel.look_up_mara()
    lock(pos, database)
    assert asked and cookies_of(asked) == []
