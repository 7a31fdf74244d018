"""Orders: they earn points, use coupon codes, and take the points of delayed redemptions.

Source: "Create order" of the vendor's reference.
"""

from __future__ import annotations

from typing import Any

from sandbox.params import Params
from sandbox.yotpo import customers, redemptions, telling
from sandbox.yotpo.later import later
from sandbox.yotpo.ledger import Movement, balance_of, earned_by, write
from sandbox.yotpo.store import Row, Work

CENTS_PER_POINT = 100  # one point for each whole unit of currency
EARNED = "Placed an order"


def place(work: Work, params: Params) -> None:
    """Take an order in; points move when its job is run, at once unless a delay is switched on."""
    fields = _order_fields(params)
    order = latest(work, fields["order_id"])
    if order is None or not work.switches.orders_idempotent:
        order_row_id = _record(work, params, fields)
    else:
        order_row_id = order["id"]
        work.update("orders", order_row_id, status=fields["status"] or order["status"])
    _queue_if_due(work, order_row_id)


def _order_fields(params: Params) -> dict[str, Any]:
    return {
        "order_id": params.needed_text("order_id"),
        "total_cents": params.needed_cents("total_amount_cents"),
        "currency": params.needed_text("currency_code").upper(),
        "status": params.text("status"),
        "coupon_codes": params.text("coupon_code") or "",
    }


def latest(work: Work, order_id: str) -> Row | None:
    return work.one("SELECT * FROM orders WHERE order_id = ? ORDER BY id DESC LIMIT 1", order_id)


def _record(work: Work, params: Params, fields: dict[str, Any]) -> int:
    email = params.needed_text("customer_email").lower()
    # The shop's id survives a change of email.
    customer = customers.by_email(work, email) or customers.by_shop_id(
        work, params.text("customer_id")
    )
    customer_id = customer["id"] if customer else _enrol(work, params, email)
    return work.insert("orders", customer_id=customer_id, placed_at=work.at, **fields)


def _enrol(work: Work, params: Params, email: str) -> int:
    """An unknown buyer becomes a customer by the account's opt-in rule ("all customers")."""
    told = params.get("customer")
    inner = Params(told if isinstance(told, dict) else {})
    said = [inner.flag("opt_in"), inner.flag("opted_in")]
    opted_in = False not in said
    shop_id = params.text("customer_id")
    fields = {"email": email, "third_party_id": shop_id, "opted_in": opted_in}
    return customers.create(work, fields)


def _queue_if_due(work: Work, order_row_id: int) -> None:
    """The account's setting names the order statuses at which points are given and taken."""
    order = work.the("orders", order_row_id)
    statuses = work.switches.order_statuses
    if order["queued"] or (statuses is not None and order["status"] not in statuses):
        return
    work.update("orders", order_row_id, queued=True)
    later(work, "order", order_row_id)


def process(work: Work, order_row_id: int) -> None:
    order = work.the("orders", order_row_id)
    customer = work.the("customers", order["customer_id"])
    _count_purchase(work, customer, order)
    _use_codes(work, order)
    points = order["total_cents"] // CENTS_PER_POINT if customer["opted_in"] else 0
    work.update("orders", order_row_id, points=points)
    if points:
        before = earned_by(work, customer["id"])
        write(
            work,
            Movement(customer["id"], points, "order", order["order_id"], EARNED, earned=points),
        )
        telling.points_earned(work, customer, points, EARNED, before)


def _count_purchase(work: Work, customer: Row, order: Row) -> None:
    work.update(
        "customers",
        customer["id"],
        total_purchases=customer["total_purchases"] + 1,
        total_spend_cents=customer["total_spend_cents"] + order["total_cents"],
        last_purchase_at=order["placed_at"],
        updated_at=work.at,
    )


LIVE_REDEMPTION = """
SELECT redemptions.* FROM redemptions JOIN codes ON codes.redemption_id = redemptions.id
WHERE codes.code = ? AND codes.state = 'out' AND redemptions.used_by IS NULL
"""


def _use_codes(work: Work, order: Row) -> None:
    """Mark the order's codes used; a delayed redemption's points go now, if they are there."""
    for code in filter(None, map(str.strip, order["coupon_codes"].split(","))):
        redemption = work.one(LIVE_REDEMPTION, code)
        if redemption is not None:
            _use(work, order, redemption)


def _use(work: Work, order: Row, redemption: Row) -> None:
    work.update("redemptions", redemption["id"], used_by=order["id"], updated_at=work.at)
    work.db.execute("UPDATE codes SET state = 'used' WHERE redemption_id = ?", (redemption["id"],))
    balance = balance_of(work, redemption["customer_id"])
    if not redemption["deducted"] and balance >= redemption["points"]:
        redemptions.take_points(work, redemption)
