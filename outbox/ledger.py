"""What other rooms do with the outbox: promise something, take it back, look it up."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from outbox.errors import PayloadDiffers, UnderWay
from outbox.models import Delivery, as_stored
from outbox.routes import route_of
from outbox.states import IN_FLIGHT, MAY_BE_DONE, State
from outbox.tasks import wake
from outbox.waking import wake_next

log = structlog.get_logger(__name__)

AN_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def enqueue(
    *,
    kind: str,
    key: str,
    installation_id: str,
    payload: Mapping[str, Any],
    order_by: str = "",
    due_in: timedelta = timedelta(0),
    urgent: bool = False,
) -> Delivery:
    """Promise that another system will be told, in the transaction of the change it tells of.

    The same kind and key again give the row that is there, whatever became of it. `payload` holds
    ids and amounts, and no email. Raises RuntimeError outside a transaction, LookupError for a kind
    without a route, PayloadDiffers where something else was promised under the key.
    """
    check_in_transaction()
    check_nobody_is_named(payload)
    promised = Delivery(
        kind=kind,
        key=key,
        installation_id=installation_id,
        payload=as_stored(payload),
        order_by=order_by,
        urgent=urgent,
        due_at=Now() + due_in,
        woken_at=Now() + due_in,
    )
    route = route_of(kind)
    if route.one_in_flight_by:
        promised.flight = route.one_in_flight_by(promised)
    return find_same(promised) or write(promised, later=due_in > timedelta(0))


def enqueue_again(
    *, kind: str, key: str, installation_id: str, payload: Mapping[str, Any], order_by: str = ""
) -> Delivery:
    """As `enqueue`; but what was withdrawn under this kind and key is wanted after all.

    It goes out under the same key, so that the other side can't take it twice. Raises UnderWay
    where a worker is at it this moment: it may be about to withdraw it.
    """
    # Whoever takes it now waits until the change has been committed that it is told of.
    locked = Delivery.objects.select_for_update(of=("self",)).filter(kind=kind, key=key)
    if any(delivery.state in IN_FLIGHT for delivery in locked):
        raise UnderWay
    renew(kind, key)
    return enqueue(
        kind=kind, key=key, installation_id=installation_id, payload=payload, order_by=order_by
    )


def find(kind: str, key: str) -> Delivery | None:
    return Delivery.objects.filter(kind=kind, key=key).first()


def is_pending(kind: str, flight: str) -> bool:
    """Whether one of that flight has still to set out: what it reads then is newer than now."""
    waiting = Delivery.objects.filter(kind=kind, flight=flight, state=State.PENDING)
    return waiting.exists()


def withdraw(kind: str, key: str) -> bool:
    """Take a promise back, if no attempt to keep it was recorded yet; whether it was."""
    untold = Delivery.objects.filter(kind=kind, key=key, state=State.PENDING, attempts=0)
    with transaction.atomic():
        withdrawn = untold.update(state=State.WITHDRAWN, changed_at=Now())
        if withdrawn:
            wake_next(Delivery.objects.get(kind=kind, key=key))
    return bool(withdrawn)


def renew(kind: str, key: str) -> bool:
    """What was withdrawn is wanted after all; whether it was. In the transaction of that change.

    Nothing was ever sent of it, so it can't be doubled.
    """
    check_in_transaction()
    withdrawn = Delivery.objects.filter(kind=kind, key=key, state=State.WITHDRAWN)
    delivery = withdrawn.select_for_update().first()
    if delivery is None:
        return False
    find_flight = route_of(kind).one_in_flight_by
    flight = find_flight(delivery) if find_flight else ""
    fresh = {"due_at": Now(), "woken_at": Now(), "changed_at": Now(), "last_error": ""}
    withdrawn.update(state=State.PENDING, flight=flight, **fresh, **AFRESH)
    wake(delivery)
    return True


def send_again(delivery: Delivery) -> bool:
    """A person wants a parked one tried again, at once. What may have been done is read first.

    False where it is not parked, or has to wait for one of its flight that is under way.
    """
    may_be_done = delivery.attempts > 0 and delivery.parked_reason in MAY_BE_DONE
    to = State.VERIFYING if may_be_done and route_of(delivery.kind).seen else State.PENDING
    try:
        with transaction.atomic():
            moved = delivery.move(
                to,
                only_from=[State.PARKED],
                parked_reason="",
                due_at=Now(),
                woken_at=Now(),
                **AFRESH,
            )
            if moved:
                wake(delivery)
    except IntegrityError:
        return False
    if moved:
        log.info("delivery.sent_again", delivery=delivery.pk, kind=delivery.kind)
    return moved


AFRESH = {"in_a_row": 0, "reads": 0, "unseen": 0, "blurred": 0}


def write(promised: Delivery, *, later: bool) -> Delivery:
    try:
        with transaction.atomic():
            promised.save(force_insert=True)
    except IntegrityError:
        # Another transaction promised the same meanwhile; anything else is the caller's to know.
        same = find_same(promised)
        if same is None:
            raise
        return same
    promised.refresh_from_db()
    wake(promised, later=later)
    return promised


def find_same(promised: Delivery) -> Delivery | None:
    there = find(promised.kind, promised.key)
    if there is not None and there.payload != promised.payload:
        raise PayloadDiffers(
            f"A delivery of kind {promised.kind!r} was promised under this key with another "
            "payload. Give what is told anew a key of its own."
        )
    return there


def check_in_transaction() -> None:
    """The blocks that Django's TestCase puts around a test don't count."""
    connection = transaction.get_connection()
    blocks = connection.atomic_blocks if connection.in_atomic_block else ()
    if all(getattr(block, "_from_testcase", False) for block in blocks):
        raise RuntimeError(
            "A delivery must be promised in the transaction of the change that it tells of: "
            "put both into one transaction.atomic()."
        )


def check_nobody_is_named(payload: Any) -> None:
    """A payload is kept for long and shown to managers: it names rows, not people."""
    if any(AN_EMAIL.search(text) for text in texts(payload)):
        raise ValueError("A delivery's payload must hold the member's id, not an email address.")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value
