"""The engine's endpoints: a table from method and path to what is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.clock import iso
from sandbox.messages import refuse_field
from sandbox.params import Params
from sandbox.yotpo import (
    campaigns,
    customers,
    ledger,
    offers,
    orders,
    redemptions,
    refunds,
    shapes,
    tiers,
)
from sandbox.yotpo.store import Row, Work

MERCHANT_ID = 51234
Endpoint = Callable[[Work, Params], Any]


def get_customer(work: Work, params: Params) -> Any:
    return shapes.customer_details(work, customers.needed(work, params), params)


def save_customer(work: Work, params: Params) -> Any:
    customers.upsert(work, params)
    return {}


def save_birthday(work: Work, params: Params) -> Any:
    customer = customers.needed(work, params)
    day, month = params.needed_whole("day"), params.needed_whole("month")
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise refuse_field("day", "is no day of a year")
    birthday = {"birth_day": day, "birthday_month": month, "birthday_year": params.whole("year")}
    work.update("customers", customer["id"], updated_at=work.at, **birthday)
    return {}


def list_options(work: Work, params: Params) -> Any:
    customer = customers.sought(work, params)
    offline_only = params.flag("is_offline") or False
    options = offers.listed(work, customer, offline_only=offline_only)
    wanted = params.text("discount_type")
    return [option for option in options if wanted in (None, option["discount_type"])]


def create_redemption(work: Work, params: Params) -> Any:
    customer = customers.needed(work, params)
    option = offers.option_or_422(work, params.needed_whole("redemption_option_id"))
    redemption = redemptions.redeem(
        work,
        customer,
        option,
        points=params.whole("points_to_redeem"),
        delayed=params.flag("delay_points_deduction") or False,
    )
    return redemptions.public(work, redemption)


def cancel_redemption(work: Work, params: Params) -> Any:
    reward_text = params.needed_text("reward_text")
    redemptions.cancel(work, params.needed_whole("point_redemption_id"), reward_text)
    return {}


def get_code(work: Work, params: Params) -> Any:
    return offers.record_of(
        work, code=params.text("code"), third_party_id=params.text("third_party_id")
    )


def upload_codes(work: Work, params: Params) -> Any:
    option_id = params.needed_whole("redemption_option_id")
    return offers.upload(work, option_id, params.needed_text("codes"))


def create_order(work: Work, params: Params) -> Any:
    orders.place(work, params)
    return {}


def create_refund(work: Work, params: Params) -> Any:
    refunds.take_in(work, params)
    return {}


def adjust_points(work: Work, params: Params) -> Any:
    customer = customers.needed(work, params)
    points = params.needed_whole("point_adjustment_amount")
    if points < 0 and ledger.balance_of(work, customer["id"]) + points < 0:
        raise refuse_field("point_adjustment_amount", "is greater than the customer's balance")
    return _event(work, customer, _adjust(work, customer, points, params))


def _adjust(work: Work, customer: Row, points: int, params: Params) -> int:
    told = params.text("history_title")
    movement = ledger.Movement(
        customer["id"],
        points,
        "adjust",
        told or "",
        told or "Points adjusted",
        earned=points if params.flag("apply_adjustment_to_points_earned") else 0,
        visible=params.flag("visible_to_customer") is not False,
    )
    return ledger.write(work, movement)


def _event(work: Work, customer: Row, seq: int) -> dict[str, Any]:
    """The vendor answers an event row, without the new balance."""
    return {
        "id": seq,
        "customer_id": customer["id"],
        "merchant_id": MERCHANT_ID,
        "referral_id": None,
        "name": "points_adjusted",
        "type": "PointsAdjustment",
        "created_at": iso(work.moment),
        "updated_at": iso(work.moment),
    }


# A star stands for one path segment; it reaches the endpoint under the name in PATH_PARAMETERS.
ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /customers": get_customer,
    "POST /customers": save_customer,
    "GET /customers/recent": shapes.recent,
    "POST /customer_birthdays": save_birthday,
    "GET /redemption_options": list_options,
    "POST /redemptions": create_redemption,
    "POST /redemptions/*/cancellation_completed": cancel_redemption,
    "GET /redemption_codes": get_code,
    "POST /redemption_codes": upload_codes,
    "POST /orders": create_order,
    "POST /refunds": create_refund,
    "POST /points/adjust": adjust_points,
    "GET /campaigns": campaigns.listed,
    "GET /vip_tiers": lambda work, params: tiers.listed(),
}
PATH_PARAMETERS = {"POST /redemptions/*/cancellation_completed": "point_redemption_id"}
