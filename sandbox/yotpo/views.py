"""What the switchboard shows of the engine's state, and the few things it does to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.messages import refuse
from sandbox.params import Params
from sandbox.yotpo import customers
from sandbox.yotpo import ledger as book
from sandbox.yotpo.store import Row, Work
from sandbox.yotpo.tiers import tier_fields

COUNTED = ("customers", "redemptions", "codes", "orders", "refunds", "ledger")


def counts(work: Work) -> dict[str, int]:
    return {table: work.count(table) for table in COUNTED}


def ledger(work: Work, email: str | None) -> dict[str, Any]:
    """Oldest first; without an email the whole ledger, whose balance is what the shop owes."""
    if email is None:
        rows = [dict(row) for row in work.all("SELECT * FROM ledger ORDER BY seq")]
        return {"rows": rows, "balance": sum(row["points"] for row in rows)}
    customer = _customer(work, email)
    balance = book.balance_of(work, customer["id"])
    return {"rows": book.rows_of(work, customer["id"]), "balance": balance}


def _customer(work: Work, email: str) -> Row:
    customer = customers.by_email(work, email)
    if customer is None:
        raise refuse(404, "Could not find customer")
    return customer


def members(work: Work) -> list[dict[str, Any]]:
    return [_member(work, row) for row in work.all("SELECT * FROM customers ORDER BY id")]


def _member(work: Work, row: Row) -> dict[str, Any]:
    earned = book.earned_by(work, row["id"])
    plain = ("id", "email", "first_name", "last_name", "phone_number", "third_party_id")
    return {
        **{name: row[name] for name in (*plain, "pos_account_id", "tags", "total_purchases")},
        "points_balance": book.balance_of(work, row["id"]),
        "points_earned": earned,
        "opted_in": bool(row["opted_in"]),
        "vip_tier_name": tier_fields(work, row, earned).get("vip_tier_name"),
        "readable": row["readable_at"] <= work.true_seconds,
    }


def options(work: Work) -> list[dict[str, Any]]:
    return [dict(row) for row in work.all("SELECT id, name FROM options ORDER BY id")]


REDEMPTIONS = """
SELECT redemptions.id, customers.email, redemptions.option_id, redemptions.title AS option_name,
    redemptions.points, redemptions.code, redemptions.state, redemptions.delayed,
    redemptions.deducted, redemptions.origin, orders.order_id, redemptions.created_at
FROM redemptions
JOIN customers ON customers.id = redemptions.customer_id
LEFT JOIN orders ON orders.id = redemptions.used_by
WHERE redemptions.origin <> 'seed'
ORDER BY redemptions.id
"""


def redemptions(work: Work) -> list[dict[str, Any]]:
    """Those made since the seed, oldest first; `order_id` is the order that used the code."""
    return [_redemption(row) for row in work.all(REDEMPTIONS)]


def _redemption(row: Row) -> dict[str, Any]:
    return {**dict(row), "delayed": bool(row["delayed"]), "deducted": bool(row["deducted"])}


PLAIN_FIELDS = ("first_name", "last_name", "phone_number", "third_party_id", "pos_account_id")


def add_member(work: Work, params: Params) -> dict[str, Any]:
    """A member who can be read at once; `points` is the opening balance."""
    email = params.text("email")
    fields: dict[str, object] = {name: params.text(name) for name in PLAIN_FIELDS}
    fields |= {"email": email and email.lower(), "tags": params.text("tags") or ""}
    fields["opted_in"] = params.flag("opted_in") is not False
    customers.check_free(work, None, fields)
    customer_id = customers.create(work, fields, at_once=True)
    points = params.whole("points") or 0
    if points:
        brought = book.Movement(customer_id, points, "seed", "member", "Points brought along")
        book.write(work, replace(brought, earned=max(points, 0)))
    return _member(work, work.the("customers", customer_id))


def adjust(work: Work, params: Params) -> dict[str, Any]:
    """Move points by hand; here a balance may go below zero."""
    customer = _customer(work, params.needed_text("email"))
    points = params.needed_whole("points")
    title = "Points adjusted"
    book.write(work, book.Movement(customer["id"], points, "adjust", "sandbox", title))
    return {"balance": book.balance_of(work, customer["id"])}
