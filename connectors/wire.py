"""Sockets and connections that keep one deadline for a whole call, and know whether it was sent.

A read time-out starts again with every byte, and a library's exception does not tell "never sent"
from "sent, no answer". Both matter where points move, so the sockets themselves look at the call
that they serve. The call is held in a context variable: urllib3 hands nothing of ours down to them.
"""

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Thread
from typing import Any

import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection

# Asked longer ago than this and not yet sent: the person at the till has moved on.
TOO_LATE_SECONDS = 5.0
# Servers and the boxes between drop idle connections without telling, the quickest after seconds.
FRESH_SECONDS = 5.0
IDLE_SECONDS = 50.0
# Kept warm, one older than this is opened anew: with the time until the next look at it, well
# before a caller would find it too old.
YOUNG_SECONDS = 25.0


class NotSent(Exception):
    """Nothing was written. No OSError, so that no library wraps, retries or swallows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Attempt:
    """One try of one call. Instants are those of `clock`, in seconds."""

    deadline: float
    asked_at: float
    connect_seconds: float
    moves_points: bool = False
    idle_seconds: float = IDLE_SECONDS
    clock: Callable[[], float] = time.monotonic
    sent: bool = False
    connect_until: float = field(default=0.0, init=False)

    def left(self) -> float:
        return self.deadline - self.clock()

    def start_connecting(self) -> None:
        self.connect_until = min(self.deadline, self.clock() + self.connect_seconds)

    def left_to_connect(self) -> float:
        return _some(self.connect_until - self.clock())

    def left_to_read(self) -> float:
        return _some(self.left())

    def is_late(self, pause: float = 0.0) -> bool:
        return self.clock() + pause - self.asked_at > TOO_LATE_SECONDS

    def about_to_write(self) -> float:
        """Note that it is sent from here on. Raises NotSent when that would be too late."""
        if not self.sent and self.is_late():
            raise NotSent("too_late")
        left = _some(self.left())
        self.sent = True
        return left

    def accepts(self, used_at: float) -> bool:
        """Whether a connection last used then is young enough to carry it."""
        most = FRESH_SECONDS if self.moves_points else self.idle_seconds
        return self.clock() - used_at <= most


def _some(seconds: float) -> float:
    if seconds <= 0:
        raise TimeoutError("the call's deadline has passed")
    return seconds


_current: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def serving(attempt: Attempt) -> Iterator[None]:
    """Sockets used in this block keep to `attempt`."""
    token = _current.set(attempt)
    try:
        yield
    finally:
        _current.reset(token)


class _KeepsDeadline(socket.socket):
    """Before it waits, it looks at what is left of the call."""

    used_at = 0.0

    def sendall(self, *args: Any) -> None:
        self.settimeout(_current.get().about_to_write())
        super().sendall(*args)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        attempt = _current.get()
        self.settimeout(attempt.left_to_read())
        count = super().recv_into(*args, **kwargs)
        self.used_at = attempt.clock()
        return count

    def only_tickets_came(self) -> bool:
        """Whether what has arrived unasked means nothing. A plain server has nothing to say."""
        return False


class PlainSocket(_KeepsDeadline):
    pass


class TLSSocket(_KeepsDeadline, ssl.SSLSocket):
    """Its `sendall` sends piece by piece, with a time-out for each, so each piece looks anew."""

    def send(self, *args: Any) -> int:
        self.settimeout(_current.get().about_to_write())
        return super().send(*args)

    def only_tickets_came(self) -> bool:
        """Take in what TLS 1.3 sends after a handshake: before the first answer, or with it."""
        try:
            self.settimeout(0)
            self.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            pass
        return False

    def do_handshake(self, block: bool = False) -> None:
        attempt = _current.get()
        self.settimeout(attempt.left_to_connect())
        super().do_handshake(block)
        self.used_at = attempt.clock()


def connect(host: str, port: int) -> PlainSocket:
    """Try the host's addresses in turn, each with a fair share of the time to connect."""
    attempt = _current.get()
    addresses = look_up(host, port, attempt.left_to_connect())
    for more, address in zip(reversed(range(len(addresses))), addresses, strict=True):
        try:
            return _connected(address, attempt.left_to_connect() / (more + 1))
        except OSError:
            if not more:
                raise
    raise socket.gaierror(socket.EAI_NONAME, "the name has no address")


def _connected(found: Any, seconds: float) -> PlainSocket:
    family, kind, protocol, _name, address = found
    sock = PlainSocket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    sock.used_at = _current.get().clock()
    return sock


def look_up(host: str, port: int, seconds: float) -> list[Any]:
    """The host's addresses. In a thread of its own, because getaddrinfo knows no time-out."""
    answer: Future[list[Any]] = Future()
    Thread(target=_answer, args=(answer, host, port), daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None


def _answer(answer: "Future[list[Any]]", host: str, port: int) -> None:
    try:
        answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        answer.set_exception(socket.gaierror(socket.EAI_FAIL, type(error).__name__))


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "dns"),
    (TimeoutError, "timeout"),
    (ssl.SSLError, "tls"),
    (Exception, "connect"),
)


class _KnowsItsCall(HTTPConnection):
    """Our part of both kinds of connection."""

    sock: _KeepsDeadline | None

    def connect(self) -> None:
        _current.get().start_connecting()
        reason = None
        try:
            super().connect()
        except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:
            reason = next(word for kind, word in _REASONS if isinstance(error, kind))
        if reason is not None:
            raise NotSent(reason)

    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port)

    @property
    def is_connected(self) -> bool:
        """urllib3 asks before it takes a connection from the pool, and closes it on False."""
        attempt = _current.get()
        if self.sock is None or not attempt.accepts(self.sock.used_at):
            return False
        if super().is_connected:
            return True
        # A part of a record looks the same, so points go out on a connection that is quite still.
        return not attempt.moves_points and self.sock.only_tickets_came()


class _PlainConnection(_KnowsItsCall):
    pass


class _TLSConnection(_KnowsItsCall, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    """Our part of both kinds of pool."""

    def warm(self, count: int) -> None:
        """Have so many connections connected. Raises NotSent.

        Those that are ready already go back at once: a caller takes them meanwhile.
        """
        taken = [self._get_conn() for _ in range(count)]
        cold = [connection for connection in taken if connection.is_closed]
        for connection in taken:
            if connection not in cold:
                self._put_conn(connection)
        for connection in cold:
            connection.connect()
            self._put_conn(connection)


class _PlainPool(_Pool):
    ConnectionCls = _PlainConnection


class _TLSPool(_Pool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class Adapter(HTTPAdapter):
    """requests' adapter for one place, over our connections; one TLS context for all of them.

    Used without requests' session, which would look for cookies, proxies, passwords and redirects:
    none of them is ours, and all of it together costs more than the call.
    """

    def __init__(self, url: str, pool_size: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(pool_connections=1, pool_maxsize=pool_size)
        self._url = url
        self._size = pool_size
        self._context = context

    @cached_property
    def _pool(self) -> _Pool:
        """Raises urllib3's LocationValueError where the address has no host."""
        parts = urllib3.util.parse_url(self._url)
        host = parts.host or ""
        if parts.scheme != "https":
            return _PlainPool(host, parts.port, maxsize=self._size)
        context = for_our_sockets(self._context) if self._context else tls_context()
        return _TLSPool(host, parts.port, maxsize=self._size, ssl_context=context)

    def get_connection_with_tls_context(self, *_args: Any, **_how: Any) -> _Pool:
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """No proxy is asked for."""
        return request.path_url

    def warm(self, count: int) -> None:
        """Have so many connections connected. Raises NotSent."""
        self._pool.warm(count)

    def close(self) -> None:
        """The next call opens a new pool."""
        pool = self.__dict__.pop("_pool", None)
        if pool is not None:
            pool.close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: it would read the bundle of certificates again for every connection."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Without cookies read or an encoding guessed."""
        response = Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.request = req
        return response


def for_our_sockets(context: ssl.SSLContext) -> ssl.SSLContext:
    context.sslsocket_class = TLSSocket
    return context


@cache
def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Trusts the usual authorities, and those of `ca_file` (PEM). Raises OSError for no such."""
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return for_our_sockets(context)


# Every logger of urllib3 that writes URLs, and with them a look-up's email. A filter on each, for
# levels can be set back, and a filter on the parent would not see their records.
LIBRARY_LOGGERS = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)


def _nothing(_record: logging.LogRecord) -> bool:
    return False


for _name in LIBRARY_LOGGERS:
    logging.getLogger(_name).addFilter(_nothing)
