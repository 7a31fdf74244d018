"""A POS page and a stand-in of the panel, on two sites that no server serves."""

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Frame, Page, Route

from tests.ground.checkout import ROOT

SCRIPT = ROOT / "static" / "bridge" / "loyalty-panel.js"
POS, PANEL, ELSEWHERE = (
    "https://pos.example.com",
    "https://loyalty.example.com",
    "https://elsewhere.example.com",
)
FRAME = f"{PANEL}/panel/shop/"
STRICT = (
    f"default-src 'none'; script-src 'self' {PANEL}; connect-src 'self'; base-uri 'none';"
    f" frame-src {PANEL} {ELSEWHERE}; require-trusted-types-for 'script'"
)
HOST_PAGE = f"""<!doctype html><title>POS</title>
<script src="{PANEL}/static/bridge/loyalty-panel.js"></script>
<iframe id="frame" title="Loyalty"></iframe><iframe id="other" title="Other"></iframe>"""
PANEL_PAGE = '<!doctype html><title>Panel</title><script src="/stand-in.js"></script>'
# What the panel's own end does, and nothing else.
STAND_IN = """
"use strict";
const nonce = crypto.randomUUID();
const heard = [];
const inits = [];
let port = null;
const answers = new Map();
const hello = (more = {}) => parent.postMessage(
  { ns: "loyalty-panel", type: "panel.hello", v: [1], nonce, ...more }, "*");
addEventListener("message", ({ source, data, ports }) => {
  if (source !== parent) return;
  inits.push(data);
  port = ports[0];
  port.onmessage = ({ data }) => (data.re ? answers.get(data.re)(data) : heard.push(data));
});
const ask = (type, payload, id = crypto.randomUUID()) => new Promise((done) => {
  answers.set(id, done);
  port.postMessage({ v: 1, id, type, payload });
});
const told = (type) => heard.filter((each) => each.type === type).map((each) => each.payload);
"""

Files = Mapping[str, tuple[str, str]]


class Stage:
    """Serves both sites to a page, and opens the POS's."""

    def __init__(self, page: Page, files: Files | None = None) -> None:
        self.page = page
        self.frame_id = "#frame"
        html, script = "text/html", "text/javascript"
        self._files = {
            f"{POS}/": (html, HOST_PAGE),
            FRAME: (html, PANEL_PAGE),
            f"{PANEL}/stand-in.js": (script, STAND_IN),
            f"{PANEL}/static/bridge/loyalty-panel.js": (script, SCRIPT.read_text()),
            f"{ELSEWHERE}/": (html, PANEL_PAGE),
            f"{ELSEWHERE}/stand-in.js": (script, STAND_IN),
            **(files or {}),
        }
        page.route("https://*.example.com/**", self._serve)

    def _serve(self, route: Route) -> None:
        content_type, body = self._files[route.request.url]
        headers = {"Content-Security-Policy": STRICT} if route.request.url == f"{POS}/" else {}
        route.fulfill(body=body, content_type=content_type, headers=headers)

    def open(self) -> None:
        self.page.goto(f"{POS}/")

    def connect(self, handlers: str = "{}", more: str = "") -> None:
        """Connect the frame, with handlers in JavaScript; what they take is kept in `taken`."""
        self.page.evaluate(
            f"""() => {{
                globalThis.taken = [];
                globalThis.frame = document.getElementById("frame");
                globalThis.panel = LoyaltyPanel.connect(frame, {{
                    origin: "{PANEL}", url: "{FRAME}", on: {handlers}, {more}
                }});
            }}"""
        )

    def hello(self, **more: object) -> None:
        self.frame.evaluate("(more) => hello(more)", more)

    def shake_hands(self) -> None:
        self.hello()
        self.frame.wait_for_function("port !== null")

    def connected(self, handlers: str = "{}", more: str = "") -> None:
        self.connect(handlers, more)
        self.shake_hands()

    @property
    def frame(self) -> Frame:
        """The stand-in, once it is loaded."""
        self.page.wait_for_selector(f"{self.frame_id}[src]")
        frame = self.page.query_selector(self.frame_id).content_frame()
        frame.wait_for_function("typeof hello === 'function'")
        return frame

    def ask(self, type_: str, payload: object = None) -> dict[str, Any]:
        """What the host answers the panel."""
        said = self.frame.evaluate(
            "([type, payload]) => ask(type, payload)", [type_, payload or {}]
        )
        return {name: value for name, value in said.items() if name not in {"re", "v"}}

    def tell(self, message: object) -> None:
        """A message of the panel that nobody answers."""
        self.frame.evaluate("(message) => port.postMessage(message)", message)

    def send(self, type_: str, payload: object) -> bool:
        return bool(self.page.evaluate("([t, p]) => panel.send(t, p)", [type_, payload]))

    def heard(self, type_: str, *, times: int = 1) -> list[Any]:
        """Payloads of that type that came to the panel, when there are so many."""
        self.frame.wait_for_function("([t, n]) => told(t).length >= n", arg=[type_, times])
        return list(self.frame.evaluate("(type) => told(type)", type_))

    def all_heard(self) -> list[str]:
        """The types that came, once all that was sent before has come."""
        self.send("network", {"online": True})
        self.heard("network")
        types: list[str] = self.frame.evaluate("heard.map((each) => each.type)")
        return types[:-1]

    @property
    def taken(self) -> list[Any]:
        return list(self.page.evaluate("taken"))

    def wait_for_ignored(self, count: int) -> None:
        self.page.wait_for_function("(count) => panel.ignored >= count", arg=count)
        assert self.page.evaluate("panel.ignored") == count
