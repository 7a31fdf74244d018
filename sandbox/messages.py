"""What comes in and what goes out, free of sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """One HTTP request, its body read whole. Header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One answer: `data` is sent as JSON unless `raw` bytes are given."""

    status: int = 200
    data: Any = None
    raw: bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Refused(Exception):
    """A request that is answered with an error; `data` is the JSON body."""

    def __init__(self, status: int, data: object) -> None:
        super().__init__(status)
        self.status = status
        self.data = data

    def reply(self) -> Reply:
        return Reply(status=self.status, data=self.data)


def refuse(status: int, words: str) -> Refused:
    """The commonest error body, `{"error": words}`."""
    return Refused(status, {"error": words})


def refuse_field(name: str, words: str) -> Refused:
    """A Rails-style validation error, `{name: [words]}`, status 422."""
    return Refused(422, {name: [words]})
