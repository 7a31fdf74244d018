"""Take the pictures of the docs again: the panel's main states, as wide as a till's frame and as a
tablet, into docs/screens/. It starts a sandbox engine and a panel of its own and ends them again.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from needs import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' own helpers are used here, too

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright  # noqa: E402

from sandbox.control import Sandbox  # noqa: E402
from tests.browser.till import Till  # noqa: E402
from tests.support.servers import Panel, running_panel, sqlite_database  # noqa: E402

SCREENS = ROOT / "docs" / "screens"
WIDTHS = {360: 740, 1280: 800}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def empty(_till: Till, _sandbox: Sandbox) -> None:
    """Nobody has been looked up yet."""


def member(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()


def dialog(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.choose("Points for dollars")
    till.points_field.fill("250")


def coupon(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.redeemed("$5 off")
    till.expect_points("140")


def uncertain(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_after")
    sandbox.fault("GET /customers", "status", match={"with_history": "true"}, times=None)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.expect_points("140")


def undone(till: Till, sandbox: Sandbox) -> None:
    coupon(till, sandbox)
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")


def enrol(till: Till, _sandbox: Sandbox) -> None:
    till.query.fill("new.person@example.com")
    till.start_enrolment()
    till.phone.fill("555-0188")
    till.phone.press("Tab")
    expect(till.enrolment).to_contain_text("incomplete")


STATES: dict[str, Callable[[Till, Sandbox], None]] = {
    "look-up": empty,
    "member": member,
    "dialog": dialog,
    "coupon": coupon,
    "uncertain": uncertain,
    "undone": undone,
    "enrol": enrol,
}


def main() -> int:
    program = CHROMIUM.find()
    if program is None:
        print(f"{CHROMIUM.name} is missing. Type: {CHROMIUM.how_to_install}", file=sys.stderr)
        return 1
    SCREENS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        sandbox = running.enter_context(Sandbox.start(rate=None))
        database = running.enter_context(sqlite_database(folder))
        panel = running.enter_context(running_panel(sandbox, database, folder / "panel.log"))
        playwright = running.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for state in STATES:
            for width in WIDTHS:
                take(browser, panel, sandbox, state, width)
        browser.close()
    return 0


def take(browser: Browser, panel: Panel, sandbox: Sandbox, state: str, width: int) -> None:
    sandbox.reset()
    panel.database.clear()
    viewport = ViewportSize(width=width, height=WIDTHS[width])
    with browser.new_context(viewport=viewport, color_scheme="light") as context:
        till = Till(context.new_page(), panel.address).open()
        STATES[state](till, sandbox)
        till.page.screenshot(path=SCREENS / f"{state}-{width}.png")


if __name__ == "__main__":
    sys.exit(main())
