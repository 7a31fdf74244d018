"""The customer as the engine shows it.

Source: "Fetch customer details" of the vendor's reference and live answers seen in public code,
among them the misspelt `thirty_party_id`, which is still sent.
"""

from __future__ import annotations

import base64
from typing import Any

from sandbox.clock import day_of
from sandbox.messages import refuse_field
from sandbox.params import Params
from sandbox.yotpo import ledger, tiers
from sandbox.yotpo.store import Row, Work

BIRTHDAY = ("birth_day", "birthday_month", "birthday_year")
# What the list of recently updated customers leaves out.
NOT_IN_LISTS = (
    "credit_balance",
    "credit_balance_in_customer_currency",
    "next_points_expire_on",
    "next_points_expire_amount",
)
MOST_PER_PAGE = 250


def customer_details(work: Work, customer: Row, params: Params) -> dict[str, Any]:
    """`GET /customers`."""
    details = _customer(work, customer)
    if params.flag("with_history"):
        details["history_items"] = ledger.history_of(work, customer["id"])
    if params.flag("with_referral_code"):
        details |= _referral(customer)
    return details


def _customer(work: Work, customer: Row) -> dict[str, Any]:
    balance = ledger.balance_of(work, customer["id"])
    earned = ledger.earned_by(work, customer["id"])
    return {
        **{name: customer[name] for name in ("email", "first_name", "last_name", "phone_number")},
        "points_balance": balance,
        "points_earned": earned,
        **_expiry(customer, balance),
        **_activity(work, customer),
        "thirty_party_id": customer["third_party_id"],
        "third_party_id": customer["third_party_id"],
        "pos_account_id": customer["pos_account_id"],
        "yotpo_customer_id": customer["id"],
        "has_store_account": bool(customer["has_account"]),
        "credit_balance": "$0",
        "credit_balance_in_customer_currency": "$0",
        "opt_in": bool(customer["opted_in"]),
        "opted_in_at": customer["opted_in_at"],
        **{name: customer[name] for name in BIRTHDAY if customer[name] is not None},
        **tiers.tier_fields(work, customer, earned),
    }


def _expiry(customer: Row, balance: int) -> dict[str, Any]:
    """Points that were spent can't expire any more."""
    amount = min(customer["expires_amount"] or 0, balance)
    day = customer["expires_on"] if amount > 0 else None
    return {
        "points_expire_at": f"{day}T00:00:00.000Z" if day else None,
        "next_points_expire_on": str(day_of(day)) if day else None,
        "next_points_expire_amount": amount if day else None,
    }


def _activity(work: Work, customer: Row) -> dict[str, Any]:
    redeemed = work.number(
        "SELECT count(*) FROM redemptions WHERE customer_id = ? AND deducted AND state = 'made'",
        customer["id"],
    )
    return {
        "total_spend_cents": customer["total_spend_cents"],
        "total_purchases": customer["total_purchases"],
        "perks_redeemed": redeemed,
        "last_purchase_at": customer["last_purchase_at"],
        "last_seen_at": customer["last_seen_at"],
    }


def _referral(customer: Row) -> dict[str, Any]:
    code = f"ref{customer['id']}"
    link = {"link": f"https://shop.example/?ref={code}", "code": code, "expired": False}
    return {
        "referral_link": {**link, "customer_id": customer["id"]},
        "referral_code": {"code": code, "shares": 0, "orders": 0, "expired": False},
    }


def recent(work: Work, params: Params) -> dict[str, Any]:
    """`GET /customers/recent`: the latest change first, pages by an opaque cursor."""
    size = params.whole("per_page") or MOST_PER_PAGE
    if not 1 <= size <= MOST_PER_PAGE:
        raise refuse_field("per_page", f"must be from 1 to {MOST_PER_PAGE}")
    start = _read_cursor(params.text("page_info"))
    rows = work.all(
        "SELECT * FROM customers WHERE readable_at <= ?"
        " ORDER BY updated_at DESC, id LIMIT ? OFFSET ?",
        work.true_seconds,
        size + 1,
        start,
    )
    more = _cursor(start + size) if len(rows) > size else None
    shown = [_in_list(work, row) for row in rows[:size]]
    return {"customers": shown, "metadata": {"next_page_info": more}}


def _in_list(work: Work, customer: Row) -> dict[str, Any]:
    whole = _customer(work, customer)
    return {name: value for name, value in whole.items() if name not in NOT_IN_LISTS}


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _read_cursor(text: str | None) -> int:
    if text is None:
        return 0
    try:
        return max(0, min(int(base64.urlsafe_b64decode(text)), 10**9))
    except ValueError:
        raise refuse_field("page_info", "is invalid") from None
