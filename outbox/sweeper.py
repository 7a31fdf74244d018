"""What is lost between rows and wake-ups is found here."""

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from outbox.claims import A_SWEEP, free_the_dead
from outbox.engines import engine
from outbox.models import Delivery, DeliveryQuerySet
from outbox.routes import kinds_in_the_back
from outbox.tasks import BACK, ORDINARY, wake

log = structlog.get_logger(__name__)

# A wake-up on its way needs no second one.
GRACE = timedelta(seconds=2)
# One that was woken is left alone for so long, or a backlog would be woken again at each sweep.
WAKE_AGAIN_AFTER = timedelta(seconds=15)


def sweep() -> None:
    """Free deliveries of dead workers, wake those that nobody was woken for, tidy the engine up."""
    freed = free_the_dead()
    woken = wake_silent()
    pruned = engine().prune()
    if freed or woken or pruned:
        log.info("outbox.swept", freed=freed, woken=woken, pruned=pruned)


def wake_silent() -> int:
    """Wake what is due and silent, and stamp it; only as many as the workers' queue is short of.

    Of those in the back many may wait: they take no room from the others.
    """
    silent = Delivery.objects.silent(GRACE, WAKE_AGAIN_AFTER)
    in_the_back = Q(kind__in=kinds_in_the_back())
    woken = wake_some(silent.exclude(in_the_back), room_for(ORDINARY))
    return woken + wake_some(silent.filter(in_the_back), room_for(BACK))


def room_for(priority: int) -> int:
    return A_SWEEP - engine().waiting(A_SWEEP, priority)


def wake_some(deliveries: DeliveryQuerySet, room: int) -> int:
    if room <= 0:
        return 0
    with transaction.atomic():
        silent = list(
            deliveries.order_by("due_at").select_for_update(skip_locked=True, of=("self",))[:room]
        )
        ids = [delivery.pk for delivery in silent]
        Delivery.objects.filter(pk__in=ids).update(woken_at=Now())
        for delivery in silent:
            wake(delivery)
    return len(silent)
