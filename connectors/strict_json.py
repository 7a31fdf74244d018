"""JSON from outside, read so that no two programs can read it differently (I-JSON, RFC 7493).

What passes here can be stored in every database that we run on.
"""

import json
import math
import re
from typing import Any

DEEPEST = 32
# PostgreSQL keeps neither.
NO_CHARACTER = re.compile(r"[\x00\ud800-\udfff]")


class Malformed(ValueError):
    """`str()` says what is wrong, without quoting the body."""


class BadText(Malformed):
    """A text holds what is no character. `place` names the field, with dots."""

    def __init__(self, place: str) -> None:
        super().__init__("Leave out the NUL or half of a surrogate pair: neither is a character.")
        self.place = place


def read_json(body: bytes) -> Any:
    """UTF-8, with a byte order mark or without. Raises Malformed."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=refuse_constant,
            parse_float=read_float,
            object_pairs_hook=read_object,
        )
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("The body must be one JSON object in UTF-8.") from None
    check(value)
    return value


def refuse_constant(_word: str) -> float:
    raise Malformed("JSON has no NaN and no Infinity. Leave the field out, or send null.")


def read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Malformed("The body has a number that is too large.")
    return number


def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that comes twice, one program takes the first and another the last."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise Malformed("The body names a field twice. Send each once.")
    return told


def check(value: Any, *place: str) -> None:
    if isinstance(value, str):
        check_text(value, place)
    elif isinstance(value, dict | list):
        if len(place) == DEEPEST:
            raise Malformed(f"The body is nested more than {DEEPEST} levels deep.")
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            check_text(str(name), place)
            check(inner, *place, str(name))


def check_text(text: str, place: tuple[str, ...]) -> None:
    if NO_CHARACTER.search(text):
        raise BadText(".".join(place) or "body")
