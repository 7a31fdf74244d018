"""One sale, from its first line to its return. Money in cents."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sandbox.till.coupons import Terms
from sandbox.till.goods import CURRENCY, PRODUCTS

MOST_OF_ONE = 99


@dataclass
class Coupon:
    """A code on a sale. `redemption` is the panel's id of it where it came over the bridge, `added`
    how many of its free product it brought."""

    terms: Terms
    redemption: str = ""
    added: int = 0


@dataclass
class Ticket:
    """`state` is open, parked, completed, voided or returned; `quantities` are by product, in the
    order in which they were added."""

    id: str
    state: str = "open"
    clerk: str = "ana"
    rev: int = 0
    customer: dict[str, str] | None = None
    quantities: dict[str, int] = field(default_factory=dict)
    coupons: list[Coupon] = field(default_factory=list)
    completed_at: str = ""
    paid_by: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        told = json.loads(text)
        coupons = [Coupon(**{**one, "terms": Terms(**one["terms"])}) for one in told.pop("coupons")]
        return cls(**told, coupons=coupons)

    def written(self) -> str:
        return json.dumps(asdict(self))

    @property
    def is_untouched(self) -> bool:
        return not self.quantities and not self.coupons and self.customer is None

    @property
    def codes(self) -> list[str]:
        return [coupon.terms.code for coupon in self.coupons]

    def coupon(self, code: str) -> Coupon | None:
        same = (one for one in self.coupons if one.terms.code.upper() == code.upper())
        return next(same, None)

    def set_quantity(self, sku: str, quantity: int) -> None:
        if quantity > 0:
            self.quantities[sku] = min(quantity, MOST_OF_ONE)
        else:
            self.quantities.pop(sku, None)

    def add_coupon(self, coupon: Coupon) -> None:
        """A free product that is not on the sale yet is put on it."""
        terms = coupon.terms
        there = self.quantities.get(terms.sku, 0)
        if terms.sku and there < terms.quantity:
            coupon.added = terms.quantity - there
            self.set_quantity(terms.sku, terms.quantity)
        self.coupons.append(coupon)

    def remove_coupon(self, coupon: Coupon) -> None:
        """What it brought goes with it: nobody asked to pay for that."""
        self.coupons.remove(coupon)
        if coupon.added:
            sku = coupon.terms.sku
            self.set_quantity(sku, self.quantities.get(sku, 0) - coupon.added)

    def subtotal(self) -> int:
        return sum(PRODUCTS[sku].cents * count for sku, count in self.quantities.items())

    def discounts(self) -> dict[str, int]:
        """Cents off by code: free products first, then in the order in which they were put on."""
        left, off = self.subtotal(), {}
        for coupon in sorted(self.coupons, key=lambda one: not one.terms.sku):
            off[coupon.terms.code] = self._off(coupon.terms, left)
            left -= off[coupon.terms.code]
        return off

    def _off(self, terms: Terms, left: int) -> int:
        is_there = not terms.sku or self.quantities.get(terms.sku, 0) >= terms.quantity
        return terms.off(left) if is_there else 0

    def total(self) -> int:
        return self.subtotal() - sum(self.discounts().values())

    def as_cart(self) -> dict[str, Any]:
        """The bridge's `cart.changed`."""
        return {**self.as_sale(), "rev": self.rev}

    def as_sale(self) -> dict[str, Any]:
        """The bridge's `sale.completed`."""
        return {
            "saleId": self.id,
            "totalCents": self.total(),
            "currency": CURRENCY,
            "coupons": self.codes,
        }
