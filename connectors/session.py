"""One call to an outside system, over one pool of connections.

A POST is written once. A GET is read again while that can help and time is left.
"""

import http.client
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from ssl import SSLContext
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from django.db import connections

from connectors.answers import Answer, NoAnswer, Reply, judge, wait_of
from connectors.errors import Call, Misconfigured, Unavailable
from connectors.limits import Limits
from connectors.wire import YOUNG_SECONDS, Adapter, Attempt, NotSent, serving

logger = logging.getLogger(__name__)

ALWAYS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "Loyalty-Panel",
}
LONGEST_BODY = 5_000_000
SHORTEST_SECRET = 6

MORE_TRIES_OF_A_GET = 2
LONGEST_PAUSE = 0.2
PASSING_STATUSES = frozenset({500, 502, 503, 504})
PASSING_REASONS = frozenset({"connect", "dropped"})

# All that requests, urllib3 and the standard library raise where a call goes wrong.
LIBRARY_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class Session:
    """Calls to one outside system. Safe to share between threads; give each system one.

    `headers` carry the credentials. `tls` replaces the usual certificates, for a system with its
    own.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        headers: Mapping[str, str],
        limits: Limits,
        *,
        connect_seconds: float = 3.0,
        pool_size: int = 128,
        tls: SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.system = system
        self.limits = limits
        self._base_url = base_url.rstrip("/")
        self._headers = {**ALWAYS, **headers}
        self._secrets = [text for text in headers.values() if len(text) >= SHORTEST_SECRET]
        self._connect_seconds = connect_seconds
        self._pool_size = pool_size
        self._tls = tls
        self._clock = clock
        self._owned = self._opened()
        self._used_at = clock()

    def call(
        self,
        method: str,
        path: str,
        *,
        template: str | None = None,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        moves_points: bool = False,
        deadline: float,
        asked_at: float | None = None,
    ) -> Reply:
        """Make the call and give back its reply, if that is a yes.

        `deadline` is in seconds, for all of it; `asked_at` is when a person asked for it, on the
        monotonic clock (now, if left out). `template` stands for a path that names someone.
        Raises Unavailable, Throttled, Refused, NotFound, Misconfigured or ReplyLost, and
        RuntimeError inside a transaction.
        """
        refuse_open_transaction()
        give_back_pooled_connections()
        call = Call(self.system, method, template or path)
        request = self._prepared(call, path, params, json)
        now = self._used_at = self._clock()
        attempt = Attempt(
            deadline=now + deadline,
            asked_at=now if asked_at is None else asked_at,
            connect_seconds=self._connect_seconds,
            moves_points=moves_points,
            clock=self._clock,
        )
        if attempt.is_late():
            raise Unavailable(*call, reason="too_late")
        return judge(call, self._outcome(call, request, attempt), self._secrets)

    def quiet_seconds(self) -> float:
        """How long nobody has called; from the beginning, where nobody has."""
        return self._clock() - self._used_at

    def warm(self, count: int) -> bool:
        """Have so many connections open and young, so that no caller waits for a handshake.

        Asks the system nothing. False where it could not be reached.
        """
        now = self._clock()
        attempt = Attempt(
            deadline=now + self._connect_seconds,
            asked_at=now,
            connect_seconds=self._connect_seconds,
            idle_seconds=YOUNG_SECONDS,
            clock=self._clock,
        )
        try:
            with serving(attempt):
                self._http().warm(count)
        except (NotSent, RuntimeError, *LIBRARY_ERRORS):  # RuntimeError: no thread could be had
            return False
        return True

    def close(self) -> None:
        """Close the pooled connections; the next call opens new ones."""
        self._owned[1].close()

    @cached_property
    def _blank(self) -> requests.PreparedRequest:
        """What all calls have in common, looked through once."""
        for value in self._headers.values():
            value.encode("latin-1")
        blank = requests.PreparedRequest()
        blank.prepare("GET", self._base_url, headers=self._headers)
        return blank

    def _prepared(
        self, call: Call, path: str, params: Mapping[str, str] | None, json: Any
    ) -> requests.PreparedRequest:
        try:
            request = self._blank.copy()
            request.method = call.method
            request.url = f"{request.url}{path}{'?' if params else ''}{urlencode(params or {})}"
            if json is not None:
                request.prepare_body(None, None, json)
            return request
        except (requests.RequestException, ValueError):
            pass
        raise Misconfigured(*call)

    def _outcome(
        self, call: Call, request: requests.PreparedRequest, attempt: Attempt
    ) -> Answer | NoAnswer:
        """What came of it, with the limits asked before and told after."""
        self.limits.before(call)
        reached = False
        try:
            outcome = self._tries(request, attempt)
            reached = isinstance(outcome, Answer) and outcome.status < 500
        finally:
            self.limits.after(reached)
        if isinstance(outcome, Answer):
            self.limits.note_rate(outcome.headers)
            if outcome.status == 429:
                self.limits.note_throttled(wait_of(outcome))
        logger.debug("%s %s %s: %s", *call, outcome)
        return outcome

    def _tries(self, request: requests.PreparedRequest, attempt: Attempt) -> Answer | NoAnswer:
        outcome = self._try_once(request, attempt)
        for _ in range(MORE_TRIES_OF_A_GET if request.method == "GET" else 0):
            pause = random.uniform(LONGEST_PAUSE / 4, LONGEST_PAUSE)
            if not may_pass(outcome) or attempt.left() <= pause or attempt.is_late(pause):
                break
            time.sleep(pause)
            outcome = self._try_once(request, replace(attempt, sent=False))
        return outcome

    def _try_once(self, request: requests.PreparedRequest, attempt: Attempt) -> Answer | NoAnswer:
        status = None
        try:
            with (
                serving(attempt),
                self._http().send(request, stream=True) as response,
            ):
                status = response.status_code
                body = body_of(response)
                return Answer(status, response.headers, body, datetime.now(UTC))
        except NotSent as error:
            return NoAnswer(error.reason, sent=False)
        except LIBRARY_ERRORS:
            reason = "timeout" if attempt.left() <= 0 else "dropped"
            return NoAnswer(reason, attempt.sent, status)

    def _http(self) -> Adapter:
        """Our pool of connections; a forked process gets its own."""
        if self._owned[0] != os.getpid():
            self._owned = self._opened()
        return self._owned[1]

    def _opened(self) -> tuple[int, Adapter]:
        return os.getpid(), Adapter(self._base_url, self._pool_size, self._tls)


def body_of(response: requests.Response) -> bytes | None:
    """The body, unpacked; None where it can't be, or is longer than any true answer."""
    try:
        body: bytes = response.raw.read(LONGEST_BODY + 1, decode_content=True)
    except urllib3.exceptions.DecodeError:
        return None
    return body if len(body) <= LONGEST_BODY else None


def may_pass(outcome: Answer | NoAnswer) -> bool:
    """Whether a GET is worth another try."""
    if isinstance(outcome, Answer):
        return outcome.status in PASSING_STATUSES
    return outcome.reason in PASSING_REASONS


def refuse_open_transaction() -> None:
    """A transaction held across a call holds its locks for as long as the other side likes.

    The blocks that Django's TestCase puts around a test don't count.
    """
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks if connection.in_atomic_block else ()
        if not all(getattr(block, "_from_testcase", False) for block in blocks):
            raise RuntimeError(
                "An outside system must not be called inside a transaction: commit first, "
                "or call it in transaction.on_commit()."
            )


def give_back_pooled_connections() -> None:
    """As many threads wait outside as a server has; a pool has fewer connections than that."""
    for connection in connections.all(initialized_only=True):
        pooled = connection.settings_dict.get("OPTIONS", {}).get("pool")
        if pooled and not connection.in_atomic_block:
            connection.close()
