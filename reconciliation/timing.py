"""The database's clock, by which all that is compared is dated."""

from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now

from reconciliation.models import Cursor

ROUND = "members"
QUESTIONS = 3


def database_time() -> datetime:
    """Aware, in UTC."""
    asked = Cursor.objects.filter(name=ROUND).values_list(Now(), flat=True)
    now: datetime | None = asked.first()
    if now is None:
        Cursor.objects.get_or_create(name=ROUND)
        now = asked.get()
    return now


def clock_ahead() -> timedelta:
    """Of this machine's. The quickest of a few questions: a process that was held up between the
    two clocks would date all that the engine says wrongly."""
    return min(asked_between() for _ in range(QUESTIONS))[1]


def asked_between() -> tuple[timedelta, timedelta]:
    """How long the question took, and the difference to its middle."""
    before = datetime.now(UTC)
    theirs = database_time()
    took = datetime.now(UTC) - before
    return took, theirs - (before + took / 2)
