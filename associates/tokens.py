"""What a page carries from one request to the next, signed, so that it can't be made up.

A page that lay open too long is refused in words, never obeyed.
"""

import uuid
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.core import signing

from members.enrol import NewMember
from offers.catalogue import Kind, Offer

PAGE_SECONDS = 15 * 60


class PageTooOld(Exception):
    """The page is too old, was made for somebody else, or was never ours."""

    def __init__(self) -> None:
        super().__init__("This page is too old. Look the member up again.")


@dataclass(frozen=True, slots=True)
class Ask:
    """One offer as the screen showed it: for the dialog's words; the price is read again."""

    member_id: uuid.UUID
    offer: Offer
    available: int


@dataclass(frozen=True, slots=True)
class ActToken:
    """An act of one associate: its key, and what it is about."""

    key: str
    associate_id: int
    member_id: uuid.UUID
    offer_id: int


def sign_ask(ask: Ask) -> str:
    offer = asdict(ask.offer)
    offer["cents_per_point"] = text_or_none(ask.offer.cents_per_point)
    return sign("ask", {"member": str(ask.member_id), "offer": offer, "available": ask.available})


def read_ask(token: str) -> Ask:
    data = unsign("ask", token)
    offer = Offer(**data["offer"])
    rate = offer.cents_per_point
    offer = replace(
        offer,
        kind=Kind(offer.kind),
        cents_per_point=None if rate is None else Decimal(rate),
    )
    return Ask(uuid.UUID(data["member"]), offer, data["available"])


def mint_act(associate_id: int, member_id: uuid.UUID, offer_id: int) -> str:
    """A new key with every dialog: one act, one key."""
    return sign("act", [uuid.uuid4().hex, associate_id, str(member_id), offer_id])


def read_act(token: str, *, max_age: int | None = PAGE_SECONDS) -> ActToken:
    key, associate_id, member_id, offer_id = unsign("act", token, max_age)
    return ActToken(key, associate_id, uuid.UUID(member_id), offer_id)


def sign_new_member(new: NewMember) -> str:
    return sign("enrol", asdict(new))


def read_new_member(token: str) -> NewMember:
    return NewMember(**unsign("enrol", token))


def sign(topic: str, data: Any) -> str:
    return signing.dumps(data, salt=f"associates.{topic}")


def unsign(topic: str, token: str, max_age: int | None = PAGE_SECONDS) -> Any:
    try:
        return signing.loads(token, salt=f"associates.{topic}", max_age=max_age)
    except signing.BadSignature:
        raise PageTooOld from None


def text_or_none(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
