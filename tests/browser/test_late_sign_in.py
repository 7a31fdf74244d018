"""A sign-in that is answered after whoever typed the PIN has gone away from it."""

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.held import Held
from tests.browser.people import PIN, Admin, found
from tests.browser.pos import Installed, Site
from tests.support.servers import Panel
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.provokes(401)]


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture
def installed(panel: Panel, site: Site) -> Installed:
    """Where a launch has made the till 7 and Ana."""
    made = Installed(panel, site)
    launch = f"{panel.url}/panel/{made.id}/launch"
    assert requests.post(launch, json={"token": made.token(panel.url)}, timeout=30).ok
    return made


def test_who_went_away_before_the_answer_is_not_signed_in(
    page: Page, panel: Panel, installed: Installed
):
    def id_in(table: str, its_installation: str) -> str:
        sql = f"SELECT id FROM {table} WHERE {its_installation} = ?"
        return str(panel.database.execute(sql, installed.id)[0][0])

    admin = Admin(panel)
    stores = id_in("stores_store", "installation_id")
    [(till,)] = panel.database.execute("SELECT id FROM stores_till WHERE store_id = ?", int(stores))
    start = admin.start_pin(int(id_in("stores_associate", "installation_id")))
    told = admin.post("access/pairedtill/add/", till=str(till))
    page.goto(found(re.compile(r'id="till-address">([^<]+)<'), told))
    page.get_by_role("button", name="Ana P.", exact=True).click()
    for digits, then in ((start, "of your own"), (PIN, "once more")):
        page.locator("#pin").press_sequentially(digits)
        expect(page.get_by_text(then)).to_be_visible()
    held = Held(page, "**/people/sign-in")
    page.locator("#pin").press_sequentially(PIN)
    held.wait()

    page.get_by_role("button", name="Somebody else").click()
    held.let_go()

    ended = "SELECT 1 FROM access_pinsession WHERE ended_why = 'locked'"
    until(lambda: panel.database.execute(ended), "the session has ended", seconds=10)
    page.reload()
    expect(page.get_by_role("region", name="PIN")).to_be_visible()
