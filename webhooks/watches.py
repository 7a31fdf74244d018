"""What a person should know of webhooks (database/conditions.py)."""

from collections.abc import Iterator

from django.db.models import Count, Min

from database.conditions import Condition, gives
from webhooks.models import State, Webhook

LIST = "/admin/webhooks/webhook/"
WORDS = {
    State.PARKED: "{count} webhooks of topic {topic} could not be handled. See why in the admin "
    "under Webhooks, then have them handled again.",
    State.UNREADABLE: "{count} webhooks could not be read. The admin shows what came.",
}


@gives(*(f"webhook.{state.value}" for state in WORDS))
def watch_unhandled() -> Iterator[Condition]:
    """Parked or unreadable, whose body is still there to be looked at."""
    rows = Webhook.objects.filter(state__in=list(WORDS), raw__isnull=False)
    groups = rows.values("state", "topic").annotate(count=Count("pk"), since=Min("received_at"))
    for group in groups.order_by("state", "topic"):
        yield Condition(
            kind=f"webhook.{group['state']}",
            subject=group["topic"],
            words=WORDS[State(group["state"])].format(**group),
            count=group["count"],
            since=group["since"],
            path=f"{LIST}?state__exact={group['state']}",
        )
