"""What the API reads and writes. Money is whole cents, points are whole, times ISO 8601 in UTC."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from members.names import can_be_shown
from offers.catalogue import Kind
from redemptions.states import State
from redemptions.use import Outcome
from sales import models as sold

# No engine's option id and no balance is larger, and no column has room for more.
LARGEST_ID = 2**63 - 1
MOST_POINTS = 1_000_000_000
MOST_CENTS = 10**15


def in_utc(moment: datetime) -> str:
    """2026-11-21T09:30:00.123Z"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(in_utc, when_used="always")]
PosId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$", examples=["boston"])]
Id = Annotated[UUID, Field(strict=False)]
# A till whose clock stands at 1970 sells as well; beyond these no database or zone can follow.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)


def read_moment(given: Any) -> Any:
    """A bare number would be read as seconds since 1970, or as milliseconds where it is large."""
    if isinstance(given, str) and given[4:5] == "-":
        return given
    raise ValueError("Give a time in ISO 8601, such as 2026-11-21T09:41:00-05:00.")


def can_be_kept(moment: datetime) -> datetime:
    if not FIRST <= moment < LAST:
        raise ValueError("Give a time between the years 1900 and 3000.")
    return moment


GivenMoment = Annotated[
    AwareDatetime, Field(strict=False), AfterValidator(can_be_kept), BeforeValidator(read_moment)
]
# As long as an address may be; what it says is read elsewhere.
Typed = Annotated[str, Field(max_length=254)]


def can_be_read(reason: str) -> str:
    if not all(map(can_be_shown, reason)):
        raise ValueError("A reason has no control characters.")
    return reason


# Kept with the row and in the trail, which people read in the admin and in terminals.
Why = Annotated[str, Field(max_length=200), AfterValidator(can_be_read)]


class Asked(BaseModel):
    """A body or a part of one: nothing is read as what it is not, and nothing is left over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    # An error in one goes into the log with its traceback: without the values, which name people.
    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


class LookUp(Asked):
    """One of the two. A phone in any usual form, read in the installation's region."""

    email: Typed | None = Field(None, examples=["mara@example.com"])
    phone: Typed | None = Field(None, examples=["(415) 555-0123"])

    @model_validator(mode="after")
    def name_one(self) -> "LookUp":
        check_one_of(self, "email", "phone")
        return self


def check_one_of(asked: Any, *names: str) -> None:
    given = [name for name in names if getattr(asked, name) is not None]
    if len(given) != 1:
        raise ValueError(f"Give exactly one of {', '.join(names)}.")


class Birthday(Asked):
    day: int = Field(ge=1, le=31)
    month: int = Field(ge=1, le=12)
    year: int | None = Field(None, ge=1900, le=2200)

    @model_validator(mode="after")
    def is_a_day(self) -> "Birthday":
        try:
            date(self.year or 2000, self.month, self.day)  # 2000 had a 29 February
        except ValueError:
            raise ValueError("There is no such day.") from None
        return self


class GivenConsent(Asked):
    """What the person agreed to or refused, and which words they were shown."""

    purpose: Literal["marketing_email"]
    granted: bool
    wording_version: str = Field(min_length=1, max_length=40, pattern=r"^[\x20-\x7e]+$")


class NewMember(Asked):
    email: Typed = Field(examples=["ida@example.com"])
    phone: Typed | None = None
    first_name: str | None = Field(None, max_length=100)
    last_name: str | None = Field(None, max_length=100)
    birthday: Birthday | None = None
    consents: list[GivenConsent] = Field(default_factory=list, max_length=20)
    store: PosId | None = None
    associate: PosId | None = None
    force: bool = Field(False, description="Enrol although a likely duplicate is there.")

    @field_validator("consents")
    @classmethod
    def one_of_a_purpose(cls, consents: list[GivenConsent]) -> list[GivenConsent]:
        if len({consent.purpose for consent in consents}) < len(consents):
            raise ValueError("Give each purpose once.")
        return consents


class MemberRef(Asked):
    """By id, or by what a look-up takes."""

    id: Id | None = None
    email: Typed | None = None
    phone: Typed | None = None

    @model_validator(mode="after")
    def name_one(self) -> "MemberRef":
        check_one_of(self, "id", "email", "phone")
        return self


class Redeem(Asked):
    member: MemberRef
    offer_id: int = Field(ge=1, le=LARGEST_ID, description="The engine's redemption option.")
    points: int | None = Field(
        None, ge=1, le=MOST_POINTS, description="How many to spend, for a variable offer."
    )
    ticket: PosId | None = Field(None, description="The open sale that the code is for.")
    ends: Id | None = Field(
        None,
        description="The open delayed redemption that this one ends, as `ends-open-code` named it: "
        "the POS no longer honours its code.",
    )
    store: PosId | None = None
    till: PosId | None = None
    associate: PosId | None = None


class Redemptions(BaseModel):
    """Which of them, and from where on."""

    ticket: PosId | None = None
    state: State | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="next_cursor of the page before.")


class Hold(Asked):
    ticket: PosId | None = None


class Reverse(Asked):
    withdrawn: bool = Field(description="The point of sale no longer honours the code.")
    reason: Why | None = None
    associate: PosId | None = None


class Item(BaseModel):
    """A line of a sale. What else is said of it is left out."""

    model_config = ConfigDict(extra="ignore", strict=True)

    sku: str = Field(max_length=200)
    name: str = Field(max_length=500)
    quantity: float
    unit_price_cents: int = Field(ge=-MOST_CENTS, le=MOST_CENTS)
    type: str | None = Field(None, max_length=200)
    vendor: str | None = Field(None, max_length=200)


class NewSale(BaseModel):
    """Unknown fields are kept: a POS that adds one must not lose its sales."""

    model_config = ConfigDict(extra="allow", strict=True)

    id: PosId = Field(examples=["109001"])
    ticket: PosId | None = None
    completed_at: GivenMoment
    total_cents: int = Field(ge=0, le=MOST_CENTS, description="After discounts.")
    discount_cents: int | None = Field(None, ge=0, le=MOST_CENTS)
    currency: str = Field(pattern="^[A-Z]{3}$", examples=["USD"])
    email: Typed | None = None
    phone: Typed | None = None
    coupon_codes: list[Annotated[str, Field(max_length=255)]] = Field([], max_length=100)
    origin: str | None = Field(None, max_length=64)
    order_type: str | None = Field(None, max_length=64)
    source: str | None = Field(None, max_length=64)
    online_order_id: str | None = Field(
        None, max_length=64, description="The engine has it from the shop: recorded, not delivered."
    )
    items: list[Item] = Field([], max_length=1000)
    store: PosId | None = None
    till: PosId | None = None
    associate: PosId | None = None

    def unknown(self) -> list[str]:
        return sorted(self.model_extra or {})


class BroughtBack(BaseModel):
    """A line of a refund. What else is said of it is left out."""

    model_config = ConfigDict(extra="ignore", strict=True)

    sku: str = Field(min_length=1, max_length=200)
    quantity: float = Field(gt=0, le=MOST_CENTS, allow_inf_nan=False)


class NewRefund(BaseModel):
    """Unknown fields are kept: a POS that adds one must not lose its refunds."""

    model_config = ConfigDict(extra="allow", strict=True)

    id: PosId = Field(examples=["R-4471"])
    sale_id: PosId | None = Field(
        None, examples=["109001"], description="Without it a manager finds the sale."
    )
    bought_online: bool = Field(
        False, description="The engine has the order from the shop, under this sale_id."
    )
    total_cents: int = Field(ge=0, le=MOST_CENTS, description="Given back by this refund.")
    currency: str = Field(pattern="^[A-Z]{3}$", examples=["USD"])
    items: list[BroughtBack] = Field([], max_length=1000)
    email: Typed | None = Field(None, description="Kept only where there is no sale_id.")
    phone: Typed | None = None
    store: PosId | None = None
    till: PosId | None = None
    associate: PosId | None = None

    def unknown(self) -> list[str]:
        return sorted(self.model_extra or {})


class PreviewRefund(Asked):
    sale_id: PosId
    total_cents: int = Field(ge=0, le=MOST_CENTS)
    items: list[BroughtBack] = Field([], max_length=1000)


class Refund(Told):
    id: str
    sale_id: str | None
    state: sold.Refund.State
    reason: str | None = Field(description="Why it is kept for a manager; a word.")
    delivery: str = Field(description="To the engine; none where it is not told of it (yet).")
    not_delivered: str | None = Field(description="Why the engine is not told of its sale; a word.")
    warnings: list[str]


class RefundPreview(Told):
    """Null where nobody can say."""

    points_taken_back: int | None
    points_given_back: int | None = Field(description="Of those that were spent on the sale.")
    balance_after: int | None = Field(description="May be negative: more than the member has left.")
    tier_after: str | None = None
    estimate: Literal[True] = True
    basis: str = Field(description="On what the figures rest, for a person.")
    warnings: list[str]


class CodeOutcome(Told):
    code: str
    outcome: Outcome


class Sale(Told):
    id: str
    delivery: str = Field(description="Of its order to the engine; none where there is none.")
    not_delivered: str | None = Field(description="Why the engine is not told; a word.")
    codes: list[CodeOutcome]
    warnings: list[str]


class Attach(Asked):
    member: MemberRef
    store: PosId | None = None
    till: PosId | None = None
    associate: PosId | None = None


class Void(Asked):
    reason: Why | None = None


class MemberId(Told):
    id: UUID


class OfferName(Told):
    id: int
    name: str


class Redemption(Told):
    id: UUID
    state: State
    reason: str | None = Field(description="Why it is in this state; a word for programs.")
    member: MemberId
    offer: OfferName
    points: int
    value_cents: int | None
    currency: str
    code: str | None
    delayed: bool = Field(description="Its points go when the order that has the code arrives.")
    lease_expires_at: Moment | None = Field(
        description="Until then the code is kept for its ticket; null where no lease runs."
    )
    lease_seconds_left: int | None
    created_at: Moment


class AttachedSale(Told):
    id: str
    member: MemberId
    delivery: str = Field(description="Of its order to the engine.")
    attached_at: Moment


class VoidedSale(Told):
    id: str
    refund: bool = Field(description="The engine is told of a refund of the whole.")
    codes: list[Redemption]


class Page(Told):
    items: list[Redemption]
    next_cursor: str | None


class Tier(Told):
    name: str
    points_to_next: int | None
    next_name: str | None = Field(
        description="Null for the highest tier, and for a moment after a start: it is read aside."
    )


class Expiring(Told):
    points: int
    on: date | None


class Redeemable(Told):
    ok: bool
    reason: (
        Literal["engine_down", "no_email", "opted_out", "another_under_way", "being_enrolled"]
        | None
    ) = None


class Member(Told):
    id: UUID | None = Field(description="Null where the engine has no email for the person.")
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    points_balance: int
    points_available: int = Field(
        description="What can be spent: the balance, less what open delayed codes will take."
    )
    tier: Tier | None
    expiring: Expiring | None
    opted_in: bool | None
    redeemable: Redeemable
    as_of: Moment
    live: bool = Field(description="False: the engine is down; these are its last known figures.")
    waiting: bool = Field(
        False, description="True: kept while the engine is down, and enrolled when it answers."
    )
    pending: list[Redemption]


class Offer(Told):
    id: int
    name: str
    description: str
    points: int = Field(description="What it costs; 0 for a variable offer.")
    value_cents: int | None
    currency: str
    kind: Kind
    cents_per_point: float | None
    affordable: bool
    short_by: int


class Offers(Told):
    items: list[Offer]


class FieldError(Told):
    field: str
    detail: str


class Duplicate(Told):
    """Somebody who is a member already, masked."""

    name: str
    email: str
    phone: str


class OpenCode(Told):
    """The open redemption that another one would end."""

    id: UUID
    code: str


class ProblemBody(Told):
    """RFC 9457. Branch on `type`; `detail` is for a person."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None
    duplicates: list[Duplicate] | None = None
    ends: OpenCode | None = None
