"""A POS's server, without a socket: Django's client with an API key."""

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import Client

from access.models import ApiKey
from stores.models import Installation

PROBLEM = "urn:loyalty-panel:problem:"
FIVE_OFF, TEN_OFF, TWENTY_FIVE_OFF = 90121, 90122, 90123
POINTS_FOR_DOLLARS = 90130
NEVER_SEEN = uuid.UUID("0b5f7b6e-6f0b-4a53-9f0f-0d7f5a1b2c3d")


class Pos:
    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.api_key = ApiKey.issue(installation)
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def headers(self, key: str | None = None) -> dict[str, str]:
        keyed = {} if key is None else {"Idempotency-Key": key}
        return {"Authorization": f"Bearer {self.api_key}", **keyed}

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers())

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> HttpResponse:
        return self.send(path, b"" if body is None else json.dumps(body).encode(), key=key)

    def send(self, path: str, body: bytes, *, key: str | None = None) -> HttpResponse:
        return self.client.post(
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers=self.headers(key),
        )

    def redeem(self, key: str, **body: Any) -> HttpResponse:
        wanted = {"member": {"email": "mara@example.com"}, "offer_id": FIVE_OFF, **body}
        return self.post("redemptions", wanted, key=key)


def kind(answer: HttpResponse) -> str:
    """The problem's short name; an AssertionError where the answer is no proper problem."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["title"] and told["detail"]
    assert told["type"].startswith(PROBLEM)
    return str(told["type"].removeprefix(PROBLEM))


def fields(answer: HttpResponse) -> set[str]:
    """Which fields the problem names."""
    return {error["field"] for error in answer.json()["errors"]}
