"""What Yotpo tells of its own accord: events, and calls that ask for a coupon or end one.

Its reference documents the events in part and the two calls hardly at all (contracts, 5 and 8), so
every shape that was seen or may be is read here, and nowhere else. Nothing is believed of it beyond
that it was said: what moves points is read at the engine again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.answers import Unreadable
from connectors.fields import Fields, as_decimal, as_text, as_whole
from connectors.strict_json import read_json
from connectors.yotpo.payloads import is_code

REDEMPTION_CREATED = "swell/redemption/created"
CANCELLATION_REQUEST = "swell/point_redemption/cancellation_request"
BELOW_THRESHOLD = "swell/redemption_code/below_threshold"
POINTS_EARNED = "swell/points/earned"
OPT_IN = "loyalty/opt_in"
TIERS = ("swell/tier/earned", "swell/tier/lost", "swell/tier/status/changed")
REMINDERS = ("swell/redemption/reminder", "swell/points/reminder", "loyalty/expiration/reminder")
KNOWN = (
    REDEMPTION_CREATED,
    CANCELLATION_REQUEST,
    BELOW_THRESHOLD,
    POINTS_EARNED,
    OPT_IN,
    *TIERS,
    *REMINDERS,
)
TOPIC = re.compile(r"[A-Za-z0-9._/-]{1,100}")
ISO_4217 = re.compile(r"[A-Z]{3}")
MOST_FORM_FIELDS = 200
# An id of an outside system that our columns hold (BIGINT).
MOST_ID = 2**63 - 1
# Of one callback; the engine names one or a few.
MOST_NAMED = 100
DEEPEST = 6

# The last part of a webhook's address, where that names a topic: redemption_created, with or
# without what stands before it.
BY_EVENT = {
    name: topic
    for topic in KNOWN
    for name in (topic.replace("/", "_"), topic.partition("/")[2].replace("/", "_"))
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Points are whole, times UTC; what names a person stays out of `repr`.

    `redemption_id` and `code` are the engine's; `points` what a redemption cost.
    """

    topic: str
    email: str | None = field(default=None, repr=False)
    redemption_id: int | None = None
    code: str | None = field(default=None, repr=False)
    points: int | None = None
    option_id: int | None = None
    option_name: str | None = None
    unused_codes: int | None = None
    at: datetime | None = None

    @classmethod
    def parse(cls, data: object, event: str = "all") -> "Event":
        """`event` is the address's last part, for a body without a topic. Raises Unreadable."""
        fields = Fields(data)
        redemption = inner(fields, "redemption", "point_redemption")
        option = inner(fields, "redemption_option")
        customer = inner(fields, "customer")
        return cls(
            topic=topic_of(fields, event),
            email=fields.text("email", "customer_email") or customer.text("email"),
            redemption_id=an_id(
                fields.whole("point_redemption_id", "redemption_id"), redemption.whole("id")
            ),
            code=a_code(fields.text("reward_text"), redemption.text("reward_text", "code")),
            points=option.whole("amount"),
            option_id=an_id(fields.whole("redemption_option_id"), option.whole("id")),
            option_name=fields.text("redemption_option_name") or option.text("name"),
            unused_codes=fields.whole("number_of_unused_codes"),
            at=redemption.moment("created_at") or fields.moment("created_at"),
        )


def inner(fields: Fields, *names: str) -> Fields:
    """The first of these that is an object; else an empty one."""
    return next((Fields(raw) for name in names if isinstance(raw := fields.raw(name), dict)), EMPTY)


EMPTY = Fields({})


def topic_of(fields: Fields, event: str) -> str:
    said = fields.text("topic")
    if said is None:
        return BY_EVENT.get(event.replace("-", "_"), "")
    return said if TOPIC.fullmatch(said) else ""


def an_id(*numbers: int | None) -> int | None:
    return next((number for number in numbers if number and 0 < number <= MOST_ID), None)


def a_code(*texts: str | None) -> str | None:
    return next((text for text in texts if text and is_code(text)), None)


# The two calls that expect an answer


@dataclass(frozen=True, slots=True)
class Callback:
    """Create Coupon or Cancel Coupon. Money is whole cents.

    `ids` are what our answer to Create Coupon gave; `secrets` whatever stands where one may.
    """

    codes: tuple[str, ...] = field(default=(), repr=False)
    ids: tuple[int, ...] = ()
    redemption_id: int | None = None
    email: str | None = field(default=None, repr=False)
    value_cents: int | None = None
    currency: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


CODES = ("couponcode", "couponcodes", "rewardtext", "discountcode", "code", "codes")
IDS = ("id", "ids", "couponid", "couponids", "thirdpartyid", "thirdpartyids")
REDEMPTION_IDS = ("pointredemptionid", "redemptionid")
EMAILS = ("customeremail", "email")
CENTS = ("discountamountcents", "valuecents", "amountcents", "discountvaluecents")
MONEY = ("discountamount", "amount", "value", "discountvalue")
SECRETS = ("secret", "apisecret", "xapisecret", "sharedsecret", "couponsecret", "token")
# Ids and codes that stand deeper are somebody else's: a customer's, a currency's.
ABOUT_COUPONS = (
    "",
    "coupon",
    "coupons",
    "data",
    "payload",
    "body",
    "discount",
    "couponcodes",
    "codes",
)


def read_callback(data: object) -> Callback:
    """Raises Unreadable for what is no object."""
    if not isinstance(data, dict):
        raise Unreadable
    found = list(leaves(data))
    return Callback(
        codes=tuple(code for text in texts(found, CODES) for code in split(text) if is_code(code)),
        ids=tuple(number for text in texts(found, IDS) for number in numbers(text)),
        redemption_id=an_id(*map(as_whole, values(found, REDEMPTION_IDS, anywhere=True))),
        email=next(iter(texts(found, EMAILS, anywhere=True)), None),
        value_cents=cents_of(found),
        currency=currency_of(found),
        secrets=tuple(texts(found, SECRETS, anywhere=True)),
    )


Leaf = tuple[str, str, Any]
"""The parent's name, its own, and what it says."""


def leaves(data: Any, parent: str = "", name: str = "", depth: int = 0) -> Iterator[Leaf]:
    """Everything that is no object and no list, under plain names: `couponCode` is `couponcode`."""
    if depth > DEEPEST:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, name, plain(str(key)), depth + 1)
    elif isinstance(data, list):
        for value in data[:MOST_NAMED]:
            # A list's objects belong to what holds the list, by the list's name.
            yield from leaves(value, parent, name, depth + 1)
    else:
        yield parent, name, data


def plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def values(found: list[Leaf], names: tuple[str, ...], *, anywhere: bool = False) -> list[Any]:
    """In the order of `names`, for the first is the surest."""
    return [
        value
        for wanted in names
        for parent, name, value in found
        if name == wanted and (anywhere or parent in ABOUT_COUPONS)
    ][:MOST_NAMED]


def texts(found: list[Leaf], names: tuple[str, ...], *, anywhere: bool = False) -> list[str]:
    told = (as_text(value) for value in values(found, names, anywhere=anywhere))
    return list(dict.fromkeys(text for text in told if text))


def split(text: str) -> list[str]:
    return [part for piece in text.split(",") if (part := piece.strip())][:MOST_NAMED]


def numbers(text: str) -> list[int]:
    """Ids as we give them: whole, and no longer than our column's."""
    digits = (part for part in split(text) if part.isascii() and part.isdigit())
    return [int(part) for part in digits if len(part) < len(str(MOST_ID))]


def cents_of(found: list[Leaf]) -> int | None:
    """Whole cents are surer than an amount of money, which is in the currency's unit."""
    cents = next((n for v in values(found, CENTS) if (n := as_whole(v)) is not None), None)
    if cents is not None:
        return cents
    money = next((m for v in values(found, MONEY) if (m := as_decimal(v)) is not None), None)
    return None if money is None else as_whole(str(money * 100))


def currency_of(found: list[Leaf]) -> str | None:
    told = [text.upper() for text in texts(found, ("currency", "currencycode"))]
    return next((text for text in told if ISO_4217.fullmatch(text)), None)


# Bodies


def read_body(body: bytes, content_type: str = "") -> Any:
    """A JSON value, or the fields of a form where it says that it is one, or looks like it.

    Raises connectors.strict_json.Malformed.
    """
    says_form = "x-www-form-urlencoded" in content_type.lower()
    is_json = body.lstrip().startswith((b"{", b"["))
    return read_form(body) if says_form and not is_json else read_json(body)


def read_form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_FORM_FIELDS, errors="strict"
        )
    except ValueError:
        raise Unreadable from None
    told: dict[str, Any] = {}
    for name, value in pairs:
        told.setdefault(name.removesuffix("[]"), []).append(value)
    return {name: given if len(given) > 1 else given[0] for name, given in told.items()}
