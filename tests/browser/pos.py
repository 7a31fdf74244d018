"""A page of a point of sale on another site, with the panel in its frame and a host of the bridge.

Written by the messages of docs/bridge.md and not with our own script, so that each end is tried by
itself.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from playwright.sync_api import FrameLocator, Page

from tests.browser.till import Till
from tests.support.servers import Panel, manage

PAGE = """<!doctype html><meta charset="utf-8"><title>A till</title>
<link rel="icon" href="data:,">
<style>iframe { width: 380px; height: 700px; border: 0 }</style>
<input id="scanner" aria-label="Scanner">
<iframe id="panel" name="panel" title="Loyalty" allow="clipboard-write"></iframe>
<form id="post" method="post" action="%(address)s" target="panel">
  <input type="hidden" name="token"></form>
<script>
  const frame = document.getElementById("panel");
  const mint = async () => (await fetch("/mint", { method: "POST" })).text();
  window.told = [];
  window.refuse = {};
  window.offered = %(offered)s;
  const does = {
    "launch.request": async () => ({ token: await mint() }),
    "discount.apply": async () => ({}),
    "discount.remove": async () => ({}),
    "customer.attach": async () => ({}),
  };
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== "%(origin)s") return;
    if (window.silent || data?.type !== "panel.hello" || data.nonce === window.nonce) return;
    // It says hello until it is answered: a second answer's port would be heard by nobody.
    window.nonce = data.nonce;
    const { port1, port2 } = new MessageChannel();
    window.port = port1;
    port1.onmessage = async ({ data: message }) => {
      told.push(message);
      if (!does[message.type]) return;
      const error = { code: "no", message: refuse[message.type] };
      const answer = error.message
        ? { ok: false, error }
        : { ok: true, payload: await does[message.type](message.payload) };
      port1.postMessage({ v: 1, re: message.id, ...answer });
    };
    const init = { ns: "loyalty-panel", type: "host.init", v: 1, capabilities: offered };
    source.postMessage({ ...init, nonce: data.nonce }, origin, [port2]);
  });
  window.tell = (type, payload) =>
    port.postMessage({ v: 1, id: crypto.randomUUID(), type, payload });
  window.launchByPost = async () => {
    const form = document.getElementById("post");
    form.elements.token.value = await mint();
    form.submit();
  };
  if (%(by_post)s) launchByPost();
  else frame.src = "%(address)s";
</script>
"""
ALL = ["launch.request", "discount.apply", "discount.remove", "customer.attach"]


class Site:
    """A web server on another site than the panel's: `localhost` is one, `127.0.0.1` another."""

    def __init__(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("text/html", site.html)

            def do_POST(self) -> None:
                self._answer("text/plain", site.mint())

            def _answer(self, kind: str, text: str) -> None:
                body = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.html = ""
        self.mint: Callable[[], str] = str
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Installed:
    """An installation of the panel for the POS of that site, with its launch secret."""

    def __init__(self, panel: Panel, site: Site, pos: str = "generic") -> None:
        self.site = site
        words = ("create_installation", "Quill", "--pos", pos, "--origin", site.origin)
        words += ("--id", f"quill-{uuid.uuid4().hex[:8]}", "--json")
        self._facts = json.loads(manage(panel.env, *words))
        self.id = self._facts["id"]

    @property
    def webhook(self) -> tuple[str, str]:
        """The path at which its engine tells it things, and the secret in it."""
        secret = str(self._facts["webhook_secret"])
        return f"/webhooks/yotpo/{self.id}/{secret}/all", secret

    def token(self, audience: str, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.id,
            "aud": audience,
            "sub": "ana",
            "name": "Ana Pardo",
            "role": "associate",
            "store": "boston",
            "till": "7",
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            **changes,
        }
        headers = {"kid": self._facts["launch_kid"]}
        return jwt.encode(claims, self._facts["launch_secret"], "HS256", headers=headers)


class Pos:
    """The till's page. `clerk` is who its tokens name."""

    def __init__(self, page: Page, panel: Panel, installed: Installed) -> None:
        self.page, self.installed = page, installed
        self.panel_origin = panel.url
        self.address = f"{panel.url}/panel/{installed.id}/"
        self.clerk: dict[str, Any] = {}
        self.minted = 0
        self.frame: FrameLocator = page.frame_locator("#panel")
        self.panel = Till(page, self.address, self.frame)

    def mint(self) -> str:
        self.minted += 1
        return self.installed.token(self.panel_origin, **self.clerk)

    def open(self, offered: Sequence[str] = ALL, *, by_post: bool = False) -> "Pos":
        """Launched over the bridge (level A), or by posting a form into the frame (level B)."""
        words = {"address": self.address, "origin": self.panel_origin}
        words |= {"offered": json.dumps(offered), "by_post": json.dumps(by_post)}
        self.installed.site.mint = self.mint
        self.installed.site.html = PAGE % words
        self.page.goto(f"{self.installed.site.origin}/till")
        return self

    def tell(self, event: str, **payload: Any) -> None:
        self.page.evaluate("([type, payload]) => tell(type, payload)", [event, payload])

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of that kind, oldest first."""
        said: list[dict[str, Any]] = self.page.evaluate(
            "(type) => told.filter((one) => one.type === type).map((one) => one.payload)", kind
        )
        return said

    def refuse(self, kind: str, words: str) -> None:
        self.page.evaluate("([type, words]) => { refuse[type] = words }", [kind, words])
