"""A fresh shop: offers, members, and a history that adds up to each member's balance.

Orders are real ones, so that a refund of what was "bought online" can be tried: `WEB-<n>`.
Days are counted back from now, so that "expires soon" stays true.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from sandbox.clock import iso
from sandbox.yotpo import offers
from sandbox.yotpo.ledger import Movement, write
from sandbox.yotpo.orders import EARNED
from sandbox.yotpo.seed_members import MEMBERS, SeedMember
from sandbox.yotpo.seed_offers import OFFERS, SeedOffer, public
from sandbox.yotpo.store import Work

OLDEST_DAYS = 540
USUAL_OFFER, ODD_OFFER = 90121, 90130  # 500 points each; any number of points
USUAL_COST = 500


def sow(work: Work) -> None:
    """Fill fresh tables."""
    for offer in OFFERS:
        _sow_offer(work, offer)
    for member in MEMBERS:
        _sow_member(work, member)


def _sow_offer(work: Work, offer: SeedOffer) -> None:
    work.insert(
        "options",
        id=offer.id,
        name=offer.name,
        cost=offer.cost,
        is_offline=offer.is_offline,
        supply=offer.supply,
        needs_tag=offer.needs_tag,
        public=json.dumps(public(offer)),
    )
    for _ in range(offer.pool):
        offers.add_code(work, offer.id, offers.new_code(offer.name.split()[0].upper()))


def _sow_member(work: Work, member: SeedMember) -> None:
    joined = _days_ago(work, OLDEST_DAYS)
    fields = {"opted_in": True, "opted_in_at": joined, **member.more, **_expiry(work, member)}
    customer_id = work.insert(
        "customers",
        email=member.email,
        first_name=member.first,
        last_name=member.last,
        phone_number=member.phone,
        created_at=joined,
        updated_at=joined,
        **fields,
    )
    _sow_history(work, customer_id, member)


def _expiry(work: Work, member: SeedMember) -> dict[str, object]:
    if member.expires is None:
        return {}
    days, points = member.expires
    return {
        "expires_on": (work.moment + timedelta(days=days)).date().isoformat(),
        "expires_amount": points,
    }


def _sow_history(work: Work, customer_id: int, member: SeedMember) -> None:
    """Earn, redeem, then the member's own moves; one step after another in time."""
    moved = sum(points for _, points, _ in member.moves)
    taken_back = sum(points for kind, points, _ in member.moves if kind == "refund")
    earned = member.earned - taken_back
    redeemed = _prices(earned - (member.balance - moved))
    steps = member.orders + len(redeemed) + len(member.moves)
    days = iter(_days_ago(work, day) for day in _spread(steps))
    for points in _split(earned, member.orders):
        _sow_order(work, customer_id, points, next(days))
    for points in redeemed:
        _sow_redemption(work, customer_id, points, next(days))
    for kind, points, title in member.moves:
        move = Movement(customer_id, points, kind, "seed", title, at=next(days))
        write(work, replace(move, earned=points if kind == "refund" else 0))


def _days_ago(work: Work, days: float) -> str:
    return iso(work.moment - timedelta(days=days))


def _spread(steps: int) -> list[float]:
    """Days ago, from the oldest to a few days ago, evenly."""
    return [OLDEST_DAYS - (OLDEST_DAYS - 3) * (step + 0.37) / (steps + 1) for step in range(steps)]


def _split(total: int, parts: int) -> list[int]:
    """Uneven whole parts that add up to `total`."""
    if parts == 0:
        return []
    weights = [2 + (7 * place) % 5 for place in range(parts)]
    shares = [total * weight // sum(weights) for weight in weights]
    return [shares[0] + total - sum(shares), *shares[1:]]


def _prices(points: int) -> list[int]:
    """The redemptions that spent `points`: as many usual ones as go in, and one odd one."""
    usual, rest = divmod(points, USUAL_COST)
    return [USUAL_COST] * usual + ([rest] if rest else [])


def _sow_order(work: Work, customer_id: int, points: int, at: str) -> None:
    cents = points * 100
    order_id = f"WEB-{work.count('orders') + 1001}"
    work.insert(
        "orders",
        order_id=order_id,
        customer_id=customer_id,
        total_cents=cents,
        currency="USD",
        status="paid",
        placed_at=at,
        queued=True,
        points=points,
    )
    work.db.execute(
        "UPDATE customers SET total_purchases = total_purchases + 1, last_purchase_at = ?,"
        " last_seen_at = ?, updated_at = ?, total_spend_cents = total_spend_cents + ?"
        " WHERE id = ?",
        (at, at, at, cents, customer_id),
    )
    write(work, Movement(customer_id, points, "order", order_id, EARNED, earned=points, at=at))


def _sow_redemption(work: Work, customer_id: int, points: int, at: str) -> None:
    option_id = USUAL_OFFER if points == USUAL_COST else ODD_OFFER
    title = next(offer.name for offer in OFFERS if offer.id == option_id)
    code_id = offers.add_code(work, option_id, offers.new_code("LP"))
    code = work.the("codes", code_id)
    redemption_id = work.insert(
        "redemptions",
        customer_id=customer_id,
        option_id=option_id,
        title=title,
        points=points,
        code=code["code"],
        token="",
        third_party_id=code["third_party_id"],
        delayed=False,
        deducted=True,
        origin="seed",
        created_at=at,
        updated_at=at,
    )
    work.update("codes", code_id, state="used", redemption_id=redemption_id)
    write(work, Movement(customer_id, -points, "redemption", redemption_id, title, at=at))
