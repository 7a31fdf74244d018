"""Refunds: they take back what an order earned, and may give back what its discount cost.

Source: "Create refund" of the vendor's reference, and its help page on point balances for refunded
orders: points are whole and rounded down, and a balance may go negative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.messages import refuse
from sandbox.params import Params
from sandbox.yotpo.later import later
from sandbox.yotpo.ledger import Movement, write
from sandbox.yotpo.orders import latest
from sandbox.yotpo.store import Row, Work

TAKEN_BACK = "Refunded an order"
GIVEN_BACK = "Points returned for a refunded order"


def take_in(work: Work, params: Params) -> None:
    """Take a refund in. The vendor works on it later, and answers 200 to an unknown order too."""
    order_id, cents = params.needed_text("order_id"), params.needed_cents("total_amount_cents")
    order = latest(work, order_id)
    _check_currency(work, order, params.text("currency"))
    refund_id = params.text("id")
    if _is_known_refund(work, refund_id):
        return
    stamps = {"refund_id": refund_id or f"made-{work.count('refunds') + 1}"}
    row_id = work.insert("refunds", order_id=order_id, amount_cents=cents, at=work.at, **stamps)
    later(work, "refund", row_id)


def _check_currency(work: Work, order: Row | None, currency: str | None) -> None:
    if not work.switches.multi_currency or order is None:
        return
    if currency is None or currency.upper() != order["currency"]:
        raise refuse(422, "Refund currency does not match the order's")


def _is_known_refund(work: Work, refund_id: str | None) -> bool:
    known = work.one("SELECT 1 FROM refunds WHERE refund_id = ?", refund_id)
    return work.switches.refunds_idempotent and known is not None


def process(work: Work, refund_row_id: int) -> None:
    refund_row = work.the("refunds", refund_row_id)
    order = latest(work, refund_row["order_id"])
    if order is None:
        return
    cents = min(refund_row["amount_cents"], order["total_cents"] - order["refunded_cents"])
    work.update("orders", order["id"], refunded_cents=order["refunded_cents"] + cents)
    _take_back_earned(work, order, cents, refund_row["refund_id"])
    _give_back_spent(work, work.the("orders", order["id"]), cents, refund_row["refund_id"])
    customer = work.the("customers", order["customer_id"])
    spend = customer["total_spend_cents"] - cents
    work.update("customers", customer["id"], total_spend_cents=spend, updated_at=work.at)


def _take_back_earned(work: Work, order: Row, cents: int, ref: str) -> None:
    points = _share(order["points"], cents, order["total_cents"])
    if points:
        write(
            work, Movement(order["customer_id"], -points, "refund", ref, TAKEN_BACK, earned=-points)
        )


def _give_back_spent(work: Work, order: Row, cents: int, ref: str) -> None:
    spent = work.number(
        "SELECT coalesce(sum(points), 0) FROM redemptions"
        " WHERE used_by = ? AND deducted AND state = 'made'",
        order["id"],
    )
    points = SPENT_RETURNED[work.switches.spent_points_returned](order, cents, spent)
    points = min(points, spent - order["spent_returned"])
    if points > 0:
        returned = order["spent_returned"] + points
        work.update("orders", order["id"], spent_returned=returned)
        write(work, Movement(order["customer_id"], points, "refund", ref, GIVEN_BACK))


def _when_full(order: Row, cents: int, spent: int) -> int:
    return spent if order["refunded_cents"] >= order["total_cents"] else 0


SPENT_RETURNED: Mapping[str, Callable[[Row, int, int], int]] = {
    "full": _when_full,
    "proportional": lambda order, cents, spent: _share(spent, cents, order["total_cents"]),
    "never": lambda order, cents, spent: 0,
}


def _share(points: int, cents: int, total_cents: int) -> int:
    """The part of `points` that `cents` of the total stand for, rounded down."""
    return points * cents // total_cents if total_cents else points
