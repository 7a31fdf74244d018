"""What a refund would do to the member's points: an estimate, and on what it rests. Writes nothing.

The engine does not say beforehand, and rounds as it likes; what it does counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Customer
from members.tiers import reached
from sales.earned import earned_by
from sales.errors import MoreThanLeft, SaleWasVoided
from sales.items import warnings_for
from sales.models import Refund, Sale
from sales.spent import NotKnownYet, has_anothers_code, share, spent_on
from stores.models import Installation

GivesBack = Installation.GivesBack

UNTOLD = "The loyalty engine was not told of this sale: a refund moves no points."
NOT_YET = "The loyalty engine has not heard of this sale yet."
OVER = "All of this sale was refunded before: a refund moves no points."
BY_HISTORY = "What the sale earned stands in the member's history."
NO_PROOF = "The member's history does not show for certain what the sale earned."
WITH_ALL = "The engine gives spent points back when all of the sale is refunded."
BY_SHARE = "Spent points are given back in proportion."
NOT_BACK = "Spent points are not given back."
ANOTHERS_CODE = "It has another member's code: nobody can say who gets those points back."
CODES_UNCLEAR = "It is still being read whether the points of its code went."


@dataclass(frozen=True, slots=True)
class Preview:
    """Points are whole; `balance_after` may be below zero. None: nobody can say.

    `basis` is for a person: on what the figures rest. `warnings` are of the items.
    """

    points_taken_back: int | None
    points_given_back: int | None
    balance_after: int | None
    tier_after: str | None
    basis: str
    warnings: tuple[str, ...] = ()


def preview(
    engine: Yotpo, sale: Sale, total_cents: int, items: Sequence[dict[str, Any]] = ()
) -> Preview:
    """Raises MoreThanLeft and SaleWasVoided, and the connector's errors: the engine is asked."""
    if sale.voided_at is not None:
        raise SaleWasVoided
    if total_cents > sale.left_cents:
        raise MoreThanLeft(sale.left_cents)
    warnings = tuple(warnings_for(sale, items))
    if sale.not_delivered or sale.member is None:
        return Preview(0, 0, None, None, UNTOLD if sale.not_delivered else NOT_YET, warnings)
    if is_over(sale):
        return Preview(0, 0, None, None, OVER, warnings)
    customer = engine.customer(email=sale.member.email, with_history=True)
    taken, taken_basis = taken_back(sale, customer, total_cents)
    given, given_basis = given_back(sale, total_cents)
    told = Preview(taken, given, None, None, f"{taken_basis} {given_basis}".strip(), warnings)
    if taken is None or given is None:
        return told
    balance = customer.points_balance - taken + given
    return replace(
        told, balance_after=balance, tier_after=tier_after(engine, customer, taken, total_cents)
    )


def is_over(sale: Sale) -> bool:
    """One of nothing may follow; a sale of nothing is refunded once as well."""
    return sale.left_cents == 0 and sale.refunds.filter(state=Refund.State.PROMISED).exists()


def taken_back(sale: Sale, customer: Customer, cents: int) -> tuple[int | None, str]:
    """With the last refund what the earlier ones left, for a remainder is corrected."""
    earned = earned_by(sale, customer)
    if earned is None:
        return None, NO_PROOF
    if cents < sale.left_cents:
        return share(earned, cents, sale.total_cents), BY_HISTORY
    earlier = sale.refunds.filter(state=Refund.State.PROMISED)
    taken = sum(share(earned, refund.total_cents, sale.total_cents) for refund in earlier)
    return earned - taken, BY_HISTORY


def given_back(sale: Sale, cents: int) -> tuple[int | None, str]:
    """Of the points spent on the sale, and why so many."""
    try:
        spent = spent_on(sale)
    except NotKnownYet:
        return None, CODES_UNCLEAR
    by = sale.installation.spent_points_returned_by
    if by == GivesBack.ENGINE and has_anothers_code(sale):
        return None, ANOTHERS_CODE
    if spent == 0:
        return 0, ""
    if by == GivesBack.NOBODY:
        return 0, NOT_BACK
    if by == GivesBack.ENGINE:
        return (spent if cents == sale.left_cents else 0), WITH_ALL
    before = share(spent, sale.refunded_cents, sale.total_cents) if sale.refunded_cents else 0
    return share(spent, sale.refunded_cents + cents, sale.total_cents) - before, BY_SHARE


def tier_after(engine: Yotpo, customer: Customer, taken: int, cents: int) -> str | None:
    """None where the engine tells no counts."""
    done = customer.tier_actions
    if done is None:
        return None
    less = replace(
        done,
        points_earned=max((done.points_earned or 0) - taken, 0),
        amount_spent_cents=max((done.amount_spent_cents or 0) - cents, 0),
    )
    return reached(engine.vip_tiers(), less)
