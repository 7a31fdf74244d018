"""Movements of points. Nothing else changes a balance, and nothing changes a movement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.yotpo.store import Row, Work

# The vendor: "Approved", "Pending", "Reversed", or the coupon code of a redemption.
APPROVED, PENDING, REVERSED = "Approved", "Pending", "Reversed"


def balance_of(work: Work, customer_id: int) -> int:
    """Spendable points; may be negative after refunds."""
    row = work.one(
        "SELECT balance FROM ledger WHERE customer_id = ? ORDER BY seq DESC LIMIT 1", customer_id
    )
    return row["balance"] if row else 0


def earned_by(work: Work, customer_id: int) -> int:
    """Points that count for the tiers, over the customer's life."""
    return work.number(
        "SELECT coalesce(sum(earned), 0) FROM ledger WHERE customer_id = ?", customer_id
    )


@dataclass(frozen=True)
class Movement:
    """One movement to be written; `points` and `earned` are signed. `at` None is now."""

    customer_id: int
    points: int
    kind: str
    ref: object
    title: str
    earned: int = 0
    visible: bool = True
    at: str | None = None


def write(work: Work, movement: Movement) -> int:
    """Append a movement to the ledger; returns its number."""
    balance = balance_of(work, movement.customer_id) + movement.points
    given = {**asdict(movement), "ref": str(movement.ref), "at": movement.at or work.at}
    return work.insert("ledger", **given, balance=balance)


def rows_of(work: Work, customer_id: int) -> list[dict[str, Any]]:
    """The plain ledger of one customer, oldest first."""
    rows = work.all("SELECT * FROM ledger WHERE customer_id = ? ORDER BY seq", customer_id)
    return [dict(row) for row in rows]


HISTORY = """
SELECT ledger.*, redemptions.code, redemptions.state, redemptions.shown_as
FROM ledger LEFT JOIN redemptions
    ON ledger.kind IN ('redemption', 'reversal') AND redemptions.id = CAST(ledger.ref AS INTEGER)
WHERE ledger.customer_id = ? AND ledger.visible
ORDER BY ledger.at DESC, ledger.seq DESC
"""


def history_of(work: Work, customer_id: int) -> list[dict[str, Any]]:
    """What the engine shows as `history_items`, newest first."""
    rows = work.all(HISTORY, customer_id)
    pending = work.switches.redemption_history == "Pending"
    return [_history_item(row, pending) for row in rows if _is_shown(row)]


def _is_shown(row: Row) -> bool:
    return bool(row["kind"] != "reversal" or row["shown_as"] == "row")


def _history_item(row: Row, pending: bool) -> dict[str, Any]:
    return {
        "created_at": row["at"],
        "date": row["at"][:10],
        "action": row["title"],
        "points": row["points"],
        "status": _status(row, pending),
        "credits": None,
    }


def _status(row: Row, pending: bool) -> str:
    if row["kind"] != "redemption":
        return APPROVED
    if row["shown_as"] == "status":
        return REVERSED
    return PENDING if pending else str(row["code"])
