"""What a coupon code is worth at the till, by the engine's own record of it and of its offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.till.goods import PRODUCTS
from sandbox.till.refusal import refuse_act
from sandbox.yotpo.store import Row, Work


@dataclass(frozen=True)
class Terms:
    """`record` is the engine's id of this giving out of the code: codes may come again.

    Of `cents`, `percent` and `sku` one says what it gives.
    """

    record: int
    code: str
    name: str
    cents: int = 0
    percent: int = 0
    sku: str = ""
    quantity: int = 0

    def off(self, left: int) -> int:
        """Cents off a sale of which `left` cents are still to be paid."""
        if self.sku:
            return min(left, PRODUCTS[self.sku].cents * self.quantity)
        return min(left, self.cents or left * self.percent // 100)


RECORD = """
SELECT codes.id, codes.code, codes.state, codes.redemption_id, redemptions.points,
    redemptions.state AS redemption_state, redemptions.used_by, options.name, options.is_offline,
    options.public
FROM codes
JOIN options ON options.id = codes.option_id
LEFT JOIN redemptions ON redemptions.id = codes.redemption_id
WHERE codes.code = ?
ORDER BY codes.id DESC LIMIT 1
"""


def record_of(work: Work, code: str) -> Row | None:
    """The latest; typed by hand it may be in small letters."""
    return work.one(RECORD, code) or work.one(RECORD, code.upper())


def terms_of(work: Work, code: str) -> Terms:
    """What it gives. Raises Refused with the reason where it gives nothing, or no more."""
    row = record_of(work, code)
    if row is None or row["state"] == "free":
        raise refuse_act("unknown", f"Nobody knows the code {code}.")
    if row["state"] == "used" or row["used_by"]:
        raise refuse_act("used", f"{row['code']} was used in another sale.")
    if row["state"] == "dead" or row["redemption_state"] == "cancelled":
        raise refuse_act("reversed", f"The points of {row['code']} were given back: it is void.")
    if not row["is_offline"]:
        raise refuse_act("web_only", f"{row['code']} counts in the web shop only.")
    return _terms(row)


def _terms(row: Row) -> Terms:
    option = json.loads(row["public"])
    kind = option["discount_type"]
    if kind not in GIVES:
        raise refuse_act("not_here", f"{row['name']} can't be given at a till.")
    given = GIVES[kind](option, row["points"])
    if given.get("sku", "") not in {"", *PRODUCTS}:
        raise refuse_act("not_here", f"This shop does not sell what {row['code']} is for.")
    return Terms(record=row["id"], code=row["code"], name=row["name"], **given)


Gives = Callable[[Mapping[str, Any], int], dict[str, Any]]
# The engine's word for a kind of discount -> what it gives. No shipping: nothing is sent from here.
GIVES: Mapping[str, Gives] = {
    "fixed_amount": lambda option, points: {"cents": option["discount_amount_cents"]},
    "generic_fixed_amount": lambda option, points: {"cents": option["discount_amount_cents"]},
    "generic_variable": lambda option, points: {
        "cents": int(points * option["discount_rate_cents"])
    },
    "custom": lambda option, points: {"cents": option["discount_value_cents"] or 0},
    "percentage": lambda option, points: {"percent": option["discount_percentage"]},
    "product": lambda option, points: {
        "sku": option["variant_id"],
        "quantity": option["quantity"],
    },
}
