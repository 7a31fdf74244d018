"""What the engine's answers look like, as far as its documentation and seen answers say."""

from collections.abc import Callable
from typing import Any

RATE_HEADERS = (
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit-minute",
    "x-ratelimit-remaining-minute",
)


def is_one_of(*kinds: type | None) -> Callable[[Any], bool]:
    """Exactly of one of the types: True is no number here."""
    allowed = {type(None) if kind is None else kind for kind in kinds}
    return lambda value: type(value) in allowed


TEXT, MAYBE_TEXT = is_one_of(str), is_one_of(str, None)
WHOLE, MAYBE_WHOLE = is_one_of(int), is_one_of(int, None)
# The vendor's table says string, its examples say int.
MAYBE_NUMBER = is_one_of(int, str, None)
FLAG = is_one_of(bool)

GIVEN = is_one_of(str, int, float, dict)

Shape = Callable[[Any], None]


def has_fields(**fields: Callable[[Any], bool]) -> Shape:
    def check(data: Any) -> None:
        assert isinstance(data, dict)
        wrong = [name for name, fits in fields.items() if not fits(data.get(name, ...))]
        assert wrong == []

    return check


def is_list_of(shape: Shape) -> Shape:
    def check(data: Any) -> None:
        assert isinstance(data, list)
        for item in data:
            shape(item)

    return check


def anything(_: Any) -> None:
    """The vendor doesn't say."""


customer = has_fields(
    email=MAYBE_TEXT,
    first_name=MAYBE_TEXT,
    last_name=MAYBE_TEXT,
    phone_number=MAYBE_TEXT,
    points_balance=WHOLE,
    points_earned=WHOLE,
    points_expire_at=MAYBE_TEXT,
    total_spend_cents=WHOLE,
    total_purchases=WHOLE,
    perks_redeemed=WHOLE,
    third_party_id=MAYBE_TEXT,
    pos_account_id=MAYBE_TEXT,
    has_store_account=FLAG,
    credit_balance=TEXT,
    opt_in=FLAG,
    opted_in_at=MAYBE_TEXT,
)
option = has_fields(
    id=WHOLE,
    name=TEXT,
    description=MAYBE_TEXT,
    icon=MAYBE_TEXT,
    cost_text=MAYBE_TEXT,
    amount=MAYBE_NUMBER,
    type=TEXT,
    discount_type=MAYBE_TEXT,
    discount_amount_cents=MAYBE_WHOLE,
    discount_rate_cents=MAYBE_WHOLE,
    discount_percentage=MAYBE_WHOLE,
)
redemption = has_fields(
    id=WHOLE,
    reward_text=TEXT,
    approved=FLAG,
    approved_at=TEXT,
    created_at=TEXT,
    updated_at=TEXT,
    is_admin=FLAG,
    is_pos=FLAG,
    at_checkout=FLAG,
)
code = has_fields(id=WHOLE, code=TEXT, third_party_id=MAYBE_TEXT, email=TEXT)
tier = has_fields(
    id=WHOLE, name=TEXT, description=MAYBE_TEXT, points_multiplier=GIVEN, entry_threshold=GIVEN
)
campaign = has_fields(id=WHOLE, title=TEXT, type=TEXT)
history_item = has_fields(created_at=TEXT, date=TEXT, action=TEXT, points=WHOLE, status=TEXT)
too_few = has_fields(amount=is_one_of(list))
event = has_fields(id=WHOLE, customer_id=WHOLE, merchant_id=WHOLE, type=TEXT, created_at=TEXT)


def with_history(data: Any) -> None:
    customer(data)
    is_list_of(history_item)(data["history_items"])


def without_history(data: Any) -> None:
    customer(data)
    assert "history_items" not in data


def page_of_customers(data: Any) -> None:
    assert data["customers"]
    assert "history_items" not in data["customers"][0]
    assert "next_page_info" in data["metadata"]
