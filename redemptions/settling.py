"""Ending what was left open: by reading the engine's history, never by asking again."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now

from connectors.errors import NotFound, OutsideError
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import CodeRecord, HistoryItem
from members.identity import email_identity
from redemptions.evidence import matches
from redemptions.models import PendingRedemption
from redemptions.reversal import give_back
from redemptions.states import Reason, State
from redemptions.timing import CHECK_EVERY, GIVE_UP_AFTER, answer_must_be_in, settle_time

log = structlog.get_logger(__name__)

# So many of each kind in one pass: a long backlog is not held in memory.
A_PASS = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the history gave."""

    candidates: tuple[CodeRecord, ...]
    clear: bool
    """Nothing in it that may still become this redemption."""


def see_to(engine: Yotpo, redemption: PendingRedemption) -> PendingRedemption:
    """Bring one redemption further, if it is its time. Raises nothing; the state tells."""
    give_up_waiting(redemption)
    if redemption.state == State.UNCERTAIN:
        settle(engine, redemption)
    if redemption.state == State.REVERSING:
        give_back(engine, redemption)
    return redemption


def see_to_all(engine: Yotpo) -> int:
    """Everything that is due now. Returns how many rows were looked at."""
    rows = PendingRedemption.objects.select_related("member").order_by("next_check_at")
    due = [
        *rows.orphaned(answer_must_be_in())[:A_PASS],
        *rows.to_settle()[:A_PASS],
        *rows.to_reverse()[:A_PASS],
    ]
    for redemption in due:
        engine.limits.wait_for_background()
        see_to(engine, redemption)
    return len(due)


def give_up_waiting(redemption: PendingRedemption) -> None:
    """No process can be waiting for the answer any more: whether it was made is unknown."""
    old = PendingRedemption.objects.orphaned(answer_must_be_in()).filter(pk=redemption.pk)
    if redemption.state == State.REQUESTED and old.exists():
        redemption.move(State.UNCERTAIN, Reason.PROCESS_DIED, only_from=[State.REQUESTED])


def settle(engine: Yotpo, redemption: PendingRedemption) -> None:
    if not redemption.claim(CHECK_EVERY):
        redemption.refresh_from_db()
        return
    late_enough = is_older(redemption, settle_time())
    try:
        reading = read(engine, redemption)
    except OutsideError as error:
        log.warning("redemption.unreadable", redemption=str(redemption.id), error=str(error))
        return
    redemption.count_readable_read()
    decide(redemption, reading, late_enough)
    log.info("redemption.read", redemption=str(redemption.id), state=redemption.state)


def read(engine: Yotpo, redemption: PendingRedemption) -> Reading:
    """Raises OutsideError when the member's history or a code's record can't be read."""
    customer = engine.customer(email=redemption.member.email, with_history=True)
    rows = matches(redemption, customer)
    records = (find_record(engine, row) for row in rows.coded)
    candidates = [r for r in records if r is not None and could_be(redemption, r)]
    return Reading(
        candidates=tuple({(r.redemption_id, r.code): r for r in candidates}.values()),
        clear=customer.history is not None and not rows.pending,
    )


def find_record(engine: Yotpo, row: HistoryItem) -> CodeRecord | None:
    try:
        return engine.redemption_code(row.status)
    except NotFound:
        return None


def could_be(redemption: PendingRedemption, record: CodeRecord) -> bool:
    """Named after this member, not another row's, and of the engine's id where we hold one."""
    if email_identity(record.email or "") != email_identity(redemption.member.email):
        return False
    if redemption.engine_id and record.redemption_id not in {None, redemption.engine_id}:
        return False
    others = PendingRedemption.objects.exclude(pk=redemption.pk).filter(code=record.code)
    if record.redemption_id is not None:
        # Codes can come again: another row's is this one only under the same engine id.
        others = others.filter(Q(engine_id=record.redemption_id) | Q(engine_id=None))
    return not others.exists()


def decide(redemption: PendingRedemption, reading: Reading, late_enough: bool) -> None:
    if len(reading.candidates) == 1:
        take(redemption, reading.candidates[0])
    elif reading.candidates:
        dispute(redemption, Reason.TWO_CANDIDATES)
    elif reading.clear and late_enough and redemption.readable_reads >= 2:
        redemption.move(State.NOT_MADE, redemption.reason, only_from=[State.UNCERTAIN])
    elif is_read_for(redemption, GIVE_UP_AFTER):
        dispute(redemption, Reason.NEVER_CLEAR)


def take(redemption: PendingRedemption, record: CodeRecord) -> None:
    """It is ours. Undo may have been pressed meanwhile: then the points go back at once."""
    try:
        redemption.issue(
            redemption.reason,
            only_from=[State.UNCERTAIN],
            engine_id=record.redemption_id or redemption.engine_id,
            code=record.code,
        )
    except IntegrityError:
        redemption.refresh_from_db()
        log.exception("redemption.code_held_twice", redemption=str(redemption.id))


def dispute(redemption: PendingRedemption, reason: Reason) -> None:
    redemption.move(State.DISPUTED, reason, only_from=[State.UNCERTAIN])
    log.error("redemption.disputed", redemption=str(redemption.id), reason=reason)


def is_older(redemption: PendingRedemption, span: timedelta) -> bool:
    """By the database's clock, whatever this machine's says."""
    return PendingRedemption.objects.filter(
        pk=redemption.pk, requested_at__lte=Now() - span
    ).exists()


def is_read_for(redemption: PendingRedemption, span: timedelta) -> bool:
    return PendingRedemption.objects.filter(
        pk=redemption.pk, first_readable_read_at__lte=Now() - span
    ).exists()
