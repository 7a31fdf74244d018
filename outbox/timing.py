"""How long things may take. All of it follows from the deadline of a call outside."""

from datetime import timedelta

from django.conf import settings

# The connectors do not send what was asked for longer ago than this.
TOO_LATE = timedelta(seconds=5)
MARGIN = timedelta(seconds=5)
# Up to so many calls follow one another in one delivery.
CALLS = 4


def lease() -> timedelta:
    """Longer than any worker that lives can take for one attempt or one reading."""
    return TOO_LATE + CALLS * timedelta(seconds=settings.ENGINE_DEADLINE_SECONDS) + MARGIN


def settle_time() -> timedelta:
    return timedelta(seconds=settings.ENGINE_SETTLE_SECONDS)
