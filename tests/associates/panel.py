"""The panel at one till, without a browser: Django's client with a bearer, as the page sends it."""

import re
import uuid
from html import unescape
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client

from access.models import Bearer
from associates.tokens import mint_act
from members.models import Member
from sandbox.yotpo.seed_offers import OFFERS
from stores.models import Associate, Till

FORM = "application/x-www-form-urlencoded"
NEVER_SEEN = uuid.UUID("0b5f7b6e-6f0b-4a53-9f0f-0d7f5a1b2c3d")

FIVE_OFF, TEN_OFF, TWENTY_FIVE_OFF = 90121, 90122, 90123
POINTS_FOR_DOLLARS, TOTE_BAG, BIRTHDAY_TREAT = 90130, 90140, 90141
PRICES = {offer.id: offer.cost or 0 for offer in OFFERS}

Value = str | bytes

ALERT = re.compile(r'class="(?:alert|error|notice)"[^>]*>(?:<p>)?\s*([^<]+)')


class Panel:
    def __init__(self, till: Till, associate: Associate) -> None:
        self.till = till
        self.associate = associate
        self.base = f"/panel/{till.store.installation_id}/"
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        self.headers = {
            "Authorization": f"Bearer {Bearer.issue(till, associate)}",
            "HX-Request": "true",
        }

    def get(self, path: str, query: dict[str, Value] | None = None) -> HttpResponse:
        address = f"{self.base}{path}?{urlencode(query or {})}"
        return self.client.get(address, headers=self.headers)

    def post(self, path: str, fields: dict[str, Value] | None = None) -> HttpResponse:
        return self.send(path, urlencode(fields or {}).encode(), FORM)

    def send(self, path: str, body: bytes, content_type: str) -> HttpResponse:
        return self.client.post(
            f"{self.base}{path}", body, content_type=content_type, headers=self.headers
        )

    def look_up(self, query: str) -> HttpResponse:
        return self.post("lookup", {"query": query})

    def redeem(self, act: str, **fields: Value) -> HttpResponse:
        return self.post("redeem", {"act": act, **fields})

    def act(self, member: Member | uuid.UUID, offer_id: int) -> str:
        """An act's token, as a dialog would hold it, for whatever offer."""
        member_id = member if isinstance(member, uuid.UUID) else member.id
        return mint_act(self.associate.id, member_id, offer_id, PRICES.get(offer_id, 0))


def text_of(answer: HttpResponse) -> str:
    return unescape(answer.content.decode())


def buttons(answer: HttpResponse) -> dict[str, dict[str, Value]]:
    """Offer name -> what its button Redeem would send."""
    text = text_of(answer)
    shown = re.search(r'"shown": "([^"]+)"', text)
    found = re.findall(r'name="offer" value="(\d+)"[^>]*aria-label="Redeem ([^"]+)"', text)
    return {name: {"shown": shown[1], "offer": offer} for offer, name in found if shown}


def hidden(answer: HttpResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text_of(answer))
    assert found, f"There is no field {name}."
    return found[1]


def words(answer: HttpResponse) -> str:
    """What the answer tells the associate of a problem; nothing if it tells none."""
    return " ".join(" ".join(ALERT.findall(text_of(answer))).split())


def code_of(answer: HttpResponse) -> str:
    found = re.search(r'id="coupon-code" class="code">([^<]+)<', text_of(answer))
    return found[1] if found else ""
