"""The shop's customers, which are the engine's members: found by name, email or phone."""

from __future__ import annotations

from sandbox.till.refusal import refuse_act
from sandbox.yotpo.store import Row, Work

Customer = dict[str, str]
MOST_FOUND = 8


def search(work: Work, sought: str) -> list[Customer]:
    """Those whose name, email or phone has it; the first few for nothing sought."""
    words = sought.casefold().split()
    found = (_customer(row) for row in work.all("SELECT * FROM customers ORDER BY id"))
    return [one for one in found if all(_has(one, word) for word in words)][:MOST_FOUND]


def _has(customer: Customer, word: str) -> bool:
    digits = "".join(filter(str.isdigit, word))
    is_number = len(digits) >= len(word) / 2 and digits in customer.get("phone", "")
    named = f"{customer.get('name', '')} {customer.get('email', '')}".casefold()
    return is_number or word in named


def by_id(work: Work, customer_id: int) -> Customer:
    row = work.one("SELECT * FROM customers WHERE id = ?", customer_id)
    if row is None:
        raise refuse_act("unknown", "There is no such customer.", 404)
    return _customer(row)


def _customer(row: Row) -> Customer:
    told = {
        "id": str(row["id"]),
        "name": " ".join(filter(None, (row["first_name"], row["last_name"]))),
        "email": row["email"],
        "phone": row["phone_number"],
    }
    return {name: value for name, value in told.items() if value}
