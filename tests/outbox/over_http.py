"""Deliveries to a little server on loopback, for workers that are real processes."""

import json
import os
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from connectors.errors import NotFound
from connectors.limits import Limits
from connectors.session import Session
from outbox.models import Delivery
from outbox.routes import Route


class Handler(BaseHTTPRequestHandler):
    server: "Shop"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.set()
        self.server.open.wait(30)
        with self.server.lock:
            self.server.effects[body["key"]] += 1
        self.say(200)

    def do_GET(self) -> None:
        self.say(200 if self.server.effects[self.path.rpartition("/")[2]] else 404)

    def say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: this is no part of what is tested."""


class Shop(ThreadingHTTPServer):
    """Does a thing as often as it is asked: it takes no keys. Answers while `open` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.effects: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.received, self.open = threading.Event(), threading.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A caller was killed while it waited."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open.set()
        self.shutdown()
        super().__exit__(kind, error, trace)


def session() -> Session:
    return Session("shop", os.environ["SHOP_URL"], {}, Limits())


def call(delivery: Delivery) -> None:
    session().call(
        "POST", "/things", json={"key": delivery.key}, deadline=20, asked_at=delivery.asked_at
    )


def seen(delivery: Delivery) -> bool:
    path = f"/things/{delivery.key}"
    try:
        session().call("GET", path, template="/things/{key}", deadline=5)
    except NotFound:
        return False
    return True


DELIVERIES = {"thing": Route(call=call, seen=seen, system="shop")}
