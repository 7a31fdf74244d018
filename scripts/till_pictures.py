"""Take the pictures of the demo's till again, with the panel in its frame, into docs/till/.

It starts a sandbox engine with a till and a panel of its own and ends them again.
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
from screenshots import ARGUMENTS, SCHEMES, save  # noqa: E402
from tests.support.servers import manage, running_panel, sqlite_database  # noqa: E402

PICTURES = ROOT / "docs" / "till"
WIDE, NARROW = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)


def main() -> int:
    program = CHROMIUM.find()
    if program is None:
        print(f"{CHROMIUM.name} is missing. Type: {CHROMIUM.how_to_install}", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        keys = folder / "till.json"
        sandbox = running.enter_context(Sandbox.start(rate=None, till=keys))
        database = running.enter_context(sqlite_database(folder))
        panel = running.enter_context(running_panel(sandbox, database, folder / "panel.log"))
        origin = sandbox.root_url.replace("127.0.0.1", "localhost")
        env = {**panel.env, "PUBLIC_URL": panel.url}
        manage(env, "seed_demo", "--till", str(keys), "--till-origin", origin)
        playwright = running.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = browser.new_context(
            locale="en-US", viewport=WIDE, reduced_motion="reduce"
        ).new_page()
        page.goto(f"{origin}/till/")
        redeem_for_mara(page)
        take(page)
        browser.close()
    return 0


def redeem_for_mara(page: Page) -> None:
    """Her code is on the sale, and the panel knows."""
    panel = page.frame_locator("#panel")
    panel.get_by_text("Ana Pardo").wait_for()
    page.get_by_role("button", name="Find customer").click()
    page.get_by_role("searchbox", name="Name, email or phone").fill("mara")
    page.get_by_role("button", name="Mara Quill").click()
    panel.get_by_role("button", name="Redeem $5 off").click()
    panel.get_by_role("dialog").get_by_role("button", name="Redeem", exact=True).click()
    panel.get_by_text("It is on the sale.").wait_for()


def take(page: Page) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(WIDE)
        save(page.screenshot(caret="hide"), PICTURES / f"wide-{scheme}.png")
        page.set_viewport_size(NARROW)
        page.get_by_role("button", name="Loyalty", exact=True).click()
        save(page.screenshot(caret="hide"), PICTURES / f"sheet-{scheme}.png")
        page.get_by_role("button", name="Loyalty", exact=True).click()
        page.locator(".sale").scroll_into_view_if_needed()
        save(page.screenshot(caret="hide"), PICTURES / f"narrow-{scheme}.png")


if __name__ == "__main__":
    sys.exit(main())
