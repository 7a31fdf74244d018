"""Faults: what can go wrong with a call, as data.

A fault answers three questions: is the endpoint's work done, what is answered, and how is the
answer sent. `KINDS` gives these for each kind; a fault may override the first with `made`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sandbox.messages import HTML, JSON, PLAIN, Reply, refuse, refuse_field

HTML_PAGE = b"<!doctype html><title>502</title><h1>Bad gateway</h1><p>A proxy wrote this page.</p>"
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Fault:
    """One fault to come. `times` None means until cleared; `seconds` is used by kinds that wait."""

    id: int
    endpoint: str
    kind: str
    seconds: float = 1
    status: int = 503
    body: Any = None
    content_type: str | None = None
    times: int | None = 1
    match: Mapping[str, Any] = field(default_factory=dict)
    rst: bool = False
    made: bool | None = None
    retry_after: int | None = None

    def aims_at(self, endpoint: str, params: Mapping[str, Any]) -> bool:
        wanted = all(str(params.get(name)) == str(value) for name, value in self.match.items())
        return self.endpoint in ("*", endpoint) and wanted

    @property
    def does_the_work(self) -> bool:
        return KINDS[self.kind].made if self.made is None else self.made


Answer = Callable[[Fault, Reply], Reply]


def _as_it_is(fault: Fault, reply: Reply) -> Reply:
    return reply


def _own_status(fault: Fault, reply: Reply) -> Reply:
    data = {"error": "Switched fault"} if fault.body is None else fault.body
    raw = data.encode() if isinstance(data, str) else None
    content_type = fault.content_type or (PLAIN if raw is not None else None)
    return Reply(fault.status, data, raw, content_type)


def _throttled(fault: Fault, reply: Reply) -> Reply:
    told = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Reply(429, {"message": "API rate limit exceeded"}, headers=told)


def _html(fault: Fault, reply: Reply) -> Reply:
    return Reply(200, raw=HTML_PAGE, content_type=HTML)


def _text(body: bytes) -> Answer:
    return lambda fault, reply: Reply(200, raw=body, content_type=JSON)


def _error_inside(fault: Fault, reply: Reply) -> Reply:
    return Reply(200, {"error": "Something went wrong"} if fault.body is None else fault.body)


def _with_fields(**fields: object) -> Answer:
    def answer(fault: Fault, reply: Reply) -> Reply:
        if not (reply.ok and isinstance(reply.data, dict)):
            return reply
        return replace(reply, data={**reply.data, **fields})

    return answer


def _as_plain_text(fault: Fault, reply: Reply) -> Reply:
    return replace(reply, content_type=PLAIN)


@dataclass(frozen=True)
class Kind:
    """`made`: the work is done. `waits`: before or after it. `send`: a sender of `wire`."""

    made: bool = True
    waits: str = ""
    answer: Answer = _as_it_is
    send: str = "whole"


KINDS: Mapping[str, Kind] = {
    "slow": Kind(waits="before"),
    "late": Kind(waits="after"),
    "hang": Kind(made=False, waits="after", send="drop"),
    "drop_before": Kind(made=False, send="drop"),
    "drop_after": Kind(send="drop"),
    "status": Kind(made=False, answer=_own_status),
    "throttle": Kind(made=False, answer=_throttled),
    "html": Kind(made=False, answer=_html),
    "html_after": Kind(answer=_html),
    "empty": Kind(made=False, answer=_text(b"")),
    "null": Kind(made=False, answer=_text(b"null")),
    "list": Kind(made=False, answer=_text(b"[]")),
    "error_inside": Kind(made=False, answer=_error_inside),
    "not_approved": Kind(answer=_with_fields(approved=False, approved_at=None)),
    "code_missing": Kind(answer=_with_fields(reward_text=None, code=None)),
    "text_plain": Kind(answer=_as_plain_text),
    "cut": Kind(send="cut"),
    "trickle": Kind(send="trickle"),
    "trickle_headers": Kind(send="trickle_headers"),
}

# field -> (test, words); `endpoint` and `kind` are checked apart because they are always needed.
CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "seconds": (
        lambda v: type(v) in (int, float) and 0 <= v <= LONGEST_SECONDS,
        f"must be seconds from 0 to {LONGEST_SECONDS}",
    ),
    "status": (lambda v: type(v) is int and 200 <= v <= 599, "must be an HTTP status"),
    "body": (lambda v: True, ""),
    "content_type": (
        lambda v: v is None or (isinstance(v, str) and v.isprintable()),
        "must be one line of text",
    ),
    "times": (lambda v: v is None or (type(v) is int and v > 0), "must be 1 or more, or null"),
    "match": (lambda v: isinstance(v, dict), "must be an object"),
    "rst": (lambda v: isinstance(v, bool), "must be true or false"),
    "retry_after": (
        lambda v: v is None or (type(v) is int and 0 <= v <= LONGEST_SECONDS),
        f"must be whole seconds up to {LONGEST_SECONDS}, or null",
    ),
    "made": (lambda v: v is None or isinstance(v, bool), "must be true, false or null"),
}


class FaultBoard:
    """The faults that are set, taken in the order in which they were set."""

    def __init__(self, endpoints: Collection[str]) -> None:
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._last_id = self._last_cleared_id = 0
        self._cleared = threading.Event()

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Raises `Refused` (422) for an endpoint, a kind or a field that doesn't exist."""
        endpoint, kind = self._checked(wanted)
        details = {name: wanted[name] for name in CHECKS if name in wanted}
        with self._lock:
            self._last_id += 1
            fault = Fault(self._last_id, endpoint, kind, **details)
            self._faults.append(fault)
        return fault

    def _checked(self, wanted: Mapping[str, Any]) -> tuple[str, str]:
        endpoint, kind = wanted.get("endpoint"), wanted.get("kind")
        if endpoint != "*" and endpoint not in self._endpoints:
            raise refuse_field("endpoint", "must be * or one of " + ", ".join(self._endpoints))
        if kind not in KINDS:
            raise refuse_field("kind", "must be one of " + ", ".join(KINDS))
        for name in wanted.keys() - {"endpoint", "kind"}:
            accepts, words = CHECKS.get(name, (lambda v: False, "is no field of a fault"))
            if not accepts(wanted[name]):
                raise refuse_field(name, words)
        return str(endpoint), str(kind)

    def take(self, endpoint: str, params: Mapping[str, Any]) -> Fault | None:
        """The first fault that aims at this call, counted down."""
        with self._lock:
            fault = next((f for f in self._faults if f.aims_at(endpoint, params)), None)
            if fault is not None and fault.times is not None:
                self._count_down(fault, fault.times - 1)
        return fault

    def _count_down(self, fault: Fault, left: int) -> None:
        place = self._faults.index(fault)
        self._faults[place : place + 1] = [replace(fault, times=left)] if left else []

    def remove(self, fault_id: int) -> None:
        with self._lock:
            if all(fault.id != fault_id for fault in self._faults):
                raise refuse(404, "No such fault")
            self._faults = [fault for fault in self._faults if fault.id != fault_id]

    def clear(self) -> None:
        """Also lets go of every call that a fault holds up now."""
        with self._lock:
            self._faults = []
            self._last_cleared_id = self._last_id
            self._cleared.set()
            self._cleared = threading.Event()

    def hold_up(self, fault: Fault) -> None:
        """Wait in its name, until its seconds are over or all faults are cleared."""
        with self._lock:
            if fault.id <= self._last_cleared_id:
                return
            cleared = self._cleared
        cleared.wait(fault.seconds)

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]
