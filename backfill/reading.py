"""What a row of a file means: a sale or a refund. What could mean two things is refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from backfill.files import USED
from members.identity import Unreadable as NoIdentity
from members.identity import read_email, read_phone
from members.names import can_be_shown
from sales.record import NewSale
from sales.refunds import NewRefund
from stores.models import POS_ID, Installation

IS_POS_ID = re.compile(POS_ID.regex)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?")
MONEY = re.compile(r"\d{1,13}\.\d\d")
CENTS = re.compile(r"\d{1,15}")
CURRENCY = re.compile(r"[A-Z]{3}")
# A till's clock may be ahead of ours, not by a day.
LATEST = timedelta(days=1)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MOST_CODES, LONGEST_CODE, LONGEST_WORD = 100, 255, 64
KINDS = {"": "sale", "sale": "sale", "refund": "refund"}


class Flawed(Exception):
    """Why a row can't be taken, and what to do; it repeats nothing that the row says."""


@dataclass(frozen=True, slots=True)
class PlaceNames:
    """What the POS calls the place; each may be empty."""

    store: str
    till: str
    associate: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a row tells."""

    new: NewSale | NewRefund
    place: PlaceNames


def read_row(titles: Sequence[str], cells: Sequence[str], installation: Installation) -> Given:
    """Raises Flawed."""
    if len(cells) != len(titles):
        raise Flawed(
            f"The row has {len(cells)} cells and the first line {len(titles)}. A comma within a "
            "cell wants quotes around it; money is written 42.00."
        )
    row = {title: cell for title, cell in zip(titles, cells, strict=True) if title in USED}
    for title, cell in row.items():
        if not all(map(can_be_shown, cell)):
            raise Flawed(
                f"Column {title}: it holds a character that can't be shown, such as an end of line."
            )
    kind = KINDS.get(row.get("kind", "").lower())
    if kind is None:
        raise Flawed("Column kind: write sale or refund, or leave it empty for a sale.")
    read = read_sale if kind == "sale" else read_refund
    return Given(read(row, installation), read_place(row))


def read_sale(row: Mapping[str, str], installation: Installation) -> NewSale:
    if row.get("sale_id"):
        raise Flawed("Column sale_id: only a refund names a sale. Write refund into column kind.")
    email, phone = read_buyer(row, installation)
    return NewSale(
        pos_id=pos_id(row, "id"),
        completed_at=read_moment(row, installation),
        total_cents=read_money(row, "total"),
        currency=read_currency(row, installation),
        ticket=pos_id(row, "ticket", needed=False),
        discount_cents=read_money(row, "discount") if is_given(row, "discount") else None,
        email=email,
        phone=phone,
        coupon_codes=read_codes(row),
        origin=word(row, "origin"),
        online_order_id=word(row, "online_order_id"),
        told={name: word(row, name) for name in ("order_type", "source") if row.get(name)},
    )


def read_refund(row: Mapping[str, str], installation: Installation) -> NewRefund:
    if not row.get("sale_id"):
        raise Flawed("Column sale_id: a refund names the id of its sale here.")
    if row.get("coupon_codes") or is_given(row, "discount"):
        raise Flawed("A refund has neither coupon codes nor a discount: leave them empty.")
    cents = read_money(row, "total")
    if not cents:
        raise Flawed("A refund of nothing: leave it out.")
    return NewRefund(
        pos_id=pos_id(row, "id"),
        sale_id=pos_id(row, "sale_id"),
        total_cents=cents,
        currency=read_currency(row, installation),
    )


def read_place(row: Mapping[str, str]) -> PlaceNames:
    names = (pos_id(row, name, needed=False) for name in ("store", "till", "associate"))
    return PlaceNames(*names)


def pos_id(row: Mapping[str, str], name: str, *, needed: bool = True) -> str:
    text = row.get(name, "")
    if text and not IS_POS_ID.match(text):
        raise Flawed(
            f"Column {name}: use 1 to 64 letters, digits, dots, underscores, colons, hyphens."
        )
    if needed and not text:
        raise Flawed(f"Column {name} is empty.")
    return text


def word(row: Mapping[str, str], name: str) -> str:
    text = row.get(name, "")
    if len(text) > LONGEST_WORD:
        raise Flawed(f"Column {name}: longer than {LONGEST_WORD} characters.")
    return text


def is_given(row: Mapping[str, str], name: str) -> bool:
    return bool(row.get(name) or row.get(f"{name}_cents"))


def read_money(row: Mapping[str, str], name: str) -> int:
    """Whole cents, from column `name` (42.00) or `name`_cents (4200)."""
    if row.get(name) and row.get(f"{name}_cents"):
        raise Flawed(f"Columns {name} and {name}_cents both have a value: keep one of them.")
    if text := row.get(f"{name}_cents"):
        if not CENTS.fullmatch(text):
            raise Flawed(f"Column {name}_cents: write whole cents, such as 4200.")
        return int(text)
    text = row.get(name, "")
    if not MONEY.fullmatch(text):
        raise Flawed(
            f"Column {name}: write it with a point and two digits, such as 1042.00: without a "
            "sign of the currency, a minus or a comma, which could mean thousands."
        )
    return int(text.replace(".", ""))


def read_currency(row: Mapping[str, str], installation: Installation) -> str:
    text = row.get("currency") or installation.currency
    if not CURRENCY.fullmatch(text):
        raise Flawed("Column currency: use an ISO 4217 code, such as USD.")
    return text


def read_codes(row: Mapping[str, str]) -> tuple[str, ...]:
    """With spaces between them."""
    codes = tuple(row.get("coupon_codes", "").split())
    if len(codes) > MOST_CODES or any(len(code) > LONGEST_CODE for code in codes):
        raise Flawed(
            f"Column coupon_codes: at most {MOST_CODES}, of {LONGEST_CODE} characters each, with "
            "spaces between them."
        )
    return codes


def read_buyer(row: Mapping[str, str], installation: Installation) -> tuple[str, str]:
    """The email, or else the phone in E.164."""
    try:
        if row.get("email"):
            return read_email(row["email"]), ""
        if row.get("phone"):
            return "", read_phone(row["phone"], installation.region)
    except NoIdentity as error:
        raise Flawed(f"Column {'email' if row.get('email') else 'phone'}: {error}") from None
    return "", ""


def read_moment(row: Mapping[str, str], installation: Installation) -> datetime:
    """In UTC. Where the row has no offset, in its time zone or the installation's."""
    text = row["completed_at"]
    if not MOMENT.fullmatch(text):
        raise Flawed("Column completed_at: write 2026-11-21 09:41, or 2026-11-21T09:41:00-05:00.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Flawed("Column completed_at: there is no such day or time.") from None
    if moment.tzinfo is None:
        moment = place_in(moment, row.get("time_zone") or installation.time_zone)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        moment = EARLIEST - LATEST
    if not EARLIEST <= moment <= datetime.now(UTC) + LATEST:
        raise Flawed("Column completed_at: before 1970, or in the future.")
    return moment


def place_in(moment: datetime, zone: str) -> datetime:
    """Raises Flawed for an hour that was skipped or came twice when the clocks were changed."""
    known = zone_of(zone)
    if known is None:
        raise Flawed("Column time_zone: use a name of the IANA list, such as America/New_York.")
    first, second = (moment.replace(tzinfo=known, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise Flawed(
            f"Column completed_at: the clocks of {zone} were changed in that hour. Write the "
            "offset behind it, such as -05:00."
        )
    return first


@lru_cache
def zone_of(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in available_timezones() else None
