"""The database's clock, by which all that is compared is dated."""

from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now

from reconciliation.models import Cursor

ROUND = "members"


def database_time() -> datetime:
    """Aware, in UTC."""
    asked = Cursor.objects.filter(name=ROUND).values_list(Now(), flat=True)
    now: datetime | None = asked.first()
    if now is None:
        Cursor.objects.get_or_create(name=ROUND)
        now = asked.get()
    return now


def clock_ahead() -> timedelta:
    """Of this machine's."""
    return database_time() - datetime.now(UTC)
