"""Which sale a refund belongs to that names none: what a manager chooses from."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from database.encryption import blind_index
from members.identity import email_identity
from offers.money import show_money
from sales.models import Refund, Sale

# What is brought back later, a manager finds by its number.
BOUGHT_WITHIN = timedelta(days=120)
LOOKED_AT = 300
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    sale: Sale
    same_person: bool
    same_items: bool
    same_store: bool
    age: timedelta
    """From the sale to the refund."""

    @property
    def total(self) -> str:
        return show_money(self.sale.total_cents, self.sale.currency)

    @property
    def left(self) -> str:
        return show_money(self.sale.left_cents, self.sale.currency)

    @property
    def rank(self) -> tuple[bool, bool, bool, timedelta]:
        """The likeliest is the least: who, what, where, when."""
        return (not self.same_person, not self.same_items, not self.same_store, self.age)


def candidates(refund: Refund) -> list[Candidate]:
    """Sales of the same person, or of the same store where nobody is named; the likeliest first.

    Only such as it fits: of its installation and currency, not voided, and enough left.
    """
    found = [candidate_of(refund, sale) for sale in possible(refund)]
    if refund.email or refund.phone:
        found = [one for one in found if one.same_person or not names_somebody(one.sale)]
    return sorted(found, key=lambda one: one.rank)[:SHOWN]


def possible(refund: Refund) -> QuerySet[Sale]:
    sales = Sale.objects.select_related("member", "store").filter(
        whose_or_where(refund),
        installation=refund.installation_id,
        currency=refund.currency,
        voided_at=None,
        refunded_cents__lte=F("total_cents") - refund.total_cents,
        completed_at__gte=refund.recorded_at - BOUGHT_WITHIN,
        completed_at__lte=refund.recorded_at,
    )
    return sales.order_by("-completed_at").distinct()[:LOOKED_AT]


def whose_or_where(refund: Refund) -> Q:
    somewhere = Q(store=refund.store_id) if refund.store_id else Q()
    if refund.email:
        index = blind_index(email_identity(refund.email))
        return Q(email_index=index) | Q(member__email_index=index) | (somewhere & Q(member=None))
    if refund.phone:
        index = blind_index(refund.phone)
        return Q(member__lastknown__phone_index=index) | (somewhere & Q(member=None))
    return somewhere


def candidate_of(refund: Refund, sale: Sale) -> Candidate:
    return Candidate(
        sale=sale,
        same_person=is_same_person(refund, sale),
        same_items=has_items(sale, refund.items),
        same_store=refund.store_id is not None and refund.store_id == sale.store_id,
        age=refund.recorded_at - sale.completed_at,
    )


def is_same_person(refund: Refund, sale: Sale) -> bool:
    if refund.email:
        index = blind_index(email_identity(refund.email))
        return index in {sale.email_index, sale.member.email_index if sale.member else ""}
    if not refund.phone:
        return False
    if sale.phone:
        return sale.phone == refund.phone
    known = getattr(sale.member, "lastknown", None)
    return known is not None and known.phone_index == blind_index(refund.phone)


def names_somebody(sale: Sale) -> bool:
    return bool(sale.member_id or sale.email or sale.phone)


def has_items(sale: Sale, items: list[dict[str, Any]]) -> bool:
    """Whether all that was brought back was sold there."""
    sold = {item.get("sku") for item in sale.items}
    return bool(items) and all(item.get("sku") in sold for item in items)
