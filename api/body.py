"""A body, read strictly (connectors/strict_json.py), and what is said of one that is not right.

What passes here can be stored in every database that we run on: a sale that could not be would be
answered 500, and sent again and again.
"""

from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser

from api.problems import Problem
from connectors import strict_json


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
        return strict_json.read_json(body)
    except strict_json.BadText as error:
        wrong = {"field": error.place, "detail": str(error)}
        raise Problem(
            "invalid-fields", "Correct the fields named in errors.", errors=[wrong]
        ) from None
    except strict_json.Malformed as error:
        raise Problem("malformed-json", str(error)) from None
