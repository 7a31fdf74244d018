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

DEEPEST = 32
# PostgreSQL keeps neither.
NO_CHARACTER = re.compile(r"[\x00\ud800-\udfff]")


class NotJson(ValueError):
    """The text says what is wrong, and repeats nothing of the body."""


class StrictParser(Parser):
    """Raises NotJson, which ninja hands on as the cause of an HttpError."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return cast(dict[str, Any], read_json(request.body))


def read_json(body: bytes) -> Any:
    """UTF-8, with a byte order mark or without. Raises NotJson."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=refuse_constant,
            parse_float=read_float,
            object_pairs_hook=read_object,
        )
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body must be one JSON object in UTF-8.") from None
    check(value, DEEPEST)
    return value


def refuse_constant(_word: str) -> float:
    raise NotJson("JSON has no NaN and no Infinity. Leave the field out, or send null.")


def read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJson("The body has a number that is too large.")
    return number


def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that comes twice, one program takes the first and another the last."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise NotJson("The body names a field twice. Send each once.")
    return told


def check(value: Any, room: int) -> None:
    if isinstance(value, str) and NO_CHARACTER.search(value):
        raise NotJson("A text in the body has a NUL or half of a surrogate pair. Leave it out.")
    if not isinstance(value, dict | list):
        return
    if not room:
        raise NotJson(f"The body is nested more than {DEEPEST} levels deep.")
    for inner in [*value, *value.values()] if isinstance(value, dict) else value:
        check(inner, room - 1)
