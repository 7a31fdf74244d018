"""Whom an end lets go ahead."""

from django.db.models import Q

from outbox.models import Delivery
from outbox.states import State
from outbox.tasks import wake


def wake_next(ended: Delivery) -> None:
    """Wake the first of those that waited for this one. The sweeper finds whoever is left."""
    behind = Q()
    if ended.order_by:
        behind |= Q(order_by=ended.order_by)
    if ended.flight:
        behind |= Q(flight=ended.flight)
    if not behind:
        return
    waiting = Delivery.objects.ready().filter(behind, state=State.PENDING)
    first = waiting.order_by("-urgent", "pk").first()
    if first is not None:
        wake(first)
