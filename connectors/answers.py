"""What came back from a call, and what it means: one reading for all systems.

A POST that was sent and brought no clear yes or no is lost, never failed: it may have acted.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from connectors.errors import (
    Call,
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from connectors.limits import LONGEST_WAIT, number
from connectors.words import words_of

T = TypeVar("T")

UNREADABLE: Final = object()
"""Stands for the data of a reply whose body was no JSON."""

# Nothing was done, and it may be tried again: too many calls, or the record is being changed.
BUSY = frozenset({423, 429})
# These say all by their status; the others must say something, or a proxy may have spoken.
CLEAR_WITHOUT_BODY = frozenset({401, 403, 404})


# A yes in which one of these is false is no yes, whatever its status.
SAYING_NO = ("success", "approved", "ok")


class Unreadable(ValueError):
    """The data has not the shape that we need. Carries no text: it could quote the data."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer over HTTP. `body` is None where it could not be unpacked or was too long."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    received_at: datetime

    @property
    def engine_time(self) -> datetime | None:
        return _http_date(self.headers.get("Date"))

    def __str__(self) -> str:
        return str(self.status)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """None, or only part of one. `sent`: something of the request may have reached them."""

    reason: str
    sent: bool
    status: int | None = None

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Reply:
    """A yes (2xx). `data` is the JSON value in it; `read` turns it into something of ours.

    `engine_time` is the other side's clock as it answered, `received_at` ours; both UTC.
    """

    status: int
    data: object = field(repr=False)
    engine_time: datetime | None
    received_at: datetime
    call: Call

    def acknowledge(self) -> None:
        """Be content with a yes whose body nobody documents: empty, plain text or any JSON.

        Raises ReplyLost (a POST) or Unavailable (a GET) where an error or a no stands in it.
        """
        data = self.data if isinstance(self.data, dict) else {}
        if data.get("error") or data.get("errors") or False in map(data.get, SAYING_NO):
            raise without_answer(self.call, "unreadable", self.status)

    def read(self, parse: Callable[[Any], T]) -> T:
        """What `parse` makes of the data.

        Raises ReplyLost (a POST) or Unavailable (a GET) where it raises Unreadable.
        """
        try:
            return parse(self.data)
        except Unreadable:
            pass
        raise without_answer(self.call, "unreadable", self.status)


def judge(call: Call, outcome: Answer | NoAnswer, secrets: Iterable[str] = ()) -> Reply:
    """The reply, if the answer is a yes; else the error that the outcome stands for."""
    if isinstance(outcome, NoAnswer):
        raise without_answer(call, outcome.reason, outcome.status, sent=outcome.sent)
    if not 200 <= outcome.status < 300:
        raise without_a_yes(call, outcome, secrets)
    if is_html(outcome.body):
        raise without_answer(call, "unreadable", outcome.status)
    data = parse_json(outcome.body)
    return Reply(outcome.status, data, outcome.engine_time, outcome.received_at, call)


def without_answer(
    call: Call, reason: str, status: int | None = None, *, sent: bool = True
) -> OutsideError:
    """The error for a call of which we don't know what came of it."""
    if sent and call.method != "GET":
        return ReplyLost(*call, status, timed_out=reason == "timeout")
    return Unavailable(*call, status, reason=reason)


def without_a_yes(call: Call, answer: Answer, secrets: Iterable[str] = ()) -> OutsideError:
    """The error for a whole answer that is no yes."""
    status = answer.status
    if status in BUSY:
        return Throttled(*call, status, wait=wait_of(answer))
    said = _said(answer) if 400 <= status < 500 and status != 408 else UNREADABLE
    if said is UNREADABLE:
        return without_answer(call, "status", status)
    if status in {401, 403}:
        return Misconfigured(*call, status)
    refusal = NotFound if status == 404 else Refused
    return refusal(*call, status, words=words_of(said, secrets))


def _said(answer: Answer) -> object:
    """The JSON value or the plain text in a refusal's body."""
    data = parse_json(answer.body)
    if data is not UNREADABLE or answer.body is None or is_html(answer.body):
        return data
    try:
        text = answer.body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return UNREADABLE
    return text if text or answer.status in CLEAR_WITHOUT_BODY else UNREADABLE


def is_html(body: bytes | None) -> bool:
    """A page is the word of something between: none of our systems answers with one."""
    return (body or b"").lstrip().startswith(b"<")


def parse_json(body: bytes | None) -> object:
    """The JSON value in a body, whatever type its headers claim; else UNREADABLE."""
    try:
        return json.loads(body or b"")
    except (ValueError, RecursionError):
        return UNREADABLE


def wait_of(answer: Answer) -> float:
    """Seconds that a 429 asks us to wait: 1 where it does not say, 60 at most."""
    asked = answer.headers.get("Retry-After")
    wait = number(asked)
    if wait is None and (until := _http_date(asked)):
        wait = max((until - (answer.engine_time or answer.received_at)).total_seconds(), 0.0)
    if wait is None:
        wait = number(answer.headers.get("RateLimit-Reset"))
    return min(1.0 if wait is None else wait, LONGEST_WAIT)


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
