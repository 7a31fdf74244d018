"""Reading the JSON of systems that are loose with types: numbers as text, blanks for nothing.

Each reader gives None for what is missing, blank or senseless; whoever can't do without a field
asks for it with `needed`.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from connectors.answers import Unreadable

T = TypeVar("T")

FLAGS = {"true": True, "t": True, "yes": True, "1": True} | {
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}
# No count of points or cents comes near; and a longer one would take long to write out.
LARGEST = Decimal(10) ** 15
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
        return next(filter(None, (as_text(self.raw(name)) for name in names)), None)

    def decimal(self, name: str) -> Decimal | None:
        return as_decimal(self.raw(name))

    def whole(self, name: str) -> int | None:
        """Points, cents or an id. Rounded down: nobody gets more than is theirs."""
        value = self.decimal(name)
        return None if value is None else math.floor(value)

    def flag(self, *names: str) -> bool | None:
        """The first of these that says yes or no."""
        words = (str(self.raw(name)).strip().lower() for name in names)
        return next((FLAGS[word] for word in words if word in FLAGS), None)

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


def as_text(value: object) -> str | None:
    """Ids come as numbers from some accounts; yes and no are no text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def as_decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < LARGEST else None
