"""The sandbox's engine inside the test's own process, without sockets: a call takes a millisecond.

For tests that need thousands of calls. The way from a prepared request to its judged answer is the
connector's own; only the wire is missing.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from connectors.answers import Answer, NoAnswer
from connectors.limits import Limits
from connectors.session import Session
from connectors.wire import Attempt
from connectors.yotpo.client import Credentials, Yotpo
from sandbox.control import API_KEY, GUID, Sandbox, SandboxError
from sandbox.control_api import PREFIX, ControlApi
from sandbox.faults import KINDS
from sandbox.gateway import Gateway
from sandbox.messages import Request
from sandbox.wire import http_date
from sandbox.world import World
from sandbox.yotpo.store import Store

ROOT_URL = "http://127.0.0.1"


class SandboxInside(Sandbox):
    """Steered as one that runs in a process of its own."""

    def __init__(self) -> None:
        super().__init__(ROOT_URL)
        self.world = World(Store(":memory:"), guid=GUID, api_key=API_KEY, rate=None, seeded=True)
        self.gateway = Gateway(self.world, pause=lambda seconds: None)
        self._control = ControlApi(self.world, "http")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        asked = Request(
            method, f"{PREFIX}/{path}", {}, {"host": "127.0.0.1"}, json.dumps(body or {}).encode()
        )
        reply = self._control.answer(asked)
        if not reply.ok:
            raise SandboxError(f"{method} {path}: {reply.status}")
        return json.loads(json.dumps(reply.data))

    def stop(self) -> None:
        super().stop()
        self.world.store.close()


class _Wireless(Session):
    """Asks the sandbox by a function call, after telling `before` which call it is."""

    gateway: Gateway
    before: Callable[[str], None]

    def _try_once(self, request: requests.PreparedRequest, attempt: Attempt) -> Answer | NoAnswer:
        url = urlsplit(str(request.url))
        self.before(f"{request.method} {url.path}")
        attempt.sent = True
        exchange = self.gateway.answer(
            Request(
                method=str(request.method),
                path=url.path,
                query=dict(parse_qsl(url.query)),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body_of(request),
            )
        )
        if exchange.fault and KINDS[exchange.fault.kind].send != "whole":
            return NoAnswer("dropped", sent=True)
        reply, now = exchange.reply, datetime.now(UTC)
        body = reply.raw if reply.raw is not None else json.dumps(reply.data).encode()
        headers = {
            "Date": http_date(int(now.timestamp())),
            "Content-Type": reply.content_type or "application/json",
            **reply.headers,
        }
        return Answer(reply.status, headers, body, now)


def body_of(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body if isinstance(body, bytes) else body.encode()


def engine_of(sandbox: SandboxInside, before: Callable[[str], None] = lambda call: None) -> Yotpo:
    """A client of it; `before` is told of each call before it is made."""
    engine = Yotpo(
        Credentials(sandbox.base_url, sandbox.guid, sandbox.api_key), Limits(rate_per_second=1e6)
    )
    wireless = _Wireless("yotpo", sandbox.base_url, sandbox.headers, engine.limits, pool_size=1)
    wireless.gateway, wireless.before = sandbox.gateway, before
    engine._session = wireless
    return engine
