"""The sandbox's till over HTTP, and a panel's API that does as it is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.control import Sandbox
from tests.support.waiting import until

KEYS = {
    "installation": "shop",
    "launch_kid": "kid-1",
    "launch_secret": "a-secret-of-more-than-thirty-two-bytes",
    "api_key": "lp_a-key-that-nobody-prints",
}
Told = list[list[Any]]


class PanelApi:
    """`answers` are used up one by one; then it accepts. What it was asked is in `asked`."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        panel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                panel.asked.append((self.path, dict(self.headers), body))
                status, said = panel.answers.pop(0) if panel.answers else (201, {})
                raw = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def forget(self) -> None:
        self.answers.clear()
        self.asked.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def write_keys(file: Path, panel: PanelApi, **more: str) -> None:
    told = {"panel_url": f"{panel.origin}/panel/shop/", **KEYS, **more}
    file.touch(mode=0o600)
    file.write_text(json.dumps(told))


class TillDesk:
    """Does what the till's page does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = f"http://localhost:{urlsplit(sandbox.root_url).port}/till/"
        self.http = requests.Session()
        self.http.trust_env = False

    def ask(self, act: str, **body: object) -> requests.Response:
        return self.http.post(f"{self.url}api/{act}", json=body, timeout=30)

    def do(self, act: str, **body: object) -> Told:
        """What the panel is told of it."""
        answer = self.ask(act, **body)
        assert answer.ok, answer.text
        self.state = answer.json()["state"]
        return list(answer.json()["tell"])

    def refused(self, act: str, **body: object) -> tuple[int, str]:
        answer = self.ask(act, **body)
        assert not answer.ok, answer.text
        return answer.status_code, answer.json()["code"]

    def now(self) -> dict[str, Any]:
        self.do("state")
        return dict(self.state)

    @property
    def ticket(self) -> dict[str, Any]:
        return dict(self.now()["ticket"])

    def empty(self) -> None:
        """A fresh till has two things on its first sale."""
        for line in self.ticket["lines"]:
            self.do("quantity", sku=line["sku"], quantity=0)

    def attach(self, sought: str) -> Told:
        [customer] = self.ask("search", sought=sought).json()["customers"]
        return self.do("attach", id=customer["id"])

    def wait_until_all_is_told(self) -> None:
        """Else a sale of this test might be told to the panel of the next."""
        self.do("clerk", id="ana")
        until(self.has_told_all, "the panel knows of every sale")

    def has_told_all(self) -> bool:
        return all(sale["report"] != "due" for sale in self.now()["sales"])

    def wait_for_report(self, state: str) -> dict[str, Any]:
        """The latest sale, once the panel's answer is such."""
        return until(
            lambda: next((s for s in self.now()["sales"][:1] if s["report"] == state), None),
            f"the report of the sale is {state}",
        )
