"""What of deliveries and outside systems a person should know of (database.conditions)."""

from collections.abc import Iterator

from django.db.models import Count, Min
from django.urls import reverse

from database.conditions import Condition, gives
from outbox.models import Delivery, OutsideSystem
from outbox.states import Reason, State


@gives("delivery.parked")
def watch_parked() -> Iterator[Condition]:
    """Deliveries that wait for a person, by kind."""
    parked = Delivery.objects.filter(state=State.PARKED).order_by()
    rows = parked.values("kind", "parked_reason").annotate(
        number=Count("pk"), since=Min("changed_at")
    )
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row["kind"], []).append(Reason(row["parked_reason"]).label)
    for row in rows:
        kind = row["kind"]
        yield Condition(
            kind="delivery.parked",
            subject=kind,
            words=f"Deliveries of kind {kind} wait for a person ({'; '.join(reasons[kind])}). "
            "Mend the cause, then send them again.",
            count=row["number"],
            since=row["since"],
            path=f"{reverse('admin:outbox_delivery_changelist')}?state__exact=parked&kind={kind}",
        )


@gives("breaker.open")
def watch_breakers() -> Iterator[Condition]:
    """Outside systems that are called no more until one answers again."""
    for system in OutsideSystem.objects.exclude(open_until=None):
        yield Condition(
            kind="breaker.open",
            subject=system.system,
            words=f"{system.system} is out of reach: calls to it wait until it answers again.",
            since=system.changed_at,
            path=reverse("admin:outbox_outsidesystem_changelist"),
        )
