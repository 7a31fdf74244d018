"""Parameters as a Rails server takes them: query, form and JSON merged, unknown names ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox.messages import Request, refuse, refuse_field

INT32 = 2**31 - 1
LONGEST_TEXT = 200_000  # 10,000 coupon codes of 20 characters
FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Params(dict[str, Any]):
    """The merged parameters of one call. Blank text counts as not given."""

    def text(self, *names: str) -> str | None:
        """The first of `names` that is given, trimmed."""
        for name in names:
            value = _as_text(name, self.get(name))
            if value:
                return value
        return None

    def needed_text(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise refuse_field(name, "can't be blank")
        return value

    def whole(self, name: str) -> int | None:
        """A 32-bit whole number; digits in a string count, as in the vendor's own examples."""
        value = self.get(name)
        return None if value is None or value == "" else _as_whole(name, value)

    def needed_whole(self, name: str) -> int:
        value = self.whole(name)
        if value is None:
            raise refuse_field(name, "can't be blank")
        return value

    def needed_cents(self, name: str) -> int:
        cents = self.needed_whole(name)
        if cents < 0:
            raise refuse_field(name, "must be greater than or equal to 0")
        return cents

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        if value is None or value == "":
            return None
        try:
            return FLAGS[str(value).lower()]
        except KeyError:
            raise refuse_field(name, "is not a boolean") from None


def _as_text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise refuse_field(name, "is not text")
    text = str(value).strip()
    if len(text) > LONGEST_TEXT or "\0" in text or not _encodes(text):
        raise refuse_field(name, "is invalid")
    return text


def _encodes(text: str) -> bool:
    # JSON may carry half of a surrogate pair, which no database takes.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_whole(name: str, value: object) -> int:
    digits = str(value).strip()
    sound = isinstance(value, str | int) and not isinstance(value, bool) and len(digits) < 12
    try:
        number = int(digits) if sound and "_" not in digits else None
    except ValueError:
        number = None
    if number is None or abs(number) > INT32:
        raise refuse_field(name, "is not a number")
    return number


def read_params(request: Request, of_path: Mapping[str, str]) -> Params:
    """Merge query, body and path; the later wins. `Refused` (400) if the body is unreadable."""
    return Params({**request.query, **_body_values(request), **of_path})


def _body_values(request: Request) -> Mapping[str, Any]:
    if not request.body.strip():
        return {}
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return _form(request.body)
    return read_json_object(request.body)


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000))
    except ValueError:
        raise refuse(400, "The form could not be read") from None


def read_json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise refuse(400, "The body is not JSON") from None
    if not isinstance(value, dict):
        raise refuse(400, "The body is not a JSON object")
    return value
