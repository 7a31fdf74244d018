"""What of look-ups a person should know of (database.conditions)."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, F, Min
from django.db.models.functions import Coalesce, Now
from django.urls import reverse

from access.look_ups import LookUps
from database.conditions import Condition, gives

# Long enough that whoever comes in the morning still reads of the evening.
SHOWN_FOR = timedelta(hours=24)


@gives("look_ups.too_many")
def watch_harvesting() -> Iterator[Condition]:
    """Tills and associates that reached the limit of look-ups within the last day."""
    reached = LookUps.objects.filter(refused_at__gt=Now() - SHOWN_FOR).order_by()
    rows = reached.values(
        "till_id",
        "associate_id",
        installation=Coalesce(F("till__store__installation_id"), F("associate__installation_id")),
    ).annotate(hours=Count("pk"), since=Min("refused_at"))
    for row in rows:
        who = f"till {row['till_id']}" if row["till_id"] else f"associate {row['associate_id']}"
        yield Condition(
            kind="look_ups.too_many",
            subject=who,
            installation=row["installation"],
            words=f"More customers were looked up than anybody serves ({who}). Ask why.",
            count=row["hours"],
            since=row["since"],
            path=f"{reverse('admin:access_lookups_changelist')}?refused_at__isempty=0",
        )
