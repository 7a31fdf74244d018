"""What the engine tells the merchant of its own accord: events, and coupons to create or cancel.

Gathered in the transaction that they tell of, and sent once that is committed
(sandbox/messenger.py). Shapes by the contract, sections 5 and 8.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sandbox.yotpo import ledger, tiers
from sandbox.yotpo.store import Row, Work

WEBHOOK, CREATE, CANCEL = "webhook", "create_coupon", "cancel_coupon"
# A pool's: told at this, at its half, quarter and eighth, and when it is empty.
THRESHOLD = 16


class Message(NamedTuple):
    to: str
    body: dict[str, Any]


def _event(work: Work, topic: str, customer: Row | None, **more: Any) -> None:
    told: dict[str, Any] = {"topic": topic, "name": topic}
    if customer is not None:
        told |= {"email": customer["email"], "customer": _customer(work, customer)}
    work.told.append(Message(WEBHOOK, {**told, **more}))


def _customer(work: Work, customer: Row) -> dict[str, Any]:
    return {
        "email": customer["email"],
        "first_name": customer["first_name"],
        "last_name": customer["last_name"],
        "points_balance": ledger.balance_of(work, customer["id"]),
        "is_opt_in": bool(customer["opted_in"]),
        "loyalty_opt_in_date": customer["opted_in_at"],
        "is_member": True,
        "accepts_marketing": False,
        "referral_link": f"https://shop.example/?ref=ref{customer['id']}",
        "is_affiliate": False,
        "vip_tier_ends_at": None,
    }


def redemption_created(work: Work, redemption: Row) -> None:
    option = json.loads(work.the("options", redemption["option_id"])["public"])
    told = {
        "id": redemption["id"],
        "reward_text": redemption["code"],
        "approved": True,
        "approved_at": redemption["created_at"],
        "is_admin": False,
        "is_pos": False,
        "at_checkout": False,
        "created_at": redemption["created_at"],
        "updated_at": redemption["updated_at"],
    }
    names = ("id", "name", "description", "icon", "cost_text")
    shown = {name: option.get(name) for name in names} | {"amount": redemption["points"]}
    customer = work.the("customers", redemption["customer_id"])
    more = {"redemption": told, "redemption_option": shown}
    _event(work, "swell/redemption/created", customer, **more)


def cancellation_request(work: Work, redemption: Row) -> None:
    """The shopper presses "undo" in the in-store widget."""
    _event(
        work,
        "swell/point_redemption/cancellation_request",
        work.the("customers", redemption["customer_id"]),
        point_redemption_id=str(redemption["id"]),
        reward_text=redemption["code"],
    )


def coupon_created(work: Work, redemption: Row) -> None:
    """Before the redemption's own answer: the merchant's platform makes the coupon."""
    work.told.append(Message(CREATE, _coupon(work, redemption)))


def coupon_cancelled(work: Work, redemption: Row) -> None:
    """An old unused coupon, such as a delayed one for which another was made since."""
    work.told.append(Message(CANCEL, _coupon(work, redemption)))


def _coupon(work: Work, redemption: Row) -> dict[str, Any]:
    option = json.loads(work.the("options", redemption["option_id"])["public"])
    cents = option.get("discount_amount_cents")
    if cents is None:
        cents = redemption["points"] * int(float(option.get("discount_rate_cents") or 1))
    customer = work.the("customers", redemption["customer_id"])
    return {
        "coupon_code": redemption["code"],
        "discount_amount": cents / 100,
        "discount_amount_cents": cents,
        "currency": "USD",
        "customer_email": customer["email"],
    }


def stock(work: Work, option: Row) -> None:
    """After a code was handed out of a pool."""
    sql = "SELECT count(*) FROM codes WHERE option_id = ? AND state = 'free'"
    left = work.number(sql, option["id"])
    if left in {THRESHOLD, THRESHOLD // 2, THRESHOLD // 4, THRESHOLD // 8, 0}:
        shown = {"id": option["id"], "name": option["name"]}
        _event(
            work,
            "swell/redemption_code/below_threshold",
            None,
            redemption_option=shown,
            redemption_option_id=option["id"],
            redemption_option_name=option["name"],
            number_of_unused_codes=left,
        )


def opted(work: Work, customer_id: int) -> None:
    """In or out."""
    _event(work, "loyalty/opt_in", work.the("customers", customer_id))


def points_earned(work: Work, customer: Row, points: int, title: str, earned_before: int) -> None:
    """And what that does to the tier."""
    perk = {"reward_points": points, "history_title": title, "created_at": work.at}
    _event(work, "swell/points/earned", customer, perk=perk)
    earned = ledger.earned_by(work, customer["id"])
    before, now = _tier(earned_before), _tier(earned)
    if now != before:
        stats = {"pointsEarned": earned, "purchasesMade": customer["total_purchases"]}
        topic = "swell/tier/earned" if now > before else "swell/tier/lost"
        _event(work, topic, customer, vip_stats=stats)
        _event(work, "swell/tier/status/changed", customer, vip_stats=stats)


def _tier(earned: int) -> int:
    """How many tiers so many points reach."""
    return sum(tier.entry <= earned for tier in tiers.TIERS)
