"""Points turned into coupon codes, and back.

Source: "Create redemption" and "Approve redemption cancellation" of the vendor's reference. There
is no idempotency key: the same call twice makes two redemptions.
"""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.messages import Refused, refuse, refuse_field
from sandbox.yotpo import customers, ledger, offers, telling
from sandbox.yotpo.store import Row, Work

TOO_FEW = "is greater than the customer's balance"


def redeem(
    work: Work,
    customer: Row,
    option: Row,
    *,
    points: int | None = None,
    delayed: bool = False,
    origin: str = "api",
) -> Row:
    """Make one redemption; `points` counts only for an option without a price of its own.

    A custom coupon's points go at once, whatever is asked for.
    """
    _check_may(customer, option)
    delayed = delayed and option["supply"] == "made"
    cost = _cost(option, points)
    if cost > ledger.balance_of(work, customer["id"]):
        raise refuse_field("amount", TOO_FEW)
    redemption_id = _record(work, customer, option, cost, delayed=delayed, origin=origin)
    if delayed:
        _end_older(work, by_id(work, redemption_id))
    else:
        take_points(work, by_id(work, redemption_id))
    made = by_id(work, redemption_id)
    _tell(work, made, option)
    return made


def _tell(work: Work, redemption: Row, option: Row) -> None:
    """A delayed one is told as a coupon alone: there is nothing in the history yet."""
    if option["supply"] == "made":
        telling.coupon_created(work, redemption)
    if option["supply"] == "pool":
        telling.stock(work, option)
    if not redemption["delayed"] and option["supply"] != "none":
        telling.redemption_created(work, redemption)


def _check_may(customer: Row, option: Row) -> None:
    if not customer["opted_in"]:
        raise refuse(422, "Customer is not opted in")
    if not offers.qualifies(option, customer):
        raise refuse(422, "Customer does not qualify for this redemption option")


def _cost(option: Row, points: int | None) -> int:
    if option["cost"] is not None:
        return int(option["cost"])
    if points is None:
        raise refuse(422, "points_to_redeem is required for this redemption option")
    if points < 1:
        raise refuse(422, "points_to_redeem must be greater than 0")
    return points


def _record(
    work: Work, customer: Row, option: Row, cost: int, *, delayed: bool, origin: str
) -> int:
    redemption_id = work.insert(
        "redemptions",
        customer_id=customer["id"],
        option_id=option["id"],
        title=option["name"],
        points=cost,
        code=offers.NO_COUPON,
        token=secrets.token_hex(12),
        delayed=delayed,
        deducted=False,
        origin=origin,
        created_at=work.at,
        updated_at=work.at,
    )
    if option["supply"] != "none":
        code = offers.hand_out(work, option, redemption_id)
        held = {"code": code["code"], "third_party_id": code["third_party_id"]}
        work.update("redemptions", redemption_id, **held)
    return redemption_id


WAITING = """
SELECT * FROM redemptions WHERE customer_id = ? AND delayed AND NOT deducted AND used_by IS NULL
AND state <> 'cancelled' AND id < ? ORDER BY id
"""


def _end_older(work: Work, redemption: Row) -> None:
    """The same points pay for one code only: older ones that count on them are cancelled.

    The merchant's Cancel Coupon URL is called for each ("Delayed point deduction", vendor's help).
    """
    older = work.all(WAITING, redemption["customer_id"], redemption["id"])
    left = ledger.balance_of(work, redemption["customer_id"]) - redemption["points"]
    for one in reversed(older):
        left -= one["points"]
        if left < 0:
            end_unasked(work, one)


def end_unasked(work: Work, redemption: Row) -> None:
    """The engine ends a code, and calls the merchant. A delayed one is dead then.

    One that an order has used keeps its points with that order: only the call comes, too late.
    """
    if redemption["delayed"] and redemption["used_by"] is None:
        _undo(work, redemption)
    telling.coupon_cancelled(work, redemption)


def take_points(work: Work, redemption: Row) -> None:
    _move(work, redemption, -redemption["points"], "redemption", redemption["title"])
    work.update("redemptions", redemption["id"], deducted=True)


def _move(work: Work, redemption: Row, points: int, kind: str, title: str) -> None:
    customer_id, ref = redemption["customer_id"], redemption["id"]
    ledger.write(work, ledger.Movement(customer_id, points, kind, ref, title))


def by_id(work: Work, redemption_id: int) -> Row:
    row = work.one("SELECT * FROM redemptions WHERE id = ?", redemption_id)
    if row is None:
        raise refuse(404, "Could not find redemption")
    return row


def cancel(work: Work, redemption_id: int, reward_text: str) -> None:
    """Give the points back once and kill the code."""
    redemption = by_id(work, redemption_id)
    if redemption["code"] != reward_text:
        raise refuse_field("reward_text", "does not match the redemption")
    if redemption["state"] == "cancelled":
        _second_time(work, redemption)
        return
    if redemption["used_by"] and work.switches.cancel_used_code == "refuse":
        raise refuse(422, "Coupon code was used")
    if work.switches.first_cancellation != "ignore":
        _undo(work, redemption)


def _second_time(work: Work, redemption: Row) -> None:
    if work.switches.second_cancellation == "refuse":
        raise Refused(422, {"error": "Redemption was cancelled already"})
    if work.switches.second_cancellation == "again":
        _undo(work, redemption)


def _undo(work: Work, redemption: Row) -> None:
    shown_as = work.switches.cancellation_history
    stamps = {"updated_at": work.at, "shown_as": shown_as}
    work.update("redemptions", redemption["id"], state="cancelled", **stamps)
    work.db.execute("UPDATE codes SET state = 'dead' WHERE redemption_id = ?", (redemption["id"],))
    if redemption["deducted"]:
        title = f"{redemption['title']} reversed"
        _move(work, redemption, redemption["points"], "reversal", title)


def public(work: Work, redemption: Row) -> dict[str, Any]:
    """The reply's body. The code's field is a switch: the docs say `reward_text`, newer replies
    have `code` too."""
    shown = work.switches.code_field
    coupon = redemption["code"]
    return {
        "id": redemption["id"],
        "reward_text": coupon if shown != "code" else None,
        "code": coupon if shown != "reward_text" and coupon != offers.NO_COUPON else None,
        "approved": True,
        "approved_at": redemption["created_at"],
        "created_at": redemption["created_at"],
        "updated_at": redemption["updated_at"],
        "token": redemption["token"],
        "third_party_id": redemption["third_party_id"],
        "third_party_rule_id": None,
        "is_admin": False,
        "is_pos": False,
        "at_checkout": False,
    }


def make_online(work: Work, email: str, option_id: int, points: int | None) -> Row:
    """The member redeems on the web shop while nobody at the till knows."""
    customer = customers.by_email(work, email)
    if customer is None:
        raise refuse(404, "Could not find customer")
    option = offers.option_or_422(work, option_id)
    return redeem(work, customer, option, points=points, origin="online")
