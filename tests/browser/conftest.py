"""A panel of its own over the sandbox, and Chromium in front of it."""

import html
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.browser.watch import Watch
from tests.support.servers import Database, Panel, running_panel, sqlite_database
from tests.support.waiting import until

PHONE = ViewportSize(width=360, height=740)
# A busy machine may stand still for long; what is waited for costs no more than it takes.
PATIENCE = 45
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--site-per-process",  # as with windows: a frame of another site is another process
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "provokes(*what): HTTP statuses of 400 or more that this test brings about, and "
        "`no connection`; anything else in the console fails it, and so does one not seen",
    )


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if found is None:
        why = "No Chromium: name it in CHROMIUM, or type: sudo apt-get install chromium"
        (pytest.fail if os.environ.get("REQUIRE_ALL") == "1" else pytest.skip)(why)
    return found


# Of the package, not of the session: while Playwright runs, its event loop keeps Django's ORM
# from working in this thread, and tests of other folders may follow.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Debian's Chromium without windows where it is there; with them where policies are tried."""
    program = shutil.which("chromium-headless-shell") or chromium
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def _panel(
    _sandbox: Sandbox, output_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Panel]:
    log = output_dir / f"browser-panel-{uuid.uuid4().hex}.log"
    with (
        sqlite_database(tmp_path_factory.mktemp("panel")) as database,
        running_panel(_sandbox, database, log) as panel,
    ):
        yield panel


@pytest.fixture
def panel(_panel: Panel, sandbox: Sandbox) -> Panel:
    """Serving, with a fresh sandbox behind it and no redemption in its database."""
    _panel.database.clear()
    until(lambda: reaches_engine(_panel), "the breaker that a test before opened is closed")
    sandbox.reset()
    return _panel


def reaches_engine(panel: Panel) -> bool:
    """A look-up ends when all its calls of the engine have."""
    bearer = requests.post(f"{panel.address}launch", timeout=PATIENCE).json()["bearer"]
    headers = {"Authorization": f"Bearer {bearer}"}
    data = {"query": "mara@example.com"}
    answer = requests.post(f"{panel.address}lookup", data, headers=headers, timeout=PATIENCE)
    return answer.ok and "can't be reached" not in html.unescape(answer.text)


@pytest.fixture
def database(panel: Panel) -> Database:
    return panel.database


@pytest.fixture(scope="package")
def watch(browser: Browser) -> Iterator[Watch]:
    context = browser.new_context(locale="en-US", timezone_id="UTC")
    context.set_default_timeout(PATIENCE * 1000)
    context.new_page()
    yield Watch(context)
    context.close()


@pytest.fixture
def viewport() -> ViewportSize:
    """Parametrise it for another size of window."""
    return PHONE


@pytest.fixture
def context(request: pytest.FixtureRequest, watch: Watch) -> Iterator[BrowserContext]:
    """At its end nothing may have gone wrong but what the mark `provokes` names.

    One for all tests, for a new one costs a second; what a test leaves in it is cleared away.
    """
    marks = request.node.iter_markers("provokes")
    watch.begin({what for mark in marks for what in mark.args})
    yield watch.context
    try:
        watch.end()
    finally:
        clear(watch.context)


def clear(context: BrowserContext) -> None:
    first, *others = context.pages
    for page in others:
        page.close()
    first.unroute_all(behavior="ignoreErrors")
    context.set_offline(False)
    context.clear_permissions()
    context.clear_cookies()
    # The admin's pages keep what they show there. (Playwright's own way takes a tenth of a second.)
    everywhere = {"origin": "*", "storageTypes": "local_storage"}
    devtools = context.new_cdp_session(first)
    devtools.send("Storage.clearDataForOrigin", everywhere)
    devtools.detach()


@pytest.fixture
def page(context: BrowserContext, viewport: ViewportSize) -> Page:
    (page,) = context.pages
    page.set_viewport_size(viewport)
    return page


@pytest.fixture
def till(page: Page, panel: Panel) -> Iterator[Till]:
    """The panel, open and launched, nobody looked up yet."""
    till = Till(page, panel.address, env=panel.env).open()
    yield till
    till.let_go()


@pytest.fixture
def second_till(context: BrowserContext, panel: Panel) -> Callable[[], Till]:
    """Opens the panel once more, in another tab."""
    return lambda: Till(context.new_page(), panel.address).open()
