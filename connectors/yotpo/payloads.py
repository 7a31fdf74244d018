"""What Yotpo answers, as small objects. Points are whole, money is whole cents, times are UTC.

Field names at the engine are those of its reference; where an older or newer account uses another,
both are read. What names a person or can be spent is left out of `repr`, so that no log shows it.
"""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from connectors.answers import Unreadable
from connectors.fields import Fields, needed

E164 = re.compile(r"\+[1-9]\d{6,14}")
PHONE_MARKS = str.maketrans("", "", " ().-/")
# What stands in `reward_text` for a custom reward, which has no code.
NO_CODES = frozenset({"redeemed"})
# No till scans a longer one; a reply with one is as good as without.
LONGEST_CODE = 255


@dataclass(frozen=True, slots=True)
class TierRequirements:
    """What is still missing to the next tier."""

    points_needed: int | None = None
    amount_cents_needed: int | None = None
    purchases_needed: int | None = None
    referrals_needed: int | None = None

    @classmethod
    def of(cls, fields: Fields) -> "TierRequirements":
        return cls(
            points_needed=fields.whole("points_needed"),
            amount_cents_needed=fields.whole("amount_cents_needed"),
            purchases_needed=fields.whole("purchases_needed"),
            referrals_needed=fields.whole("referrals_needed"),
        )


@dataclass(frozen=True, slots=True)
class TierActions:
    """What counts towards tiers: done so far, or asked for by a tier."""

    points_earned: int | None = None
    amount_spent_cents: int | None = None
    purchases_made: int | None = None
    referrals_completed: int | None = None

    @classmethod
    def of(cls, fields: Fields) -> "TierActions":
        return cls(
            points_earned=fields.whole("points_earned"),
            amount_spent_cents=fields.whole("amount_spent_cents"),
            purchases_made=fields.whole("purchases_made"),
            referrals_completed=fields.whole("referrals_completed"),
        )


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A row of a customer's history. `points` are negative for a redemption.

    `status` is Approved, Pending or Reversed; of a redemption it is the coupon code itself.
    """

    created_at: datetime | None
    on: date | None
    title: str = field(repr=False)
    points: int
    status: str = field(repr=False)
    action_name: str | None
    completed_at: datetime | None

    @classmethod
    def parse(cls, data: object) -> "HistoryItem":
        """A row without points moved none; one whose points can't be read is unreadable."""
        fields = Fields(data)
        has_points = fields.raw("points") not in (None, "")
        return cls(
            created_at=fields.moment("created_at"),
            on=fields.day("date"),
            title=fields.text("action") or "",
            points=needed(fields.whole("points")) if has_points else 0,
            status=fields.text("status") or "",
            action_name=fields.text("action_name"),
            completed_at=fields.moment("completed_at"),
        )


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as the engine knows them. `points_balance` may be below zero after refunds.

    `history` is None where it was not asked for or not sent. `engine_time` is the engine's clock as
    it answered, `received_at` ours.
    """

    points_balance: int
    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    points_earned: int | None = None
    expiring_points: int | None = None
    expiring_on: date | None = None
    tier_name: str | None = None
    tier_expires: datetime | None = None
    tier_requirements: TierRequirements | None = None
    tier_actions: TierActions | None = None
    opted_in: bool | None = None
    total_purchases: int | None = None
    total_spend_cents: int | None = None
    last_purchase_at: datetime | None = None
    customer_id: str | None = field(default=None, repr=False)
    pos_account_id: str | None = field(default=None, repr=False)
    history: tuple[HistoryItem, ...] | None = field(default=None, repr=False)
    engine_time: datetime | None = None
    received_at: datetime | None = None

    @property
    def tier_points_needed(self) -> int | None:
        return self.tier_requirements.points_needed if self.tier_requirements else None

    @classmethod
    def parse(cls, data: object) -> "Customer":
        fields = Fields(data)
        return cls(
            points_balance=needed(fields.whole("points_balance")),
            email=fields.text("email"),
            first_name=fields.text("first_name"),
            last_name=fields.text("last_name"),
            phone=e164(fields.text("phone_number")),
            points_earned=fields.whole("points_earned"),
            expiring_points=fields.whole("next_points_expire_amount"),
            expiring_on=fields.day("next_points_expire_on"),
            tier_name=fields.text("vip_tier_name"),
            tier_expires=fields.moment("vip_tier_expiration"),
            tier_requirements=fields.part("vip_tier_upgrade_requirements", TierRequirements.of),
            tier_actions=fields.part("vip_tier_actions_completed", TierActions.of),
            opted_in=fields.flag("opt_in", "opted_in", "is_opt_in"),
            total_purchases=fields.whole("total_purchases"),
            total_spend_cents=fields.whole("total_spend_cents"),
            last_purchase_at=fields.moment("last_purchase_at"),
            customer_id=fields.text("third_party_id"),
            pos_account_id=fields.text("pos_account_id"),
            history=history_of(fields.raw("history_items")),
        )


@dataclass(frozen=True, slots=True)
class Option:
    """A way to spend points.

    `points` and `value_cents` are None where the shopper chooses how many (`generic_variable`);
    then `cents_per_point` tells what each is worth.
    """

    id: int
    name: str
    description: str | None = None
    points: int | None = None
    discount_type: str | None = None
    type: str | None = None
    value_cents: int | None = None
    cents_per_point: Decimal | None = None
    currency: str | None = None
    cart_greater_than: str | None = None
    icon: str | None = None

    @classmethod
    def parse(cls, data: object, among: Container[str] | None = None) -> "Option | None":
        """None where its discount type is not `among` those asked for, in lower case."""
        fields = Fields(data)
        discount_type = fields.text("discount_type")
        if among is not None and (discount_type or "").lower() not in among:
            return None
        return cls(
            id=needed(fields.whole("id")),
            name=needed(fields.text("name")),
            description=fields.text("description"),
            points=fields.whole("amount"),
            discount_type=discount_type,
            type=fields.text("type"),
            value_cents=fields.whole("discount_amount_cents", "discount_value_cents"),
            cents_per_point=fields.decimal("discount_rate_cents"),
            cart_greater_than=fields.text("cart_greater_than"),
            icon=fields.text("icon"),
        )


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points turned into a coupon code. `code` is empty where the engine sent none."""

    id: int | None
    code: str = field(repr=False)
    approved: bool
    created_at: datetime | None

    @classmethod
    def parse(cls, data: object) -> "Redemption":
        fields = Fields(data)
        codes = [fields.text(name) or "" for name in ("reward_text", "code")]
        says_nothing = fields.raw("approved") is None
        return cls(
            id=fields.whole("id"),
            code=next((code for code in codes if is_code(code)), ""),
            approved=says_nothing or fields.flag("approved") is True,
            created_at=fields.moment("created_at"),
        )


def is_code(text: str) -> bool:
    return 0 < len(text) <= LONGEST_CODE and text.lower() not in NO_CODES


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """Whose a coupon code is. `id` is this record's; a cancellation names `redemption_id`."""

    id: int | None
    code: str = field(repr=False)
    email: str | None = field(repr=False)
    redemption_id: int | None
    third_party_id: str | None

    @classmethod
    def parse(cls, data: object) -> "CodeRecord":
        fields = Fields(data)
        return cls(
            id=fields.whole("id"),
            code=needed(fields.text("code")),
            email=fields.text("email"),
            redemption_id=fields.whole("point_redemption_id"),
            third_party_id=fields.text("third_party_id"),
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """A VIP tier: what it takes to enter, and by what its points are multiplied."""

    id: int
    name: str
    entry: TierActions | None
    multiplier: Decimal | None

    @classmethod
    def parse(cls, data: object) -> "Tier":
        fields = Fields(data)
        return cls(
            id=needed(fields.whole("id")),
            name=needed(fields.text("name")),
            entry=fields.part("entry_threshold", TierActions.of),
            multiplier=fields.decimal("points_multiplier"),
        )


@dataclass(frozen=True, slots=True)
class Campaign:
    """A way to earn points."""

    id: int
    title: str
    type: str | None
    details: str | None
    reward_text: str | None
    action_name: str | None

    @classmethod
    def parse(cls, data: object) -> "Campaign":
        fields = Fields(data)
        return cls(
            id=needed(fields.whole("id")),
            title=needed(fields.text("title")),
            type=fields.text("type"),
            details=fields.text("details"),
            reward_text=fields.text("reward_text"),
            action_name=fields.text("action_name"),
        )


def history_of(rows: object) -> tuple[HistoryItem, ...] | None:
    """All rows or Unreadable: with one left out, a redemption would be taken for not made."""
    if rows is None:
        return None
    if not isinstance(rows, list):
        raise Unreadable
    return tuple(HistoryItem.parse(row) for row in rows)


def e164(text: str | None) -> str | None:
    """The phone as +14155550123; None where the engine holds one without a country."""
    number = (text or "").translate(PHONE_MARKS)
    return number if E164.fullmatch(number) else None
