"""Redemption options and their coupon codes.

Source: "Fetch active redemption options", "Get redemption code data" and "Add coupon codes" of the
vendor's API reference.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sandbox.messages import refuse, refuse_field
from sandbox.yotpo.store import Row, Work

# Letters and digits that nobody mistakes for one another.
LETTERS = "23456789ACDEFGHJKMNPQRTUVWXYZ"
MOST_CODES_AT_ONCE = 10_000
NO_COUPON = "Redeemed"  # what the engine answers as the code of a reward without one


def option_or_422(work: Work, option_id: int) -> Row:
    row = work.one("SELECT * FROM options WHERE id = ?", option_id)
    if row is None:
        raise refuse(422, "Could not find redemption option")
    return row


def qualifies(option: Row, customer: Row) -> bool:
    """Whether an option is for this member at all; what it costs is another matter."""
    tags = [tag.strip() for tag in customer["tags"].split(",")]
    return option["needs_tag"] is None or option["needs_tag"] in tags


@lru_cache
def _public(written: str) -> Mapping[str, Any]:
    """An option as it is shown. All answers share it, so nobody may change it."""
    shown: dict[str, Any] = json.loads(written)
    return shown


def listed(work: Work, customer: Row | None, *, offline_only: bool) -> list[Mapping[str, Any]]:
    """The active options as the engine shows them, for one customer or for everyone."""
    rows = work.all("SELECT * FROM options ORDER BY id")
    return [
        _public(row["public"])
        for row in rows
        if (row["is_offline"] or not offline_only)
        and (customer is None or qualifies(row, customer))
    ]


def hand_out(work: Work, option: Row, redemption_id: int) -> Row:
    """Give a redemption its code: a new one, or the oldest of the pool (422 if it is empty)."""
    code_id = _from_pool(work, option) if option["supply"] == "pool" else _make(work, option)
    work.update("codes", code_id, state="out", redemption_id=redemption_id)
    return work.the("codes", code_id)


def _from_pool(work: Work, option: Row) -> int:
    row = work.one(
        "SELECT id FROM codes WHERE option_id = ? AND state = 'free' ORDER BY id LIMIT 1",
        option["id"],
    )
    if row is None:
        raise refuse(422, "There are no coupon codes left for this reward")
    return int(row["id"])


def _make(work: Work, option: Row) -> int:
    return add_code(work, option["id"], new_code("LP"))


def new_code(prefix: str) -> str:
    """Like `LP-7Q2F-K9XD`."""
    drawn = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"{prefix}-{drawn[:4]}-{drawn[4:]}"


def add_code(work: Work, option_id: int, code: str) -> int:
    """One free code record; raises IntegrityError if the code is live already."""
    code_id = work.insert("codes", option_id=option_id, code=code, state="free")
    work.update("codes", code_id, third_party_id=str(code_id - 220_000))
    return code_id


def upload(work: Work, option_id: int, codes: str) -> dict[str, Any]:
    """Fill a pool from a comma-separated list; a switch says what becomes of live codes."""
    option = option_or_422(work, option_id)
    wanted = [code.strip() for code in codes.split(",") if code.strip()]
    if option["supply"] != "pool":
        raise refuse_field("redemption_option_id", "is not a custom coupon")
    if len(wanted) > MOST_CODES_AT_ONCE:
        raise refuse_field("codes", f"are more than {MOST_CODES_AT_ONCE}")
    for code in wanted:
        _add_unless_live(work, option_id, code)
    work.db.execute(NUMBERED, [option_id])
    return dict(_public(option["public"]))


# As `add_code` numbers them, all in one.
NUMBERED = """
UPDATE codes SET third_party_id = CAST(id - 220000 AS TEXT)
WHERE option_id = ? AND third_party_id IS NULL
"""


def _add_unless_live(work: Work, option_id: int, code: str) -> None:
    try:
        work.insert("codes", option_id=option_id, code=code, state="free")
    except sqlite3.IntegrityError:
        if work.switches.uploaded_again == "refuse":
            raise refuse_field("codes", "has already been taken") from None


RECORD = """
SELECT codes.id, codes.code, codes.third_party_id, customers.email,
    codes.redemption_id AS point_redemption_id
FROM codes
LEFT JOIN redemptions ON redemptions.id = codes.redemption_id
LEFT JOIN customers ON customers.id = redemptions.customer_id
WHERE {column} = ?
ORDER BY codes.id DESC LIMIT 1
"""


def record_of(work: Work, *, code: str | None, third_party_id: str | None) -> dict[str, Any]:
    """A code's record; the latest where a code came round again. 404 if unknown."""
    if code is None and third_party_id is None:
        raise refuse(422, "code or third_party_id is needed")
    column = "codes.code" if code else "codes.third_party_id"
    row = work.one(RECORD.format(column=column), code or third_party_id)
    hidden = row is not None and row["point_redemption_id"] is None
    if row is None or (hidden and not work.switches.unused_codes_shown):
        raise refuse(404, "Could not find redemption code")
    return dict(row)
