"""The bearer, the server and the page around the job: nobody should notice them."""

import signal
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.support.servers import Database, Panel
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"
NO_ANSWER = "No answer. Check the network, then try again: nothing is done twice."
LONG_AGO = "2020-01-01 00:00:00"


def expire_bearers(database: Database) -> None:
    """The page still takes its own for good."""
    database.execute("UPDATE access_bearer SET expires_at = ?", LONG_AGO)


@pytest.mark.provokes(401)
def test_an_expired_bearer_is_not_noticed_at_a_look_up(till: Till, database: Database):
    expire_bearers(database)
    till.look_up_mara()
    till.expect_no_alert()


@pytest.mark.provokes(401)
def test_an_expired_bearer_is_not_noticed_at_a_redemption(
    till: Till, database: Database, sandbox: Sandbox
):
    till.look_up_mara()
    till.choose("Points for dollars")
    till.points_field.fill("125")
    expire_bearers(database)
    till.redeem_button.click()
    till.shown_code()
    till.expect_points("515")
    till.expect_no_alert()
    assert [made["points"] for made in sandbox.redemptions()] == [125]


@pytest.mark.provokes(401)
def test_a_bearer_may_expire_at_every_step(till: Till, database: Database, sandbox: Sandbox):
    expire_bearers(database)
    till.look_up_mara()
    expire_bearers(database)
    till.choose("$5 off")
    expire_bearers(database)
    till.redeem_button.click()
    till.shown_code()
    till.expect_points("140")
    expire_bearers(database)
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")
    expire_bearers(database)
    till.start_enrolment()
    assert sandbox.call_counts()["POST /redemptions"] == 1


@pytest.mark.provokes(401)
def test_a_bearer_may_expire_while_a_lost_reply_is_checked(
    till: Till, database: Database, sandbox: Sandbox
):
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    expire_bearers(database)
    till.shown_code()
    till.expect_points("140")
    till.expect_no_alert()


@pytest.mark.provokes(401, "no connection")
def test_a_session_that_cannot_be_renewed_is_said_in_the_dialog(
    till: Till, database: Database, sandbox: Sandbox
):
    till.look_up_mara()
    till.choose("$5 off")
    expire_bearers(database)
    till.page.route("**/launch", lambda route: route.abort(), times=1)
    till.redeem_button.click()
    expect(till.dialog).to_contain_text("No connection. Check the network, then try again.")
    till.redeem_button.click()
    till.shown_code()
    till.expect_points("140")
    assert len(sandbox.redemptions()) == 1


@pytest.fixture
def restartable(panel: Panel) -> Iterator[Panel]:
    """Serving again at the end, whatever the test left."""
    yield panel
    try:
        requests.get(f"{panel.url}/healthz", timeout=5)
    except requests.ConnectionError:
        restart(panel)


def restart(panel: Panel) -> None:
    """At the same address, with a memory as empty as after a crash."""
    port = int(panel.url.rpartition(":")[2])
    panel.stop()
    panel.start(port=port)


@pytest.mark.provokes("no connection")
def test_a_restart_of_the_server_takes_nothing_from_the_page(
    till: Till, restartable: Panel, sandbox: Sandbox
):
    till.look_up_mara()
    till.choose("$5 off")
    restartable.signal(signal.SIGKILL)
    till.redeem_button.click()
    expect(till.dialog).to_contain_text(NO_ANSWER)

    restart(restartable)
    till.redeem_button.click()
    till.shown_code()
    till.expect_points("140")
    till.expect_no_alert()
    assert len(sandbox.redemptions()) == 1


@pytest.mark.provokes("no connection")
def test_a_server_that_dies_while_it_redeems_redeems_once(
    till: Till, restartable: Panel, sandbox: Sandbox, database: Database
):
    till.look_up_mara()
    sandbox.fault("POST /redemptions", "late", seconds=1.5)
    till.redeem("$5 off")
    until(sandbox.redemptions, "made at the engine")
    restartable.signal(signal.SIGKILL)
    expect(till.dialog).to_contain_text(NO_ANSWER)
    restart(restartable)

    till.redeem_button.click()
    till.expect_waiting()
    expect(till.code).to_be_visible(timeout=30_000)
    till.expect_points("140")
    assert len(sandbox.redemptions()) == 1
    assert len(database.states()) == 1


@pytest.mark.provokes("no connection")
def test_without_a_network_the_page_says_so_and_goes_on_after(till: Till, context: BrowserContext):
    context.set_offline(True)
    till.ask(MARA)
    till.expect_alert(NO_ANSWER)
    context.set_offline(False)
    till.look_up_mara()
    till.expect_no_alert()


def test_nothing_is_left_in_the_browser_after_a_job(
    second_till: Callable[[], Till], context: BrowserContext
):
    till = second_till()  # in a tab without a past
    address, before = till.page.url, kept_by(till.page)
    entries = till.page.evaluate("history.length")
    till.look_up_mara()
    till.redeemed("$5 off")
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.start_enrolment()

    assert before["session"] == {}
    assert kept_by(till.page) == before
    assert context.cookies() == []
    assert till.page.url == address
    assert till.page.evaluate("history.length") == entries


def kept_by(page: Page) -> dict[str, object]:
    kept: dict[str, object] = page.evaluate(
        """async () => ({
            local: {...localStorage},
            session: {...sessionStorage},
            databases: await indexedDB.databases(),
            caches: await caches.keys(),
            history: history.state,
        })"""
    )
    nothing = {"local": {}, "databases": [], "caches": [], "history": None}
    assert {name: kept[name] for name in nothing} == nothing
    return kept


def test_no_request_carries_a_person_in_its_address(till: Till):
    addresses: list[str] = []
    till.page.on("request", lambda request: addresses.append(request.url))
    till.look_up_mara()
    till.redeemed("$5 off")
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.look_up("(415) 555-0123", "Mara Quill")
    assert addresses
    assert not [url for url in addresses if "mara" in url.lower() or "5550123" in url]


def test_the_page_takes_no_focus_unasked(till: Till):
    assert till.focused() == "body"
    till.query.fill(MARA)
    till.query.press("Enter")
    till.expect_points("640")
    expect(till.query).to_be_focused()


def test_a_code_that_arrives_takes_no_focus(till: Till, sandbox: Sandbox):
    """It stays with the field that a scanner types into."""
    sandbox.fault("POST /redemptions", "drop_after")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.query.focus()
    till.shown_code()
    till.expect_points("140")
    expect(till.query).to_be_focused()


def test_nothing_comes_from_elsewhere(page: Page, panel: Panel):
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    Till(page, panel.address).open().look_up_mara()
    assert [url for url in addresses if not url.startswith(f"{panel.url}/")] == []
