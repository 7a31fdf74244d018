"""Who is at a delivery: leases by conditional updates, told by the database's clock."""

import os
import socket
import threading
import time

from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, F, OuterRef, When
from django.db.models.functions import Now

from outbox.models import Attempt, Delivery, lease_taken
from outbox.states import Outcome, State
from outbox.tasks import wake
from outbox.timing import lease

A_SWEEP = 200


def me() -> str:
    """This thread, for people who read the admin. What keeps others out is the fence."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{threading.get_ident()}"


def claim_to_send(delivery_id: int, *, at_once: bool = True) -> Delivery | None:
    """Take the lease and record the attempt, committed: from here on it may have been done.

    Unless `at_once`, not before `set_out`. None where another worker was quicker, or it is not (or
    no longer) its turn.
    """
    asked_at = time.monotonic()
    try:
        with transaction.atomic(durable=True):
            claimed = (
                Delivery.objects.ready()
                .filter(pk=delivery_id, state=State.PENDING)
                .update(
                    state=State.RUNNING,
                    attempts=F("attempts") + 1,
                    reads=0,
                    unseen=0,
                    blurred=0,
                    **lease_taken(me(), lease()),
                )
            )
            if not claimed:
                return None
            delivery = Delivery.objects.get(pk=delivery_id)
            Attempt.objects.create(delivery=delivery, number=delivery.attempts, may_be_sent=at_once)
    except IntegrityError:
        # One of its order or its flight set out in the same moment.
        return None
    delivery.asked_at = asked_at
    return delivery


def set_out(delivery: Delivery) -> bool:
    """From here on it may have been done. False where we were declared dead meanwhile."""
    mine = Attempt.objects.filter(delivery=delivery, number=delivery.attempts, ended_at=None)
    return bool(mine.update(may_be_sent=True))


def claim_to_read(delivery_id: int) -> Delivery | None:
    """Take the lease of one that may have been done. None where another worker was quicker."""
    claimed = (
        Delivery.objects.ready()
        .filter(pk=delivery_id, state=State.VERIFYING)
        .update(reads=F("reads") + 1, **lease_taken(me(), lease()))
    )
    return Delivery.objects.get(pk=delivery_id) if claimed else None


def free_the_dead() -> int:
    """Deliveries whose worker died are read next: nobody knows how far it came. How many.

    Those that cannot have been sent wait to be sent.
    """
    with transaction.atomic():
        dead = list(
            Delivery.objects.dead().select_for_update(skip_locked=True, of=("self",))[:A_SWEEP]
        )
        ids = [delivery.pk for delivery in dead]
        # Of this and `set_out` one comes first: both update the attempt while it is open.
        tries = Attempt.objects.filter(delivery_id__in=ids, ended_at=None)
        tries.filter(may_be_sent=False).update(ended_at=Now(), outcome=Outcome.NOT_SENT)
        tries.update(ended_at=Now(), outcome=Outcome.ABANDONED)
        free(ids, Outcome.NOT_SENT, State.PENDING)
        free(ids, Outcome.ABANDONED, State.VERIFYING)
        for delivery in dead:
            wake(delivery)
    return len(ids)


def free(ids: list[int], outcome: Outcome, to: State) -> None:
    """Those whose last attempt ended so."""
    last = Attempt.objects.filter(number=OuterRef("attempts"), delivery=OuterRef("pk"))
    Delivery.objects.filter(Exists(last.filter(outcome=outcome)), pk__in=ids).update(
        state=to,
        lease_owner="",
        lease_until=None,
        fence=F("fence") + 1,
        due_at=Now(),
        woken_at=Now(),
        last_error=outcome,
        in_a_row=counted(outcome),
        changed_at=Now(),
    )


def counted(outcome: Outcome) -> Case:
    """How many attempts in a row ended like this one, as an expression."""
    return Case(When(last_error=outcome, then=F("in_a_row") + 1), default=1)
