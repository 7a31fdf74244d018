"""Ending what was left open: by reading the engine's history, never by asking again."""

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import zip_longest
from threading import Event
from uuid import UUID

import structlog
from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from connectors.errors import NotFound, OutsideError
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import CodeRecord, HistoryItem
from database.errors import AWAY
from offers.catalogue import Kind
from offers.pools import not_of_pool
from redemptions.delayed import see_whether_gone
from redemptions.evidence import Sight, has_code, is_anothers, is_ours, suspects
from redemptions.life import end_lease
from redemptions.looking import look
from redemptions.models import PendingRedemption
from redemptions.reversal import give_back
from redemptions.states import Deduction, Reason, State
from redemptions.timing import (
    CHECK_EVERY,
    GIVE_UP_AFTER,
    WHOLE_SECONDS,
    answer_must_be_in,
    settle_time,
)
from redemptions.told import ToldCode

log = structlog.get_logger(__name__)

# So many of each kind in one pass: a long backlog is not held in memory.
A_PASS = 100
# Ended before the next pass would begin beside it: with an engine that is slow, passes would take
# all of a worker's threads. In seconds.
LONGEST_PASS = 15.0
# Waiting longer for a turn would keep a worker from being told to stop. In seconds.
A_TURN = 2.0
PAUSE_AFTER_A_BUG = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the history gave."""

    candidates: tuple[CodeRecord, ...]
    clear: bool
    """There is a history, and nothing else in it can be this redemption."""
    with_history: bool


def see_to(engine: Yotpo, redemption: PendingRedemption) -> PendingRedemption:
    """Bring one redemption further, if it is its time. Raises nothing; the state tells."""
    give_up_waiting(redemption)
    if redemption.state == State.UNCERTAIN:
        settle(engine, redemption)
    if redemption.state == State.ISSUED:
        # Whoever was told so may have died before this row knew of it.
        redemption.heed_what_was_told()
        end_lease(redemption)
    if redemption.state == State.REVERSING:
        give_back(engine, redemption)
    if redemption.deduction in (Deduction.TOLD, Deduction.MISSING):
        see_whether_gone(engine, redemption)
    return redemption


def see_to_all(engine: Yotpo, stop: Event | None = None) -> int:
    """Everything that is due now. Returns how many rows were looked at.

    Once `stop` is set the row at hand is brought to its end and no other is begun. What does not
    get its turn at the engine soon, or not before a pass has lasted long, is left for the next.
    """
    rows = PendingRedemption.objects.order_by("next_check_at")
    kinds = (
        rows.orphaned(answer_must_be_in()),
        rows.to_settle(),
        rows.to_end(),
        rows.to_reverse(),
        rows.to_see_gone(),
    )
    # In turns: many of one kind must not keep the others waiting.
    turns = zip_longest(*(kind.values_list("pk", flat=True)[:A_PASS] for kind in kinds))
    due = [pk for turn in turns for pk in turn if pk is not None]
    end = time.monotonic() + LONGEST_PASS
    for seen, pk in enumerate(due):
        if time.monotonic() > end or not may_go_on(engine, stop or Event()):
            return seen
        see_to_one(engine, pk)
    return len(due)


def may_go_on(engine: Yotpo, stop: Event) -> bool:
    """Told to stop while it waits for its turn, it does not take it."""
    if stop.is_set() or not engine.limits.wait_for_background(longest=A_TURN):
        return False
    return not stop.is_set()


def see_to_one(engine: Yotpo, pk: UUID) -> None:
    """A row that cannot be seen to, for whatever reason, must not keep the others waiting."""
    try:
        see_to(
            engine, PendingRedemption.objects.select_related("member", "installation").get(pk=pk)
        )
    except AWAY:
        # Whatever else the database raises is this row's alone.
        raise
    except Exception:
        log.exception("redemption.not_seen_to", redemption=str(pk))
        PendingRedemption.objects.filter(pk=pk).update(next_check_at=Now() + PAUSE_AFTER_A_BUG)


def give_up_waiting(redemption: PendingRedemption) -> None:
    """No process can be waiting for the answer any more: whether it was made is unknown."""
    old = PendingRedemption.objects.orphaned(answer_must_be_in()).filter(pk=redemption.pk)
    if redemption.state == State.REQUESTED and old.exists():
        redemption.move(State.UNCERTAIN, Reason.PROCESS_DIED, only_from=[State.REQUESTED])


def settle(engine: Yotpo, redemption: PendingRedemption) -> None:
    if not redemption.claim(CHECK_EVERY):
        redemption.refresh_from_db()
        return
    proof = proven(redemption)
    if proof is not None:
        take(redemption, proof)
        log.info("redemption.told", redemption=str(redemption.id), state=redemption.state)
        return
    late_enough = is_older(redemption, settle_time())
    try:
        reading = read(engine, redemption)
    except OutsideError as error:
        log.warning("redemption.unreadable", redemption=str(redemption.id), error=str(error))
        return
    redemption.count_read(with_history=reading.with_history)
    decide(redemption, reading, late_enough)
    log.info("redemption.read", redemption=str(redemption.id), state=redemption.state)


def read(engine: Yotpo, redemption: PendingRedemption) -> Reading:
    """Raises OutsideError when the member's history or a code's record can't be read."""
    if redemption.delayed:
        # It took no points and no history shows it: what is there now is another's.
        return Reading((), clear=True, with_history=True)
    sight = look(engine, redemption)
    candidates, clear = {}, sight.customer.history is not None
    for row in suspects(redemption, with_told(redemption, sight)):
        record = find_record(engine, row)
        if record is not None and is_spoken_for(redemption, record):
            continue
        if record is not None and is_ours(redemption, row, record):
            candidates[record.redemption_id, record.code] = record
        elif record is None or not is_anothers(redemption, record):
            clear = False
    # A row that is no suspect shows that its code took other points, or at another time.
    shown = {row.status for row in sight.history}
    if not nothing_else_told(engine, redemption, shown | {code for _, code in candidates}):
        clear = False
    ours = of_its_pool(redemption, list(candidates.values()))
    return Reading(tuple(ours), clear, sight.customer.history is not None)


def of_its_pool(redemption: PendingRedemption, found: list[CodeRecord]) -> list[CodeRecord]:
    """A custom coupon's code comes from its offer's pool: another is no candidate."""
    if redemption.offer_kind != Kind.CUSTOM or not found:
        return found
    strange = not_of_pool(redemption.offer_id, [record.code for record in found])
    return [record for record in found if record.code not in strange]


def proven(redemption: PendingRedemption) -> CodeRecord | None:
    """The engine told of a code under the very id that we hold: that is proof by itself."""
    if redemption.engine_id is None:
        return None
    told = ToldCode.objects.filter(
        engine_id=redemption.engine_id, email_index__in=["", redemption.member.email_index]
    )
    codes = set(told.values_list("code", flat=True)[:2])
    if len(codes) != 1:
        return None
    record = CodeRecord(None, codes.pop(), None, redemption.engine_id, None)
    return None if is_spoken_for(redemption, record) else record


def with_told(redemption: PendingRedemption, sight: Sight) -> Sight:
    """The history, and what the engine told of redemptions that it does not show yet."""
    shown = {row.status for row in sight.history}
    told = told_to(redemption).filter(cost=redemption.points, made_at__isnull=False)
    rows = [as_row(code) for code in told if code.code not in shown]
    if not rows:
        return sight
    return replace(sight, customer=replace(sight.customer, history=(*sight.history, *rows)))


def as_row(told: ToldCode) -> HistoryItem:
    return HistoryItem(
        created_at=told.made_at,
        on=None,
        title=told.title,
        points=-(told.cost or 0),
        status=told.code,
        action_name=None,
        completed_at=None,
    )


def nothing_else_told(engine: Yotpo, redemption: PendingRedemption, known: set[str]) -> bool:
    """Whether no coupon was told of as made for this member then that is left unexplained.

    A Create Coupon call tells neither points nor title: it proves nothing, and while its code is
    nobody else's the redemption can't be called not made. A delayed one has no history to show, so
    its lost answer ends as not made all the same (rule 5). Raises OutsideError.
    """
    if redemption.delayed:
        return True
    since = redemption.requested_at - WHOLE_SECONDS
    until = redemption.requested_at + answer_must_be_in() + settle_time()
    same_value = Q(value_cents=None) | Q(value_cents=redemption.value_cents)
    told = told_to(redemption).filter(same_value, cost=None, told_at__range=(since, until))
    for code in told.exclude(code__in=known).values_list("code", flat=True):
        record = find_record_of(engine, code)
        if record is None or is_spoken_for(redemption, record):
            continue
        if not is_anothers(redemption, record):
            return False
    return True


def told_to(redemption: PendingRedemption) -> QuerySet[ToldCode]:
    """Codes that the engine told of as this member's, of late."""
    since = redemption.requested_at - timedelta(days=1)
    return ToldCode.objects.filter(email_index=redemption.member.email_index, told_at__gte=since)


def find_record(engine: Yotpo, row: HistoryItem) -> CodeRecord | None:
    """The record of the row's code. None without a code, or where the engine does not know it."""
    return find_record_of(engine, row.status) if has_code(row) else None


def find_record_of(engine: Yotpo, code: str) -> CodeRecord | None:
    try:
        return engine.redemption_code(code)
    except NotFound:
        return None


def is_spoken_for(redemption: PendingRedemption, record: CodeRecord) -> bool:
    """Another row of ours has it. Codes can come again, so the engine's id counts as well."""
    rows = PendingRedemption.objects.with_codes([record.code])
    others = rows.exclude(pk=redemption.pk).filter(code=record.code)
    if record.redemption_id is not None:
        others = others.filter(Q(engine_id=record.redemption_id) | Q(engine_id=None))
    return others.exists()


# The engine broke off, and what it did shows. After any other silence it may still be about to act,
# and what is seen alone now can be the shopper's own, made online in the same minute.
SHOWS_AT_ONCE = (Reason.REPLY_LOST,)


def decide(redemption: PendingRedemption, reading: Reading, late_enough: bool) -> None:
    known = redemption.engine_id is not None
    shows = known or late_enough or redemption.reason in SHOWS_AT_ONCE
    if len(reading.candidates) == 1 and (reading.clear or known):
        if shows:
            take(redemption, reading.candidates[0])
    elif len(reading.candidates) > 1:
        dispute(redemption, Reason.TWO_CANDIDATES)
    elif is_absent(redemption, reading) and late_enough:
        redemption.move(State.NOT_MADE, redemption.reason, only_from=[State.UNCERTAIN])
    elif is_read_for(redemption, GIVE_UP_AFTER):
        dispute(redemption, Reason.NEVER_CLEAR)


def is_absent(redemption: PendingRedemption, reading: Reading) -> bool:
    return reading.clear and not reading.candidates and redemption.readable_reads >= 2


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
        dispute(redemption, Reason.CODE_HELD_TWICE)


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
