"""HTTP: a thread for each connection, kept alive, and answers sent as the fault board wants."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.control_api import ControlApi, check_comes_from_here
from sandbox.faults import KINDS, Fault
from sandbox.gateway import BASE_PATH, Exchange, Gateway
from sandbox.messages import JSON, Refused, Reply, Request, refuse
from sandbox.reading import BadHead, read_fields
from sandbox.till import api as till_api
from sandbox.wire import SENDERS, Outgoing, head_bytes, http_date, reset_on_close
from sandbox.world import World

LARGEST_BODY = 2_000_000  # bytes; 10,000 coupon codes fit
MOST_FIELDS = 1_000
IDLE_SECONDS = 75
AS_JSON = json.JSONEncoder(ensure_ascii=False)


class SandboxServer(ThreadingHTTPServer):
    """Serves one `World`, over `tls` if given. Sleeping connections never keep the process from
    ending."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        world: World,
        tls: ssl.SSLContext | None = None,
        till: till_api.Till | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self.world = world
        self.gateway = Gateway(world, self.pause)
        self.scheme = "https" if tls else "http"
        self.control = ControlApi(world, self.scheme)
        self.till = till
        self._tls = tls
        super().__init__(address, Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: whoever is slow to shake hands holds up nobody else."""
        self.pause(self.world.switches.connection_seconds)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE_SECONDS)
        with self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            self.stopping.wait(seconds)

    def answer(self, request: Request) -> Exchange:
        if request.path.startswith(f"{BASE_PATH}/"):
            return self.gateway.answer(request)
        if self.till and request.path.startswith(till_api.PREFIX):
            check_comes_from_here(request, self.scheme)
            return Exchange(self.till.answer(request))
        return Exchange(self.control.answer(request))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers may hang up at any time; nothing else is expected here."""
        if not isinstance(sys.exception(), OSError):
            _report_bug()


def _report_bug() -> None:
    """Where it broke, without the values: they may hold what a caller sent."""
    error = sys.exception()
    frames = traceback.extract_tb(error.__traceback__) if error else []
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    print(f"sandbox: {type(error).__name__} at {place}", file=sys.stderr, flush=True)


def _target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request's target."""
    try:
        parts = urlsplit(target)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise refuse(400, "Bad request target") from None
    return parts.path, dict(pairs)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: SandboxServer
    raw_requestline: bytes
    fields: Mapping[str, str]

    def parse_request(self) -> bool:
        """A call as clients make it is read here; what is odd is left to the standard library,
        whose way through its e-mail parser costs as much as the work of a call."""
        words = str(self.raw_requestline, "latin-1").split()
        if len(words) != 3 or words[2] != self.protocol_version or words[1].startswith("//"):
            return self._parse_odd_request()
        self.command, self.path, self.request_version = words
        self.requestline = " ".join(words)
        try:
            self.fields = read_fields(self.rfile)
        except BadHead as bad:
            self.send_error(bad.status)
            return False
        self.close_connection = self.fields.get("connection", "").lower() == "close"
        awaits_word = self.fields.get("expect", "").lower() == "100-continue"
        return not awaits_word or self.handle_expect_100()

    def _parse_odd_request(self) -> bool:
        understood = super().parse_request()
        if understood:
            self.fields = {name.lower(): value for name, value in self.headers.items()}
        return understood

    def do_GET(self) -> None:
        request: Request | None = None
        try:
            request = self._request()
            exchange = self.server.answer(request)
        except Refused as refused:
            exchange = Exchange(refused.reply())
            self.close_connection = self.close_connection or request is None
        except Exception:  # noqa: BLE001 - a bug of the sandbox must not look like a dropped connection
            if not self.server.stopping.is_set():
                _report_bug()
            exchange = Exchange(Reply(500, {"error": "The sandbox has a bug"}))
        self._send(exchange)

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815

    def _request(self) -> Request:
        path, query = _target(self.path)
        return Request(
            method=self.command,
            path=path,
            query=query,
            headers=self.fields,
            body=self._body(),
        )

    def _body(self) -> bytes:
        if self.fields.get("transfer-encoding"):
            raise refuse(411, "Length required")
        length = self.fields.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise refuse(400, "Bad Content-Length")
        if int(length) > LARGEST_BODY:
            raise refuse(413, "The body is too large")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise refuse(400, "The body was cut short")
        return body

    def _send(self, exchange: Exchange) -> None:
        fault = exchange.fault
        sender = SENDERS[KINDS[fault.kind].send if fault else "whole"]
        try:
            kept = sender(self.connection, self._outgoing(exchange.reply, fault))
        except OSError:  # the caller hung up
            kept = False
        if not kept:
            self._hang_up(reset=bool(fault and fault.rst))

    def _outgoing(self, reply: Reply, fault: Fault | None) -> Outgoing:
        body = reply.raw
        if body is None:
            body = AS_JSON.encode(reply.data).encode()
        headers = {
            "Date": http_date(int(self.server.world.now())),
            "Content-Type": reply.content_type or JSON,
            "Content-Length": str(len(body)),
            **reply.headers,
        }
        if self.close_connection:
            headers["Connection"] = "close"
        seconds = fault.seconds if fault else 0
        return Outgoing(head_bytes(reply.status, headers), body, seconds, self.server.pause)

    def _hang_up(self, *, reset: bool) -> None:
        """End the connection at once, with FIN or, if `reset`, with RST."""
        self.close_connection = True
        if reset:
            reset_on_close(self.connection)
        else:
            self._shut_down()
        self.rfile.close()  # it holds the socket open
        self.connection.close()

    def _shut_down(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the caller was quicker
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines hold emails and phone numbers."""
