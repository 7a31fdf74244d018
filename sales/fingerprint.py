"""Whether something told again is the same."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from typing import Any

from database.encryption import blind_index


def fingerprint(told: Any) -> str:
    """The same for the same sale or refund, in whatever time zone, and when later versions know
    more of it.

    What nothing here is decided by, such as when it was sent (`told`), may differ.
    With a key: all but the email stands in the row, so that anyone could try emails.
    """
    said = {
        each.name: in_utc(getattr(told, each.name))
        for each in fields(told)
        if each.name != "told" and getattr(told, each.name) != usual(each)
    }
    return blind_index(json.dumps(said, sort_keys=True, default=str))


def usual(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def differing(told: Mapping[str, Any], row: Any) -> list[str]:
    """The names of what differs from the row, as far as the row keeps it in plain."""
    return sorted(name for name, value in told.items() if getattr(row, name) != value)
