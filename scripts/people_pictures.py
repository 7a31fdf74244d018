"""Take the pictures of a paired till and its people again, into docs/people/.

It starts a sandbox engine and a panel of its own and ends them again.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from needs import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' own helpers are used here, too

from playwright.sync_api import Page, ViewportSize, sync_playwright  # noqa: E402

from sandbox.control import Sandbox  # noqa: E402
from screenshots import ARGUMENTS, WIDTHS, looks, save  # noqa: E402
from tests.browser.people import PIN, Admin, id_of, paired, press, signed_in  # noqa: E402
from tests.browser.till import Till  # noqa: E402
from tests.support.servers import Database, Panel, running_panel, sqlite_database  # noqa: E402

PICTURES = ROOT / "docs" / "people"


def main() -> int:
    program = CHROMIUM.find()
    if program is None:
        print(f"{CHROMIUM.name} is missing. Type: {CHROMIUM.how_to_install}", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        sandbox = running.enter_context(Sandbox.start(rate=None))
        database = running.enter_context(sqlite_database(folder))
        # Without the demo's automatic log-in.
        panel = running.enter_context(
            running_panel(sandbox, database, folder / "panel.log", LOYALTY_MODE="test")
        )
        playwright = running.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
        walk(page, panel, database)
        browser.close()
    return 0


def walk(page: Page, panel: Panel, database: Database) -> None:
    """From a device that nobody knows to a manager's approval."""
    admin, till = Admin(panel), Till(page, panel.address)
    page.goto(panel.address)
    page.locator("#pairing-code").wait_for()
    take(page, "pairing")
    paired(page, admin)
    page.get_by_text("Nobody here has a PIN yet").wait_for()
    take(page, "nobody")

    signed_in(page, admin, database, "mel", "Mel S.")
    page.get_by_role("button", name="End shift").click()
    start = admin.start_pin(id_of(database, "ana"))
    page.reload()
    page.get_by_role("button", name="Ana P.", exact=True).wait_for()
    take(page, "names")
    page.get_by_role("button", name="Ana P.", exact=True).click()
    press(page, start[:3])
    take(page, "pin")
    press(page, start[3:])
    page.get_by_text("Choose a PIN of your own").wait_for()
    take(page, "new-pin")
    press(page, PIN)
    page.get_by_text("Type your new PIN once more.").wait_for()
    press(page, PIN)
    page.get_by_text("Ana Pardo · Till 1").wait_for()

    till.look_up_mara()
    till.redeemed("$5 off")
    # As if the POS had put it on the sale.
    database.execute("UPDATE redemptions_pendingredemption SET applied_at = requested_at")
    till.undo()
    page.get_by_role("button", name="Ask a manager").click()
    till.dialog.wait_for()
    take(page, "approval")
    till.dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Lock", exact=True).click()
    page.locator("#pin").wait_for()
    take(page, "locked")


def take(page: Page, name: str) -> None:
    for width, scheme in looks():
        page.set_viewport_size(ViewportSize(width=width, height=WIDTHS[width]))
        page.emulate_media(color_scheme=scheme)
        save(page.screenshot(caret="hide"), PICTURES / f"{name}-{width}-{scheme}.png")
    page.set_viewport_size(ViewportSize(width=360, height=WIDTHS[360]))


if __name__ == "__main__":
    sys.exit(main())
