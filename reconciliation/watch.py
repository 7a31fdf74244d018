"""What a person should know of: differences that are open."""

from collections.abc import Iterator

from django.db.models import Count, Min
from django.urls import reverse

from database.conditions import Condition, gives
from reconciliation.kinds import Kind, State
from reconciliation.models import Difference


@gives("difference.open")
def watch_differences() -> Iterator[Condition]:
    """One for each kind. What is explained needs nobody; points that did not go with an order, the
    redemptions' own watch tells of."""
    open_ones = Difference.objects.filter(state=State.OPEN).exclude(kind=Kind.DELAYED_NOT_TAKEN)
    rows = open_ones.order_by().values_list("kind")
    page = reverse("admin:reconciliation_difference_changelist")
    for kind, count, since in rows.annotate(Count("pk"), Min("first_seen_at")):
        yield Condition(
            kind="difference.open",
            subject=kind,
            words=f"{Kind(kind).label}: {count} to look at.",
            count=count,
            since=since,
            path=f"{page}?state__exact=open&kind__exact={kind}",
        )
