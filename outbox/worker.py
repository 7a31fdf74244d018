"""One delivery's next step: claim it, do one thing outside, write down what came of it."""

import copy
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Now

from connectors.errors import (
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from database.errors import AWAY
from outbox.claims import claim_to_read, claim_to_send, counted, set_out
from outbox.errors import FencedOff, NotWanted
from outbox.limits import limits_of
from outbox.models import Attempt, Delivery
from outbox.policy import (
    Decision,
    Done,
    Park,
    Read,
    Retry,
    Verify,
    Withdrawn,
    after,
    after_no_reading,
    after_reading,
)
from outbox.routes import Route, routes
from outbox.states import Outcome, Reason, State
from outbox.tasks import wake
from outbox.timing import settle_time
from outbox.waking import wake_next

log = structlog.get_logger(__name__)
rng = random.Random()

draining = threading.Event()
"""Set when this process was asked to stop: what runs is finished, nothing new is begun."""

# The first that fits counts, so a class stands before its parents.
OUTCOMES: tuple[tuple[type[OutsideError], Outcome], ...] = (
    (Unavailable, Outcome.UNAVAILABLE),
    (Throttled, Outcome.THROTTLED),
    (Misconfigured, Outcome.MISCONFIGURED),
    (NotFound, Outcome.NOT_FOUND),
    (Refused, Outcome.REFUSED),
    (ReplyLost, Outcome.REPLY_LOST),
)
# A worker that waits longer than this for its turn lets go, so that it can be told to stop.
LONGEST_TURN_SECONDS = 2.0


def deliver(delivery_id: int) -> None:
    """Bring one delivery a step further, if it is due, free, in order and its system lets us.

    Raises only what says that the database is away; the lease then runs out, and what may have been
    done is read.
    """
    delivery = Delivery.objects.ready().filter(pk=delivery_id).first()
    if delivery is None:
        return
    route = routes().get(delivery.kind)
    if route is None:
        end(delivery, Park(Reason.NO_ROUTE))
    elif is_our_turn(delivery, route):
        step(delivery, route)


def is_our_turn(delivery: Delivery, route: Route) -> bool:
    """Whether the system may be called now. If not, a worker is told of it again.

    The thread waits meanwhile: were each of a backlog put off by itself, all of them would be put
    off again and again, as fast as the database can write.
    """
    limits = limits_of(route.system)
    if pause := limits.closed_for():
        draining.wait(min(pause, LONGEST_TURN_SECONDS))
    if not limits.closed_for():
        waited = limits.wait_for_background(calls=route.calls, longest=LONGEST_TURN_SECONDS)
        if waited and not draining.is_set():
            return True
        if not waited:
            draining.wait(LONGEST_TURN_SECONDS)
    put_back(delivery)
    return False


def put_back(delivery: Delivery) -> None:
    """Nothing was tried, so no attempt is counted; the sweeper need not wake it a second time."""
    with transaction.atomic():
        as_it_stands = State(delivery.state)
        if delivery.move(as_it_stands, only_from=[as_it_stands], woken_at=Now()):
            wake(delivery)


def step(delivery: Delivery, route: Route) -> None:
    if delivery.state == State.VERIFYING:
        claimed = claim_to_read(delivery.pk)
        if claimed is not None:
            verify(claimed, route)
        return
    claimed = claim_to_send(delivery.pk, at_once=route.before is None)
    if claimed is not None:
        send(claimed, route)


def send(delivery: Delivery, route: Route) -> None:
    """Make the attempt that was recorded."""
    try:
        outcome, wait, words = attempt(delivery, route)
    except FencedOff:
        log.warning("delivery.fenced_off", delivery=delivery.pk, kind=delivery.kind)
        return
    tries = delivery.in_a_row + 1 if delivery.last_error == outcome else 1
    decision = after(
        outcome, tries, wait, rng, readable=route.seen is not None, idempotent=route.idempotent
    )
    log.info(
        "delivery.attempted",
        delivery=delivery.pk,
        kind=delivery.kind,
        attempt=delivery.attempts,
        outcome=outcome.value,
    )
    conclude(delivery, route, decision, outcome, words)


def attempt(delivery: Delivery, route: Route) -> tuple[Outcome, float, str]:
    """How the call ended, how long we were asked to wait, and what the other side said.

    Raises FencedOff where nothing was sent, for another worker has it by now.
    """
    try:
        if route.before is not None:
            note_before(delivery, route.before)
        delivery.answer = route.call(delivery)
    except OutsideError as error:
        log.warning("delivery.failed", delivery=delivery.pk, error=str(error))
        outcome = next(outcome for kind, outcome in OUTCOMES if isinstance(error, kind))
        return outcome, getattr(error, "wait", 0.0), getattr(error, "words", "")
    except NotWanted:
        return Outcome.NOT_WANTED, 0.0, ""
    except (*AWAY, FencedOff):
        raise
    except Exception:
        log.exception("delivery.bug", delivery=delivery.pk, kind=delivery.kind)
        return Outcome.BUG, 0.0, ""
    return Outcome.DONE, 0.0, ""


def note_before(delivery: Delivery, before: Callable[[Delivery], None]) -> None:
    before(delivery)
    # However long that took: who may set out is not too late.
    delivery.asked_at = time.monotonic()
    if not set_out(delivery):
        raise FencedOff


def verify(delivery: Delivery, route: Route) -> None:
    """Look whether it was done, and write down what follows."""
    late_enough = Attempt.objects.filter(
        delivery=delivery, number=delivery.attempts, ended_at__lte=Now() - settle_time()
    ).exists()
    decision = read(delivery, route, late_enough=late_enough)
    log.info(
        "delivery.verified",
        delivery=delivery.pk,
        kind=delivery.kind,
        decision=type(decision).__name__.lower(),
    )
    conclude(delivery, route, decision)


def read(delivery: Delivery, route: Route, *, late_enough: bool) -> Decision:
    try:
        seen = look(delivery, route)
    except OutsideError as error:
        log.warning("delivery.unreadable", delivery=delivery.pk, error=str(error))
        return after_no_reading(delivery.reads, getattr(error, "wait", 0.0), rng)
    except AWAY:
        raise
    except Exception:
        log.exception("delivery.bug", delivery=delivery.pk, kind=delivery.kind)
        return Park(Reason.BUG)
    delivery.unseen += seen is False
    delivery.blurred += seen is None
    found = Read(
        seen=bool(seen),
        unseen=delivery.unseen,
        blurred=delivery.blurred,
        late_enough=late_enough,
    )
    settle = settle_time().total_seconds()
    return after_reading(found, delivery.in_a_row, settle, rng, idempotent=route.idempotent)


def look(delivery: Delivery, route: Route) -> bool | None:
    """What the other side shows. One that refuses to be read can't tell, now or later."""
    try:
        return route.seen(delivery) if route.seen else None
    except Refused as error:
        log.warning("delivery.reading_refused", delivery=delivery.pk, error=str(error))
        return None


def conclude(
    delivery: Delivery,
    route: Route,
    decision: Decision,
    outcome: Outcome | None = None,
    words: str = "",
) -> None:
    """Write down what came of it, in one transaction with what follows from it.

    An owner whose lease was given to another writes nothing: what the other finds out counts.
    """
    spare = copy.copy(delivery)  # with its lease, should all of this be rolled back
    changes: dict[str, Any] = {"unseen": delivery.unseen, "blurred": delivery.blurred}
    if outcome is not None:
        failed = outcome != Outcome.DONE
        changes |= {"last_error": outcome if failed else "", "in_a_row": counted(outcome)}
    try:
        with transaction.atomic():
            kept = end(delivery, decision, route, **changes)
            if kept and outcome is not None:
                close_attempt(delivery, outcome, words)
    except AWAY:
        raise
    except Exception:
        # What follows is our own code: trying it again without a person would not mend it.
        log.exception("delivery.not_recorded", delivery=delivery.pk, kind=delivery.kind)
        with transaction.atomic():
            if end(spare, Park(Reason.NOT_RECORDED), **changes) and outcome is not None:
                close_attempt(spare, outcome, words)
        return
    if not kept:
        log.warning("delivery.fenced_off", delivery=delivery.pk, kind=delivery.kind)


def close_attempt(delivery: Delivery, outcome: Outcome, words: str) -> None:
    Attempt.objects.filter(delivery=delivery, number=delivery.attempts, ended_at=None).update(
        ended_at=Now(), outcome=outcome, words=words[:300]
    )


def end(delivery: Delivery, decision: Decision, route: Route | None = None, **changes: Any) -> bool:
    """Move to where the decision leads, and tell those who care. False for one fenced off."""
    match decision:
        case Retry(seconds):
            return come_back(delivery, State.PENDING, seconds, changes)
        case Verify(seconds):
            return come_back(delivery, State.VERIFYING, seconds, changes)
        case Park(reason):
            moved = delivery.move(State.PARKED, parked_reason=reason, **changes)
            follow = route.on_parked if route else None
        case Withdrawn():
            moved, follow = delivery.move(State.WITHDRAWN, **changes), None
        case Done():
            moved = delivery.move(State.DONE, **changes)
            follow = route.on_done if route else None
    if moved:
        if follow:
            follow(delivery)
        if delivery.state == State.PARKED:
            log.error("delivery.parked", delivery=delivery.pk, reason=delivery.parked_reason)
        wake_next(delivery)
    return moved


def come_back(delivery: Delivery, to: State, seconds: float, changes: dict[str, Any]) -> bool:
    due = Now() + timedelta(seconds=seconds)
    sources = [State.RUNNING, State.VERIFYING]
    moved = delivery.move(to, only_from=sources, due_at=due, woken_at=due, **changes)
    if moved:
        wake(delivery, later=True)
        if to == State.PENDING:
            wake_next(delivery)
    return moved
