"""Bytes that are no proper request, or hardly one, sent over a bare socket."""

import json
import random
import socket
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from tests.openapi.report import Report
from tests.openapi.words import CALL_SECONDS

CONTENT_TYPE = "application/problem+json"
PROBLEM = "urn:loyalty-panel:problem:"
# What is no call of ours has no place in the description.
BESIDE = {"no-such-call": 404, "method-not-allowed": 405, "bad-request": 400}
# The server refuses these itself, before they are a request to us.
NOT_HTTP = {400, 405, 414, 431, 501}
ID = "0197b1de-5a3c-7c1e-9f37-2f0c9a6d41b0"

HEADERS: tuple[bytes, ...] = (
    b"Content-Type: application/json; charset=utf-7",
    b"Content-Type: text/plain",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: \xff\xfe",
    b"Content-Encoding: gzip",
    b"Content-Length: -1",
    b"Content-Length: 5, 5",
    b"Content-Length: abc",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Expect: 100-continue",
    b"Idempotency-Key:",
    b"Idempotency-Key: \x80\xff",
    b"Idempotency-Key: " + b"k" * 300,
    b"Idempotency-Key: a\tb",
    b"Authorization: Bearer",
    b"Authorization: Bearer \xc3\xa9\x00",
    b"Authorization: Basic Og==",
    b"Host: \xff",
    b"Host: evil.example, x",
    b"X-Forwarded-For: \xff, '",
    b"X-Request-Id: " + b"\xe2\x82\xac" * 40,
    b"Cookie: sessionid=\xff; csrftoken=%00",
    b"Accept: \xff/*;q=NaN",
    b"Range: bytes=0-18446744073709551615",
    b"A" * 9000 + b": x",
    b"No colon at all",
)
TAILS: tuple[bytes, ...] = (
    b"?limit=%ff",
    b"?limit=9e9",
    b"?limit=\xf0\x9f\x92\xa9",
    b"?cursor=%00",
    b"?cursor=" + b"A" * 22,
    b"?cursor=" + b"A" * 200,
    b"?state=issued&state=used",
    b"?" + b"a=b&" * 600,
    b"/%00",
    b"%ff%fe",
    b"/../../etc/passwd",
    b";x=1",
    b"#x",
)
BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'{"id": "\\ud800"}',
    b'{"id": "a\\u0000"}',
    b'{"total_cents": NaN}',
    b'{"total_cents": 1e400}',
    b'{"total_cents": ' + b"9" * 5000 + b"}",
    b'{"id": "1", "id": "2"}',
    b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
    b"\x1f\x8b\x08\x00",
    b"{" * 100_000,
    b"email=mara",
)
METHODS = (b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"HEAD", b"FOO", b"get", b"\xff")


class Mangler:
    """Takes the examples of the description, and spoils a thing or two of each."""

    def __init__(
        self, url: str, description: dict[str, Any], chance: random.Random, report: Report
    ) -> None:
        parts = urlsplit(url)
        self.address = (str(parts.hostname), int(parts.port or 0))
        self.examples = list(examples_of(description))
        self.kinds = BESIDE | dict(kinds_of(description))
        self.chance, self.report = chance, report

    def send(self, key: str) -> None:
        request = self.mangled(key)
        try:
            status, content_type, body = self.ask(request)
        except (HTTPException, OSError) as error:
            if not self.breaks_off(request):
                self.report.find(f"mangled: no answer, {type(error).__name__}", repr(request[:600]))
            status, content_type, body = 0, "", b""
        self.report.note("mangled", status)
        if wrong := self.wrong_with(status, content_type, body):
            self.report.find(f"mangled: {wrong}", f"{request[:600]!r}\n{body[:600]!r}")

    def mangled(self, key: str) -> bytes:
        method, path, body = self.chance.choice(self.examples)
        headers = [
            b"Host: 127.0.0.1:%d" % self.address[1],
            b"Authorization: Bearer %s" % key.encode(),
            b"Connection: close",
        ]
        spoil = self.chance.choice((self.spoil_header, self.spoil_path, self.spoil_body, None))
        if spoil is None:
            method = self.chance.choice(METHODS)
        else:
            path, body, headers = spoil(path, body, headers)
        said = {header.partition(b":")[0].lower() for header in headers}
        if not said & {b"content-length", b"transfer-encoding"}:
            headers.append(b"Content-Length: %d" % len(body))
        lines = [b"%s %s HTTP/1.1" % (method, path), *headers, b"", body]
        return b"\r\n".join(lines)

    def spoil_header(
        self, path: bytes, body: bytes, headers: list[bytes]
    ) -> tuple[bytes, bytes, list[bytes]]:
        """One more, or one instead of ours."""
        odd = self.chance.choice(HEADERS)
        name = odd.partition(b":")[0]
        if self.chance.random() < 0.7:
            headers = [header for header in headers if header.partition(b":")[0] != name]
        return path, body, [*headers, odd]

    def spoil_path(
        self, path: bytes, body: bytes, headers: list[bytes]
    ) -> tuple[bytes, bytes, list[bytes]]:
        return path + self.chance.choice(TAILS), body, headers

    def spoil_body(
        self, path: bytes, body: bytes, headers: list[bytes]
    ) -> tuple[bytes, bytes, list[bytes]]:
        if not body or self.chance.random() < 0.5:
            return path, self.chance.choice(BODIES), headers
        at = self.chance.randrange(len(body))
        odd = self.chance.randbytes(self.chance.randrange(4))
        return path, body[:at] + odd + body[at + self.chance.randrange(3) :], headers

    def ask(self, request: bytes) -> tuple[int, str, bytes]:
        with socket.create_connection(self.address, timeout=CALL_SECONDS) as line:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            answer = HTTPResponse(line, method=request.partition(b" ")[0].decode("latin-1"))
            answer.begin()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def wrong_with(self, status: int, content_type: str, body: bytes) -> str:
        """Empty where it is an answer as it should be."""
        if status == 0 or status < 400:
            return ""
        if content_type != CONTENT_TYPE:
            return "" if status in NOT_HTTP else f"{status} without a problem"
        if not body:
            return ""  # to HEAD
        problem = json.loads(body)
        kind = problem["type"].removeprefix(PROBLEM)
        if status >= 500 and status != 503:
            return f"{status} {kind}"
        return "" if self.kinds.get(kind) == status else f"{status} is not {kind}"

    @staticmethod
    def breaks_off(request: bytes) -> bool:
        """It promised more than came, or is no request at all."""
        return b"Content-Length: 9999" in request or b"Expect:" in request


def examples_of(description: dict[str, Any]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Method, path and body of each call."""
    for path, methods in description["paths"].items():
        for method, call in methods.items():
            content = call.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = json.dumps(content["example"]).encode() if "example" in content else b""
            filled = path.replace("{pos_id}", "109001")
            for name in ("member_id", "redemption_id"):
                filled = filled.replace(f"{{{name}}}", ID)
            yield method.upper().encode(), filled.encode(), body


def kinds_of(description: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each problem that a call may answer, with its status."""
    for methods in description["paths"].values():
        for call in methods.values():
            for status, answer in call["responses"].items():
                problems = answer["content"].get(CONTENT_TYPE, {}).get("examples", {})
                yield from ((kind, int(status)) for kind in problems)
