"""One POST to an address that somebody typed in: never inside, never further, never for long."""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import SplitResult

from alerts.addresses import NotAllowed, addresses_of, parts_of
from connectors.errors import (
    Misconfigured,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)

DEADLINE_SECONDS = 10.0
LOOK_UP_SECONDS = 3.0
CONNECT_SECONDS = 5.0
LONGEST_WAIT = 300.0
CALL = ("alert_webhook", "POST", "webhook")
HEADERS = {"Content-Type": "application/json", "User-Agent": "Loyalty-Panel"}


class Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever the name stands for by now."""

    def __init__(
        self, parts: SplitResult, addresses: list[str], tls: ssl.SSLContext | None, seconds: float
    ) -> None:
        super().__init__(parts.hostname or "", parts.port or default_port(parts))
        self.default_port = default_port(parts)
        self._addresses = addresses
        self._tls = tls
        # A time-out of a socket's begins anew with every byte; this one does not.
        self._end = threading.Timer(max(seconds, 0.1), self.hang_up)
        self._end.daemon = True

    def connect(self) -> None:
        self.sock = self._reach()
        if self._tls:
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        self._end.start()
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        share = CONNECT_SECONDS / len(self._addresses)
        *first, last = self._addresses
        for address in first:
            with suppress(OSError):
                return socket.create_connection((address, self.port), share)
        return socket.create_connection((last, self.port), share)

    def hang_up(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._end.cancel()
        super().close()


def post(url: str, body: bytes, headers: dict[str, str], tls: ssl.SSLContext | None = None) -> None:
    """Say it once; only the status of the answer is read, and no redirect is followed.

    Raises the connectors' errors: Refused where the address leads inside.
    """
    ends_at = time.monotonic() + DEADLINE_SECONDS
    try:
        parts = parts_of(url)
        port = parts.port or default_port(parts)
        addresses = addresses_of(parts.hostname or "", port, LOOK_UP_SECONDS)
    except NotAllowed as error:
        raise Refused(*CALL, words=str(error)) from None
    except OSError:
        raise Unavailable(*CALL, reason="dns") from None
    context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
    connection = Pinned(parts, addresses, context, ends_at - time.monotonic())
    try:
        status, wait = exchange(connection, parts, body, headers)
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise failure(status, wait)


def exchange(
    connection: Pinned, parts: SplitResult, body: bytes, headers: dict[str, str]
) -> tuple[int, float]:
    """The status, and the seconds that were asked for."""
    try:
        connection.connect()
    except ssl.SSLError:
        raise Unavailable(*CALL, reason="tls") from None
    except OSError:
        raise Unavailable(*CALL, reason="connect") from None
    try:
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        connection.request("POST", target, body, {**HEADERS, **headers})
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError):
        raise ReplyLost(*CALL) from None
    return answer.status, seconds(answer.getheader("Retry-After"))


def failure(status: int, wait: float) -> OutsideError:
    """As what a status other than 2xx counts."""
    if status in (429, 503):
        return Throttled(*CALL, status, wait=wait)
    if status in (401, 403):
        return Misconfigured(*CALL, status)
    if 300 <= status < 400:
        return Refused(*CALL, status, words="It redirects: give the address that it leads to.")
    if 400 <= status < 500 and status != 408:
        return Refused(*CALL, status, words=f"It answers {status}.")
    return ReplyLost(*CALL, status)


def seconds(said: str | None) -> float:
    asked = float(said) if said and said.isdecimal() else 30.0
    return min(max(asked, 1.0), LONGEST_WAIT)


def default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80
