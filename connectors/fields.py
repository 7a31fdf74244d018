"""Reading the JSON of systems that are loose with types: numbers as text, blanks for nothing.

Each reader gives None for what is missing, blank or senseless; whoever can't do without a field
asks for it with `needed`.
"""

import logging
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from connectors.answers import Unreadable

logger = logging.getLogger(__name__)

T = TypeVar("T")

YES, NO = frozenset({"true", "t", "yes", "1"}), frozenset({"false", "f", "no", "0"})
YES_OR_NO = YES | NO
# No count of points or cents comes near, and a number of a million digits takes long to work out.
MOST_DIGITS = 15
MOST = 10**MOST_DIGITS
ZONE = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)|\s*UTC$")


class Fields:
    """A JSON object to read from. Raises Unreadable when it is none."""

    def __init__(self, data: object) -> None:
        if not isinstance(data, dict):
            raise Unreadable
        self._data: dict[str, Any] = data

    def raw(self, name: str) -> object:
        return self._data.get(name)

    def text(self, *names: str) -> str | None:
        """The first of these that is not blank, trimmed."""
        for name in names:
            if text := as_text(self._data.get(name)):
                return text
        return None

    def decimal(self, name: str) -> Decimal | None:
        return as_decimal(self.raw(name))

    def whole(self, *names: str) -> int | None:
        """Points, cents or an id, by the first of these names that has a number.

        Rounded down: nobody gets more than is theirs.
        """
        for name in names:
            number = as_whole(self._data.get(name))
            if number is not None:
                return number
        return None

    def flag(self, *names: str) -> bool | None:
        """The first of these that says yes or no."""
        for name in names:
            word = str(self._data.get(name)).strip().lower()
            if word in YES_OR_NO:
                return word in YES
        return None

    def moment(self, name: str) -> datetime | None:
        """Aware, in UTC; one that names no zone is in UTC."""
        text = self.text(name) or ""
        try:
            moment = datetime.fromisoformat(ZONE.sub("", text))
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def day(self, name: str) -> date | None:
        """The calendar day as written, whether or not a time follows it."""
        try:
            return date.fromisoformat((self.text(name) or "")[:10])
        except ValueError:
            return None

    def part(self, name: str, parse: Callable[["Fields"], T]) -> T | None:
        """What `parse` makes of an inner object."""
        inner = self.raw(name)
        return parse(Fields(inner)) if isinstance(inner, dict) else None


def needed(value: T | None) -> T:
    if value is None:
        raise Unreadable
    return value


def list_of(parse: Callable[[object], T | None]) -> Callable[[object], list[T]]:
    """A reader of lists that leaves out what it can't read: one odd item must hide no other.

    What `parse` gives None for is left out as well.
    """

    def read(data: object) -> list[T]:
        if not isinstance(data, list):
            raise Unreadable
        items, odd = [], 0
        for datum in data:
            try:
                item = parse(datum)
            except Unreadable:
                odd += 1
            else:
                if item is not None:
                    items.append(item)
        if odd:
            logger.debug("Left out %d of %d items", odd, len(data))
        return items

    return read


def as_text(value: object) -> str | None:
    """Ids come as numbers from some accounts; yes and no are no text.

    What no database and no page can hold is replaced: half of an emoji (JSON may carry a lone
    surrogate) and NUL.
    """
    if type(value) is str and value.isascii() and "\x00" not in value:
        return value.strip() or None  # nearly all of them
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).encode("utf-8", "replace").decode().replace("\x00", "")
    return text.strip() or None


def as_whole(value: object) -> int | None:
    """Rounded down."""
    if type(value) is int and -MOST < value < MOST:
        return value  # nearly all of them
    number = as_decimal(value)
    return None if number is None else math.floor(number)


def as_decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < MOST_DIGITS else None


def present(**fields: Any) -> dict[str, Any]:
    """Only what was given: a system that is sent a null may take it for an answer."""
    return {name: value for name, value in fields.items() if value is not None}
