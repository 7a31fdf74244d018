"""The engine's clock, which can be set wrong on purpose, and how it writes times."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta


def now_with_skew(skew_seconds: float) -> datetime:
    """UTC, aware, wrong by `skew_seconds`."""
    return datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=skew_seconds)


def iso(moment: datetime) -> str:
    """`2026-05-02T16:20:11.000Z`, as the engine writes times: UTC, milliseconds, a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_of(seconds: float) -> str:
    """The same of seconds since the epoch."""
    return iso(datetime.fromtimestamp(seconds, UTC))


def day_of(stamp: str) -> date:
    return date.fromisoformat(stamp[:10])
