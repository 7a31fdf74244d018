"""VIP tiers: entry by points earned over the customer's life.

A tier is never stored: it follows from the ledger, so it can't disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.yotpo.store import Row, Work


@dataclass(frozen=True)
class Tier:
    """`entry` is in points earned."""

    id: int
    name: str
    entry: int
    multiplier: str


TIERS = (
    Tier(3101, "Bronze", 200, "1.0"),
    Tier(3102, "Silver", 1_500, "1.0"),
    Tier(3103, "Gold", 2_500, "1.0"),
    Tier(3104, "Platinum", 10_000, "1.0"),
)
NO_THRESHOLD = {
    "points_earned": 0,
    "amount_spent_cents": 0,
    "purchases_made": 0,
    "referrals_completed": 0,
}
NOTHING_NEEDED = {
    "points_needed": 0,
    "amount_cents_needed": 0,
    "amount_cents_needed_in_customer_currency": 0,
    "purchases_needed": 0,
    "referrals_needed": 0,
    "campaigns_needed": [],
}


def listed() -> list[dict[str, Any]]:
    """`GET /vip_tiers`."""
    return [_public(tier) for tier in TIERS]


def _public(tier: Tier) -> dict[str, Any]:
    threshold = {**NO_THRESHOLD, "points_earned": tier.entry}
    return {
        "id": tier.id,
        "name": tier.name,
        "description": f"From {tier.entry:,} points earned",
        "type": "VipTier",
        "points_multiplier": tier.multiplier,
        "points_reward": None,
        "coupon_reward": None,
        "entry_threshold": threshold,
        "retain_threshold": threshold,
        "regain_threshold": threshold,
    }


def tier_fields(work: Work, customer: Row, earned: int) -> dict[str, Any]:
    """The tier part of a customer; left out for who has not opted in, null below the first."""
    if not customer["opted_in"]:
        return {}
    reached = [tier for tier in TIERS if tier.entry <= earned]
    return {
        **_present(work, customer, reached[-1] if reached else None),
        "vip_tier_actions_completed": _done(customer, earned),
        "vip_tier_upgrade_requirements": _missing(len(reached), earned),
        "vip_tier_maintenance_requirements": None,
    }


def _present(work: Work, customer: Row, tier: Tier | None) -> dict[str, Any]:
    if tier is None:
        return dict.fromkeys(("vip_tier_name", "vip_tier_entry_date", "vip_tier_expiration"))
    return {
        "vip_tier_name": tier.name,
        "vip_tier_entry_date": f"{_reached_on(work, customer, tier)}T00:00:00",
        "vip_tier_expiration": f"{work.moment.year + 1}-12-31T00:00:00",
    }


def _reached_on(work: Work, customer: Row, tier: Tier) -> str:
    """The day (YYYY-MM-DD) of the movement that reached the tier."""
    row = work.one(
        "SELECT at FROM (SELECT at, seq, sum(earned) OVER (ORDER BY seq) AS so_far"
        " FROM ledger WHERE customer_id = ?) WHERE so_far >= ? ORDER BY seq LIMIT 1",
        customer["id"],
        tier.entry,
    )
    return str(row["at"] if row else work.at)[:10]


def _done(customer: Row, earned: int) -> dict[str, Any]:
    spent = customer["total_spend_cents"]
    return {
        "points_earned": earned,
        "amount_spent_cents": spent,
        "amount_spent_cents_in_customer_currency": spent,
        "purchases_made": customer["total_purchases"],
        "referrals_completed": 0,
        "campaigns_completed": [],
    }


def _missing(reached: int, earned: int) -> dict[str, Any] | None:
    if reached == len(TIERS):
        return None
    return {**NOTHING_NEEDED, "points_needed": TIERS[reached].entry - earned}
