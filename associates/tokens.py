"""What a page carries from one request to the next, signed, so that it can't be made up.

A page that lay open too long is refused in words, never obeyed.
"""

import uuid
from dataclasses import asdict, dataclass
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
class Shown:
    """The offers as one screen showed them: for the dialogs' words; the price is read again.

    Signed once for the whole screen: a signature in every row made a look-up half as long again.
    """

    member_id: uuid.UUID
    available: int
    offers: tuple[Offer, ...]
    freed: int = 0
    """Points more for a delayed offer: of the open delayed code, which that ends."""

    def offer(self, number: str) -> Offer:
        """The offer of that id. Raises PageTooOld where the screen did not show it."""
        for offer in self.offers:
            if str(offer.id) == number:
                return offer
        raise PageTooOld


@dataclass(frozen=True, slots=True)
class ActToken:
    """An act of one associate: its key, and what it is about.

    `price` is in points, as the dialog showed it; 0 where the member chooses how many.
    """

    key: str
    associate_id: int
    member_id: uuid.UUID
    offer_id: int
    price: int


def sign_shown(shown: Shown) -> str:
    offers = [row_of(offer) for offer in shown.offers]
    return sign("offers", [str(shown.member_id), shown.available, offers, shown.freed])


def row_of(offer: Offer) -> list[Any]:
    """All that a dialog shows; the description stands on the screen behind it."""
    rate = None if offer.cents_per_point is None else str(offer.cents_per_point)
    return [offer.id, offer.name, offer.kind, offer.points, offer.value_cents, offer.currency, rate]


def read_shown(token: str) -> Shown:
    member_id, available, rows, freed = unsign("offers", token)
    return Shown(uuid.UUID(member_id), available, tuple(map(offer_of, rows)), freed)


def offer_of(row: list[Any]) -> Offer:
    number, name, kind, points, value_cents, currency, rate = row
    return Offer(
        id=number,
        name=name,
        description="",
        kind=Kind(kind),
        points=points,
        value_cents=value_cents,
        currency=currency,
        cents_per_point=None if rate is None else Decimal(rate),
    )


def mint_act(associate_id: int, member_id: uuid.UUID, offer_id: int, price: int) -> str:
    """A new key with every dialog: one act, one key."""
    return sign("act", [uuid.uuid4().hex, associate_id, str(member_id), offer_id, price])


def read_act(token: str, *, max_age: int | None = PAGE_SECONDS) -> ActToken:
    key, associate_id, member_id, offer_id, price = unsign("act", token, max_age)
    return ActToken(key, associate_id, uuid.UUID(member_id), offer_id, price)


def sign_new_member(new: NewMember) -> str:
    return sign("enrol", asdict(new))


def read_new_member(token: str) -> NewMember:
    return NewMember(**unsign("enrol", token))


def sign(topic: str, data: Any) -> str:
    return signing.dumps(data, salt=f"associates.{topic}", compress=True)


def unsign(topic: str, token: str, max_age: int | None = PAGE_SECONDS) -> Any:
    try:
        return signing.loads(token, salt=f"associates.{topic}", max_age=max_age)
    except signing.BadSignature:
        raise PageTooOld from None
