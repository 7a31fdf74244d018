"""Take the pictures of the docs again, and write the page that shows them.

Every state of tests/browser/states.py, as wide as a till's frame and as a desktop, light and dark,
into docs/screens/, and docs/screens.md. It starts a sandbox engine and a panel of its own and ends
them again.
"""

import base64
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from needs import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' own helpers are used here, too

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright  # noqa: E402

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
# Takes a picture's colours together to so many, and gives them and each pixel's number.
REDUCE = """
async ([picture, most]) => {
    const bitmap = await createImageBitmap(await (await fetch(picture)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    canvas.drawImage(bitmap, 0, 0);
    const pixels = new Uint32Array(
        canvas.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    const counts = new Map();
    for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    const colours = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
    const kept = colours.slice(0, most);
    const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
    const between = (a, b) => parts(a).reduce((sum, part, i) => sum + (part - parts(b)[i]) ** 2, 0);
    const nearest = (colour) => kept.reduce(
        (best, each, i) => between(each, colour) < between(kept[best], colour) ? i : best, 0);
    const numbers = new Map(colours.map((each, i) => [each, i < most ? i : nearest(each)]));
    const rows = Uint8Array.from(pixels, (pixel) => numbers.get(pixel));
    return {
        size: [bitmap.width, bitmap.height],
        palette: kept.flatMap(parts),
        rows: btoa(Array.from(rows, (row) => String.fromCharCode(row)).join("")),
    };
}
"""


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
        painter = browser.new_page()
        for state in STATES.values():
            take(browser, painter, panel, sandbox, state)
        browser.close()
    PAGE.write_text(draw())
    return 0


def take(browser: Browser, painter: Page, panel: Panel, sandbox: Sandbox, state: State) -> None:
    """Brought about once, then looked at in all ways."""
    sandbox.reset()
    panel.database.clear()
    with browser.new_context(locale="en-US", reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_viewport_size(ViewportSize(width=360, height=WIDTHS[360]))
        state.reach(Till(page, panel.address).open(), sandbox)
        for width, scheme in looks():
            page.set_viewport_size(ViewportSize(width=width, height=WIDTHS[width]))
            page.emulate_media(color_scheme=scheme)
            if width > 360:
                page.evaluate("scrollTo(0, 0)")
            picture = page.screenshot(caret="hide")
            (SCREENS / name_of(state, width, scheme)).write_bytes(small(painter, picture))


def looks() -> Iterator[tuple[int, Scheme]]:
    return ((width, scheme) for width in WIDTHS for scheme in SCHEMES)


def name_of(state: State, width: int, scheme: str) -> str:
    return f"{state.name}-{width}-{scheme}.png"


def small(painter: Page, picture: bytes) -> bytes:
    """The same picture in a third of the bytes: a palette, and no filters."""
    address = "data:image/png;base64," + base64.b64encode(picture).decode()
    reduced = painter.evaluate(REDUCE, [address, COLOURS])
    width, height = reduced["size"]
    numbers = base64.b64decode(reduced["rows"])
    rows = b"".join(b"\0" + numbers[y * width : (y + 1) * width] for y in range(height))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", bytes(reduced["palette"])),
            chunk(b"IDAT", zlib.compress(rows, 9)),
            chunk(b"IEND", b""),
        ]
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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
