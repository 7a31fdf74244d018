"""Giving points back at the engine, once, whatever is lost on the way.

REVERSING is the promise. Recording the first attempt, before it is made, is the point of no
return. After a lost answer the history is read first; a refusal is settled by reading, too.
"""

import time
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from connectors.errors import Misconfigured, NotFound, OutsideError, Refused, Throttled
from connectors.yotpo.client import Yotpo
from redemptions.evidence import Sight, given_back
from redemptions.looking import look
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from redemptions.timing import CHECK_EVERY, GIVE_UP_AFTER, reversal_claim, settle_time

log = structlog.get_logger(__name__)

LONGEST_WAIT = timedelta(minutes=5)


def give_back(engine: Yotpo, redemption: PendingRedemption) -> None:
    """Try now, unless another process is at it. The row's state tells what came of it.

    Raises nothing: what may pass is tried again by the next look at the screen or by
    `settle_redemptions`.
    """
    if redemption.claim(reversal_claim()):
        try:
            attempt(engine, redemption)
        except OutsideError as error:
            postpone(redemption, error)
    redemption.refresh_from_db()


def attempt(engine: Yotpo, redemption: PendingRedemption) -> None:
    sight = look(engine, redemption)
    if redemption.first_reversal_attempt_at:
        if is_given_back(redemption, sight):
            finish(redemption)
            return
        if redemption.sold_at is not None:
            settle_sold(redemption, sight)
            return
    engine_id = redemption.engine_id or find_engine_id(engine, redemption)
    # One that stands still from here on asks no more: another may have asked, or a sale come.
    asked_at = time.monotonic()
    if not record_attempt(redemption, sight, engine_id):
        return
    try:
        engine.approve_cancellation(engine_id, redemption.code, asked_at=asked_at)
    except Refused as refusal:
        settle_refusal(engine, redemption, refusal)
    else:
        finish(redemption)


def is_given_back(redemption: PendingRedemption, sight: Sight) -> bool:
    return verdict(redemption, sight) is True


def verdict(redemption: PendingRedemption, sight: Sight) -> bool | None:
    return given_back(
        redemption,
        sight,
        alone=redemption.is_reversed_alone(),
        refunded=redemption.is_refunded_beside(),
    )


def settle_sold(redemption: PendingRedemption, sight: Sight) -> None:
    """A sale came after the first attempt, so there is no other. Reading tells what that did."""
    redemption.refresh_from_db()
    if verdict(redemption, sight) is False and is_tried_for(redemption, settle_time()):
        # Neither history nor balance shows it, long enough after: the sale has what is its own.
        redemption.move(State.USED, Reason.SOLD, only_from=[State.REVERSING])
    elif is_tried_for(redemption, GIVE_UP_AFTER):
        redemption.move(State.DISPUTED, Reason.SOLD_UNCLEAR, only_from=[State.REVERSING])
        log.error("redemption.disputed", redemption=str(redemption.id), reason=redemption.reason)
    else:
        PendingRedemption.objects.filter(pk=redemption.pk, state=State.REVERSING).update(
            next_check_at=Now() + CHECK_EVERY
        )


def is_tried_for(redemption: PendingRedemption, span: timedelta) -> bool:
    """So long ago was the last attempt that what it did must show."""
    tried = PendingRedemption.objects.filter(
        pk=redemption.pk, last_reversal_attempt_at__lte=Now() - span
    )
    return tried.exists()


def find_engine_id(engine: Yotpo, redemption: PendingRedemption) -> int:
    """The creation's answer need not hold it; the code's record does. Raises NotFound."""
    record = engine.redemption_code(redemption.code)
    if record.redemption_id is None:
        raise NotFound("yotpo", "GET", "/redemption_codes", words="the code has no redemption")
    return record.redemption_id


def record_attempt(redemption: PendingRedemption, before: Sight, engine_id: int) -> bool:
    """Committed before the attempt is made, so that a crash counts as one."""
    recorded = PendingRedemption.objects.filter(
        pk=redemption.pk, state=State.REVERSING, sold_at=None
    ).update(
        engine_id=engine_id,
        reversal_attempts=F("reversal_attempts") + 1,
        last_reversal_attempt_at=Now(),
        first_reversal_attempt_at=Coalesce("first_reversal_attempt_at", Now()),
        **known_before(redemption, before),
        next_check_at=Now() + reversal_claim(),
    )
    redemption.refresh_from_db()
    return bool(recorded)


def known_before(redemption: PendingRedemption, before: Sight) -> dict[str, Any]:
    """How things stood before the first attempt: later readings are compared with it."""
    if redemption.balance_before_reversal is not None:
        return {}
    return {
        "balance_before_reversal": before.customer.points_balance,
        "newest_row_before_reversal": before.newest_row,
    }


def finish(redemption: PendingRedemption) -> None:
    """The points are back. Where a sale has the code as well, a manager decides."""
    reversing = [State.REVERSING]
    reason = redemption.reason or Reason.UNDONE
    if redemption.move(State.REVERSED, reason, only_from=reversing, provided=Q(sold_at=None)):
        log.info("redemption.reversed", redemption=str(redemption.id))
    elif redemption.move(State.DISPUTED, Reason.SOLD_AFTER, only_from=reversing):
        log.error("redemption.disputed", redemption=str(redemption.id), reason=redemption.reason)


def settle_refusal(engine: Yotpo, redemption: PendingRedemption, refusal: Refused) -> None:
    """Refused: because it was done before, or because it cannot be. Reading tells, or a manager."""
    after = look(engine, redemption)
    redemption.refresh_from_db()
    if is_given_back(redemption, after):
        finish(redemption)
    elif redemption.sold_at is not None:
        settle_sold(redemption, after)
    else:
        dispute(redemption, refusal, f"the balance is {after.customer.points_balance}")


def dispute(redemption: PendingRedemption, refusal: Refused, fact: str) -> None:
    redemption.move(
        State.DISPUTED,
        Reason.REVERSAL_REFUSED,
        only_from=[State.REVERSING],
        engine_words=f"Asked to give back: {refusal.words}; {fact}"[:300],
    )
    log.error("redemption.disputed", redemption=str(redemption.id), reason=redemption.reason)


def postpone(redemption: PendingRedemption, error: OutsideError) -> None:
    """Free the row again, later with every attempt.

    What the engine does not know may only not be readable yet, so it is asked for a while.
    """
    redemption.refresh_from_db()
    if isinstance(error, Refused) and is_promised_for(redemption, settle_time()):
        dispute(redemption, error, "the engine does not know the member or the code")
        return
    wait = wait_after(redemption, error)
    PendingRedemption.objects.filter(pk=redemption.pk, state=State.REVERSING).update(
        next_check_at=Now() + wait
    )
    log.warning(
        "redemption.reversal_postponed",
        redemption=str(redemption.id),
        error=str(error),
        wait_seconds=wait.total_seconds(),
    )


def is_promised_for(redemption: PendingRedemption, span: timedelta) -> bool:
    promised = PendingRedemption.objects.filter(pk=redemption.pk, changed_at__lte=Now() - span)
    return promised.exists()


def wait_after(redemption: PendingRedemption, error: OutsideError) -> timedelta:
    if isinstance(error, Throttled):
        return max(CHECK_EVERY, timedelta(seconds=error.wait))
    if isinstance(error, Misconfigured):
        return LONGEST_WAIT
    doublings = min(max(redemption.reversal_attempts - 1, 0), 8)
    return min(CHECK_EVERY * (1 << doublings), LONGEST_WAIT)
