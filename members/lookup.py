"""Finding a member: who the engine says they are, and what they have."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from django.utils import timezone

from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Customer
from members.identity import Email, Identity
from members.models import Member


@dataclass(frozen=True, slots=True)
class TierView:
    """The VIP tier, and how far the next one is where the engine tells it."""

    name: str
    points_to_next: int | None
    progress: int | None
    """Per cent of the way to the next tier."""


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    on: date | None


@dataclass(frozen=True, slots=True)
class FoundMember:
    """What the screen and the API call a member. Points are whole; `id` is None without email."""

    id: UUID | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    points_balance: int
    tier: TierView | None
    expiring: Expiring | None
    opted_in: bool | None
    as_of: datetime
    live: bool = True
    """False: the engine is out of reach, and these are its last known figures."""
    waiting: bool = False
    """The engine does not have them yet: their enrolment is kept until it answers."""
    points_set_aside: int = 0
    """Of the balance, what open codes take when their order arrives; the ledger's owner tells."""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.first_name, self.last_name)))

    @property
    def points_available(self) -> int:
        return max(self.points_balance - self.points_set_aside, 0)

    @property
    def why_not(self) -> str:
        """Why nothing can be redeemed, or nothing.

        `being_enrolled`, `engine_down`, `no_email` or `opted_out`.
        """
        if self.waiting:
            return "being_enrolled"
        if not self.live:
            return "engine_down"
        if self.id is None:
            return "no_email"
        return "opted_out" if self.opted_in is False else ""


def find_member(engine: Yotpo, identity: Identity) -> FoundMember:
    """Ask the engine who this is.

    Writes one row when the member is seen for the first time. Raises NotFound, Unavailable,
    Throttled, Misconfigured or Refused of connectors.errors.
    """
    return found(engine.customer(**identifier(identity)))


def read_member(engine: Yotpo, member: Member) -> FoundMember:
    """The present figures of a member whom we have seen. Raises as `find_member`."""
    return found(engine.customer(email=member.email))


class Identifier(TypedDict, total=False):
    """The identity as the engine's calls name it: one of the two."""

    email: str
    phone: str


def identifier(identity: Identity) -> Identifier:
    if isinstance(identity, Email):
        return {"email": identity.address}
    return {"phone": identity.number}


def found(customer: Customer) -> FoundMember:
    return FoundMember(
        id=Member.id_of(customer.email) if customer.email else None,
        email=customer.email,
        phone=customer.phone,
        first_name=customer.first_name,
        last_name=customer.last_name,
        points_balance=customer.points_balance,
        tier=tier_of(customer),
        expiring=expiring_of(customer),
        opted_in=customer.opted_in,
        as_of=timezone.now(),
    )


def tier_of(customer: Customer) -> TierView | None:
    if not customer.tier_name:
        return None
    needed = customer.tier_requirements.points_needed if customer.tier_requirements else None
    if not needed or needed <= 0:
        return TierView(customer.tier_name, None, None)
    earned = customer.tier_actions.points_earned if customer.tier_actions else None
    if earned is None:
        return TierView(customer.tier_name, needed, None)
    earned = max(earned, 0)
    return TierView(customer.tier_name, needed, 100 * earned // (earned + needed))


def expiring_of(customer: Customer) -> Expiring | None:
    if not customer.expiring_points or customer.expiring_points < 0:
        return None
    return Expiring(customer.expiring_points, customer.expiring_on)
