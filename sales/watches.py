"""What of sales and refunds a person should know of (database.conditions)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from database.conditions import Condition, gives
from sales.models import Conflict, Refund, Remainder

# By then the sale that a refund waits for should have come.
SALE_COMES_WITHIN = timedelta(hours=24)


@gives("sale.conflict")
def watch_conflicts() -> Iterator[Condition]:
    """Sales and refunds told again with other content, which nobody has looked at; by POS."""
    unseen = Conflict.objects.filter(seen_at=None)
    for installation, count, since in counted(unseen, "installation", "first_at"):
        yield Condition(
            kind="sale.conflict",
            subject=installation,
            installation=installation,
            words="Sales or refunds were told again under the same id with other content. What was "
            "told first counts: see in the admin whether points are missing, and have the POS "
            "number them apart.",
            count=count,
            since=since,
            path=f"{reverse('admin:sales_conflict_changelist')}?asks=yes"
            f"&installation__id__exact={installation}",
        )


@gives("refund.kept")
def watch_refunds() -> Iterator[Condition]:
    """Refunds that take back no points before a manager has found their sale; by POS."""
    asks = Refund.objects.filter(asks_for_a_manager())
    for installation, count, since in counted(asks, "installation", "recorded_at"):
        yield Condition(
            kind="refund.kept",
            subject=installation,
            installation=installation,
            words="Refunds wait for a manager: they name no sale, do not fit theirs, or theirs has "
            "not come in a day. Find their sale in the admin, or say that there is none.",
            count=count,
            since=since,
            path=f"{reverse('admin:sales_refund_changelist')}?asks=yes"
            f"&installation__id__exact={installation}",
        )


def asks_for_a_manager() -> Q:
    """Kept for one, or waiting for a sale that should have come by now."""
    kept = Q(state=Refund.State.KEPT) & ~Q(reason=Refund.Reason.NO_MATCH)
    late = Q(state=Refund.State.WAITING, recorded_at__lte=Now() - SALE_COMES_WITHIN)
    return kept | late


@gives("sale.remainder")
def watch_remainders() -> Iterator[Condition]:
    """Sales refunded in parts of which nobody can prove that the points came out even; by POS."""
    asks = Remainder.objects.filter(state=Remainder.State.ASKS)
    for installation, count, since in counted(asks, "sale__installation", "found_at"):
        yield Condition(
            kind="sale.remainder",
            subject=installation,
            installation=installation,
            words="Sales were refunded in parts, and the points may not have come out even: see "
            "the figures in the admin, correct the balance at the engine where it is wrong, and "
            "mark them as seen.",
            count=count,
            since=since,
            path=f"{reverse('admin:sales_remainder_changelist')}?state__exact=asks"
            f"&sale__installation__id__exact={installation}",
        )


def counted(rows: QuerySet[Any], by: str, time: str) -> Iterator[tuple[str, int, datetime]]:
    groups = rows.order_by().values(place=F(by))
    for row in groups.annotate(number=Count("pk"), since=Min(time)):
        yield row["place"], row["number"], row["since"]
