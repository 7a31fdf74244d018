"""Take the pictures of the docs again, and write the page that shows them.

Every state of tests/browser/states.py, as wide as a till's frame and as a desktop, light and dark,
into docs/screens/, and docs/screens.md. It starts a sandbox engine and a panel of its own and ends
them again.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from needs import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' own helpers are used here, too

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, ViewportSize, sync_playwright  # noqa: E402

from sandbox.control import Sandbox  # noqa: E402
from tests.browser.states import STATES, State  # noqa: E402
from tests.browser.till import Till  # noqa: E402
from tests.support.servers import Panel, running_panel, sqlite_database  # noqa: E402

PAGE = ROOT / "docs" / "screens.md"
SCREENS = ROOT / "docs" / "screens"
WIDTHS = {360: 740, 1280: 720}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SHOWN = {360: 180, 1280: 420}  # how wide the page shows them
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
COLOURS = 256


def main() -> int:
    program = CHROMIUM.find()
    if program is None:
        print(f"{CHROMIUM.name} is missing. Type: {CHROMIUM.how_to_install}", file=sys.stderr)
        return 1
    SCREENS.mkdir(parents=True, exist_ok=True)
    for old in SCREENS.glob("*.png"):
        old.unlink()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        sandbox = running.enter_context(Sandbox.start(rate=None))
        database = running.enter_context(sqlite_database(folder))
        panel = running.enter_context(running_panel(sandbox, database, folder / "panel.log"))
        playwright = running.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for state in STATES.values():
            take(browser, panel, sandbox, state)
        browser.close()
    PAGE.write_text(draw())
    return 0


def take(browser: Browser, panel: Panel, sandbox: Sandbox, state: State) -> None:
    """Brought about once, then looked at in all ways."""
    sandbox.reset()
    panel.database.clear()
    panel.database.delay_points(state.delayed)
    with browser.new_context(locale="en-US", reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_viewport_size(ViewportSize(width=360, height=WIDTHS[360]))
        state.reach(Till(page, panel.address, env=panel.env).open(), sandbox)
        for width, scheme in looks():
            page.set_viewport_size(ViewportSize(width=width, height=WIDTHS[width]))
            page.emulate_media(color_scheme=scheme)
            if width > 360:
                page.evaluate("scrollTo(0, 0)")
            save(page.screenshot(caret="hide"), SCREENS / name_of(state, width, scheme))
        page.unroute_all(behavior="ignoreErrors")


def looks() -> Iterator[tuple[int, Scheme]]:
    return ((width, scheme) for width in WIDTHS for scheme in SCHEMES)


def name_of(state: State, width: int, scheme: str) -> str:
    return f"{state.name}-{width}-{scheme}.png"


def save(picture: bytes, place: Path) -> None:
    """With a palette: the screens have few colours, and the repository keeps every picture."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS).save(place, optimize=True)


def draw() -> str:
    """The page docs/screens.md, whole."""
    return "\n".join([HEAD, *(entry(state) for state in STATES.values())])


HEAD = """# Every state of the panel

Written by `make screenshots` from `tests/browser/states.py`; do not edit. Each picture is as wide
as a till's frame (360 px) or a desktop (1280 px), light and dark. The people are invented.
"""


def entry(state: State) -> str:
    pictures = "\n".join(
        f'<img src="screens/{name_of(state, width, scheme)}" width="{SHOWN[width]}" '
        f'alt="{state.title}, {width} px, {scheme}">'
        for width, scheme in looks()
    )
    return f"## {state.title}\n\n{state.says} **Next:** {state.then}\n\n{pictures}\n"


if __name__ == "__main__":
    sys.exit(main())
