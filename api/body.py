"""A body, read so that no two programs can read it differently (I-JSON, RFC 7493).

What passes here can be stored in every database that we run on: a sale that could not be would be
answered 500, and sent again and again.
"""

import json
import math
import re
from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser

from api.problems import Problem

DEEPEST = 32
# PostgreSQL keeps neither.
NO_CHARACTER = re.compile(r"[\x00\ud800-\udfff]")


class StrictParser(Parser):
    """Raises Problem, which ninja hands on as the cause of an HttpError."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return cast(dict[str, Any], read_json(request.body))


def check_whole(request: HttpRequest) -> None:
    """Of what broke off after a body that may be left out, nothing is done. Raises Problem."""
    if len(request.body) != int(request.META.get("CONTENT_LENGTH") or 0):
        raise Problem("bad-request", "The body broke off.")


def read_json(body: bytes) -> Any:
    """UTF-8, with a byte order mark or without. Raises Problem."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=refuse_constant,
            parse_float=read_float,
            object_pairs_hook=read_object,
        )
    except (ValueError, RecursionError):
        raise malformed("The body must be one JSON object in UTF-8.") from None
    check(value)
    return value


def malformed(words: str) -> Problem:
    return Problem("malformed-json", words)


def refuse_constant(_word: str) -> float:
    raise malformed("JSON has no NaN and no Infinity. Leave the field out, or send null.")


def read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise malformed("The body has a number that is too large.")
    return number


def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that comes twice, one program takes the first and another the last."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise malformed("The body names a field twice. Send each once.")
    return told


def check(value: Any, *place: str) -> None:
    if isinstance(value, str):
        check_text(value, place)
    elif isinstance(value, dict | list):
        if len(place) == DEEPEST:
            raise malformed(f"The body is nested more than {DEEPEST} levels deep.")
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            check_text(str(name), place)
            check(inner, *place, str(name))


def check_text(text: str, place: tuple[str, ...]) -> None:
    if NO_CHARACTER.search(text):
        wrong = {
            "field": ".".join(place) or "body",
            "detail": "Leave out the NUL or half of a surrogate pair: neither is a character.",
        }
        raise Problem("invalid-fields", "Correct the fields named in errors.", errors=[wrong])
