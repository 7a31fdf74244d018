"""A till of level C without a browser: its page's own requests, and what a manager does for it."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from access import pins
from access.models import PairedTill, Pin
from access.pairing import make_address
from access.pins import seasoned
from stores.models import Associate, Till

PIN = "274951"


def give_pin(associate: Associate, pin: str = PIN) -> str:
    """As if they had chosen it."""
    encoded = pins.HASHER.hash(seasoned(associate.pk, pin))
    Pin.objects.update_or_create(
        associate=Associate.objects.get(pk=associate.pk),
        defaults={"encoded": encoded, "is_start": False, "expires_at": None},
    )
    return pin


def pair(till: Till) -> tuple[PairedTill, str]:
    """With its key."""
    boss, _ = User.objects.get_or_create(username="boss", is_superuser=True, is_staff=True)
    return make_address(till, boss)


class TillPage:
    """Posts JSON as the page of a till at this installation does, with the cookies it was given."""

    def __init__(self, installation: str = "shop", **headers: str) -> None:
        self.installation = installation
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {"User-Agent": "Till/1.0", **headers}
        self.key = ""
        self.address = "192.0.2.10"

    def post(self, path: str, **body: Any) -> HttpResponse:
        if self.key:
            body.setdefault("till", self.key)
        return self.client.post(
            f"/panel/{self.installation}/{path}",
            json.dumps(body),
            "application/json",
            headers=self.headers,
            REMOTE_ADDR=self.address,
        )

    def sign_in(self, who: Associate | str, pin: str = PIN, **more: Any) -> HttpResponse:
        name = who if isinstance(who, str) else str(who.pk)
        return self.post("people/sign-in", associate=name, pin=pin, **more)

    def bearer(self, who: Associate, pin: str = PIN) -> dict[str, str]:
        """Signed in; the header that says so, for the panel's own parts."""
        answer = self.sign_in(who, pin)
        assert answer.status_code == 200, answer.content
        return {"Authorization": f"Bearer {answer.json()['bearer']}", "X-By-Person": "1"}

    def opens(self, bearer: dict[str, str]) -> bool:
        """Whether it still lets one in; asked as a poll asks."""
        only = {"Authorization": bearer["Authorization"]}
        answer = self.client.get(f"/panel/{self.installation}/session", headers=only)
        return answer.status_code == 200


def start_pin(associate: Associate) -> str:
    return pins.issue_start_pin(associate)
