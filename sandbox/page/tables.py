"""Rows of the control page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Row = Mapping[str, Any]
NONE_YET = '<tr><td colspan="{width}" class="none">None yet</td></tr>'


def safe(value: object) -> str:
    """Text for HTML; nothing for None. `bdi` keeps right-to-left names in their cell."""
    return "" if value is None else f"<bdi>{escape(str(value))}</bdi>"


def number(value: int) -> str:
    return f'<span class="number{" minus" if value < 0 else ""}">{value:,}</span>'


def badge(words: str, tone: str = "plain") -> str:
    return f'<span class="badge {tone}">{escape(words)}</span>'


def _table(rows: Sequence[Sequence[str]], width: int) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "\n".join(f"<tr>{row}</tr>" for row in cells) or NONE_YET.format(width=width)


def counts(counted: Mapping[str, int]) -> str:
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{number(count)}</dd></div>"
        for name, count in counted.items()
    )


def members(rows: Sequence[Row]) -> str:
    return _table([_member(row) for row in rows], width=6)


def _member(row: Row) -> list[str]:
    name = " ".join(filter(None, (row["first_name"], row["last_name"])))
    return [
        safe(name),
        safe(row["email"]),
        safe(row["phone_number"]),
        number(row["points_balance"]),
        safe(row["vip_tier_name"]),
        _standing(row),
    ]


def _standing(row: Row) -> str:
    told = {
        "opted out": not row["opted_in"],
        "not readable yet": not row["readable"],
        "no email": row["email"] is None,
    }
    return " ".join(badge(words, "warn") for words, holds in told.items() if holds)


def redemptions(rows: Sequence[Row]) -> str:
    return _table([_redemption(row) for row in rows], width=8)


def _redemption(row: Row) -> list[str]:
    return [
        str(row["id"]),
        safe(row["email"]),
        safe(row["option_name"]),
        number(row["points"]),
        f"<code>{safe(row['code'])}</code>",
        _fate(row),
        safe(row["created_at"]),
        _asks(row) if row["state"] == "made" else "",
    ]


def _asks(row: Row) -> str:
    """What the shopper or the engine may do of their own accord, and tell of."""
    named = f'<span class="unseen"> redemption {row["id"]}</span></button>'
    return (
        f'<button type="button" data-method="POST" data-path="ask-to-cancel/{row["id"]}">'
        f"Shopper asks to cancel{named}"
        f' <button type="button" data-method="POST" data-path="cancel-coupon/{row["id"]}">'
        f"Engine ends it{named}"
    )


def _fate(row: Row) -> str:
    badges = [badge(row["state"], "warn" if row["state"] == "cancelled" else "good")]
    badges += [badge("points not taken", "plain")] if not row["deducted"] else []
    badges += [badge("online")] if row["origin"] == "online" else []
    badges += [badge("used in an order", "good")] if row["order_id"] else []
    return " ".join(badges)


def calls(rows: Sequence[Row]) -> str:
    return _table([_call(row) for row in rows], width=5)


def _call(row: Row) -> list[str]:
    status = row["status"]
    tone = "bad" if status is None or status >= 400 else "good"
    return [
        str(row["seq"]),
        f"<code>{safe(row['endpoint'])}</code>",
        badge("no reply" if status is None else str(status), tone),
        badge("changed") if row["made"] else "",
        badge(row["fault"], "warn") if row["fault"] else "",
    ]


def faults(rows: Sequence[Row]) -> str:
    return _table([_fault(row) for row in rows], width=5)


def _fault(row: Row) -> list[str]:
    left = "until cleared" if row["times"] is None else f"{row['times']} more"
    clear = (
        f'<button type="button" data-method="DELETE" data-path="faults/{row["id"]}">'
        f'Clear<span class="unseen"> fault {row["id"]}</span></button>'
    )
    aim = ", ".join(f"{name} = {value}" for name, value in row["match"].items())
    return [f"<code>{safe(row['endpoint'])}</code>", safe(row["kind"]), left, safe(aim), clear]
