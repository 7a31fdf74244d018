"""What of redemptions a person should know of (database.conditions)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from django.urls import reverse

from database.conditions import Condition, gives
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Deduction, State

UNCERTAIN_FOR = timedelta(minutes=5)


@gives("redemption.disputed")
def watch_disputes() -> Iterator[Condition]:
    """Redemptions of which only a manager can say what is to become, by installation."""
    for installation, count, since in counted(Q(state=State.DISPUTED), "changed_at"):
        yield Condition(
            kind="redemption.disputed",
            subject=installation,
            installation=installation,
            words="Redemptions ask for a manager: settle them in the admin.",
            count=count,
            since=since,
            path=f"{page()}?asks=yes&installation__id__exact={installation}",
        )


@gives("redemption.uncertain")
def watch_uncertain() -> Iterator[Condition]:
    """Redemptions whose outcome nobody knows after five minutes, by installation."""
    old = Q(state__in=UNDER_WAY, requested_at__lte=Now() - UNCERTAIN_FOR)
    for installation, count, since in counted(old, "requested_at"):
        yield Condition(
            kind="redemption.uncertain",
            subject=installation,
            installation=installation,
            words="Redemptions have been uncertain for over 5 minutes: the loyalty system does not "
            "show what became of them. See whether it answers, and whether the worker runs.",
            count=count,
            since=since,
            path=f"{page()}?state__exact=uncertain&installation__id__exact={installation}",
        )


@gives("redemption.points_not_gone")
def watch_points_not_gone() -> Iterator[Condition]:
    """Codes that were used and took no points, by installation: each was a free discount."""
    missing = Q(state=State.USED, deduction=Deduction.MISSING)
    for installation, count, since in counted(missing, "sold_at"):
        yield Condition(
            kind="redemption.points_not_gone",
            subject=installation,
            installation=installation,
            words="Codes were used and their points did not go. Most likely the account counts "
            "orders of another status than the installation's: correct that there or with the "
            "engine. The admin shows each with its likely cause.",
            count=count,
            since=since,
            path=f"{page()}?deduction__exact={Deduction.MISSING}"
            f"&installation__id__exact={installation}",
        )


def counted(which: Q, time: str) -> Iterator[tuple[str, int, datetime]]:
    rows = PendingRedemption.objects.filter(which).order_by().values("installation_id")
    for row in rows.annotate(number=Count("pk"), since=Min(time)):
        yield row["installation_id"], row["number"], row["since"]


def page() -> str:
    return reverse("admin:redemptions_pendingredemption_changelist")
