"""The in-store redemption options: which of them a till can give, and what a member can have."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Option
from members.lookup import Identifier
from offers.pools import empties
from stores.models import Installation

SHARED_FOR_SECONDS = 60


class Kind(StrEnum):
    FIXED = "fixed"
    VARIABLE = "variable"
    CUSTOM = "custom"


# The engine's discount types that yield a code which a till can take. Platform coupons
# (`fixed_amount`, `percentage`, ...) are made in the web shop and mean nothing here.
KINDS = {
    "generic_fixed_amount": Kind.FIXED,
    "generic_variable": Kind.VARIABLE,
    "custom": Kind.CUSTOM,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """Something a till can give for points.

    `points` is the cost, 0 for a variable offer, where the member chooses. `value_cents` is what
    it is worth where that is known; `cents_per_point` is set for variable offers only.
    """

    id: int
    name: str
    description: str
    kind: Kind
    points: int
    value_cents: int | None
    currency: str
    cents_per_point: Decimal | None

    @property
    def fewest_points(self) -> int:
        return 1 if self.kind is Kind.VARIABLE else self.points

    def short_by(self, available: int) -> int:
        """How many points are missing; 0 when it can be had."""
        return max(self.fewest_points - available, 0)

    def worth_cents(self, points: int) -> int | None:
        """What it takes off for that many points, in whole cents, rounded down."""
        if self.cents_per_point is None:
            return self.value_cents
        return int((self.cents_per_point * points).to_integral_value(ROUND_FLOOR))


def offer_of(option: Option, currency: str) -> Offer | None:
    """The option as a till's offer, or None where it yields no coupon that a till could take."""
    kind = KINDS.get((option.discount_type or "").lower())
    if kind is None or not yields_coupon(option):
        return None
    if kind is Kind.VARIABLE:
        if not option.cents_per_point or option.cents_per_point <= 0:
            return None
    elif not option.points or option.points <= 0:
        return None
    variable = kind is Kind.VARIABLE
    return Offer(
        id=option.id,
        name=option.name,
        description=option.description or "",
        kind=kind,
        points=0 if variable else option.points or 0,
        value_cents=None if variable else option.value_cents,
        currency=currency,
        cents_per_point=option.cents_per_point if variable else None,
    )


def yields_coupon(option: Option) -> bool:
    """A custom reward or a product has no code. Options that say nothing of it are coupons."""
    return not option.type or "coupon" in option.type.lower()


def rank(offers: Sequence[Offer], available: int) -> list[Offer]:
    return sorted(offers, key=lambda offer: place_of(offer, offer.short_by(available)))


def place_of(offer: Offer, missing: int) -> tuple[int, int, str]:
    """Those to be had first, the dearest on top; then those out of reach, the nearest first."""
    return missing, -offer.points, offer.name


class Catalogue:
    """Reads an installation's in-store offers; keeps shared ones for a minute."""

    def __init__(self) -> None:
        self._shared: dict[str, tuple[float, list[Offer]]] = {}

    def read(
        self,
        engine: Yotpo,
        installation: Installation,
        identifier: Identifier,
        *,
        fresh: bool = False,
    ) -> list[Offer]:
        """The offers of the member whom `identifier` names (`email=` or `phone=`), without those
        whose pool of codes is empty.

        `fresh`: as they are this moment, because points are about to be spent. Touches no
        database. Raises Unavailable, Throttled, Misconfigured or Refused.
        """
        offers = self._all(engine, installation, identifier, fresh=fresh)
        without = empties.known()
        return [offer for offer in offers if offer.id not in without] if without else offers

    def _all(
        self, engine: Yotpo, installation: Installation, identifier: Identifier, *, fresh: bool
    ) -> list[Offer]:
        if installation.offer_policy == Installation.OfferPolicy.PER_MEMBER:
            options = engine.options(**identifier, discount_types=KINDS)
            return offers_of(options, installation.currency)
        read_at, offers = self._shared.get(installation.id, (0.0, []))
        if fresh or not read_at or time.monotonic() - read_at > SHARED_FOR_SECONDS:
            options = engine.options(discount_types=KINDS)
            offers = offers_of(options, installation.currency)
            self._shared[installation.id] = (time.monotonic(), offers)
        return offers

    def forget(self) -> None:
        self._shared.clear()
        empties.forget()


def offers_of(options: Sequence[Option], currency: str) -> list[Offer]:
    return [offer for option in options if (offer := offer_of(option, currency))]


catalogue = Catalogue()
