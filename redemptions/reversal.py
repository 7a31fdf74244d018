"""Giving points back at the engine, once, whatever is lost on the way.

REVERSING is the promise. Recording the first attempt, before it is made, is the point of no
return. After a lost answer the history is read first; a refusal is settled by reading, too.
"""

from datetime import timedelta
from typing import Any

import structlog
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from connectors.errors import (
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Customer
from redemptions.evidence import given_back, newest_row
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from redemptions.timing import CHECK_EVERY, reversal_claim

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
    try:
        before = engine.customer(email=redemption.member.email, with_history=True)
        engine_id = redemption.engine_id or find_engine_id(engine, redemption)
    except NotFound as unknown:
        dispute(redemption, unknown, "the engine does not know the member or the code")
        return
    if redemption.first_reversal_attempt_at and given_back(redemption, before):
        finish(redemption)
        return
    if not record_attempt(redemption, before, engine_id):
        return
    try:
        engine.approve_cancellation(engine_id, redemption.code)
    except Refused as refusal:
        settle_refusal(engine, redemption, refusal)
    else:
        finish(redemption)


def find_engine_id(engine: Yotpo, redemption: PendingRedemption) -> int:
    """The creation's answer need not hold it; the code's record does. Raises NotFound."""
    record = engine.redemption_code(redemption.code)
    if record.redemption_id is None:
        raise NotFound("yotpo", "GET", "/redemption_codes", words="the code has no redemption")
    return record.redemption_id


def record_attempt(redemption: PendingRedemption, before: Customer, engine_id: int) -> bool:
    """Committed before the attempt is made, so that a crash counts as one."""
    recorded = PendingRedemption.objects.filter(pk=redemption.pk, state=State.REVERSING).update(
        engine_id=engine_id,
        reversal_attempts=F("reversal_attempts") + 1,
        first_reversal_attempt_at=Coalesce("first_reversal_attempt_at", Now()),
        **known_before(redemption, before),
        next_check_at=Now() + reversal_claim(),
    )
    redemption.refresh_from_db()
    return bool(recorded)


def known_before(redemption: PendingRedemption, before: Customer) -> dict[str, Any]:
    """How things stood before the first attempt: later readings are compared with it."""
    if redemption.balance_before_reversal is not None:
        return {}
    return {
        "balance_before_reversal": before.points_balance,
        "newest_row_before_reversal": newest_row(before),
    }


def finish(redemption: PendingRedemption) -> None:
    redemption.move(State.REVERSED, Reason.UNDONE, only_from=[State.REVERSING])
    log.info("redemption.reversed", redemption=str(redemption.id))


def settle_refusal(engine: Yotpo, redemption: PendingRedemption, refusal: Refused) -> None:
    """Refused: because it was done before, or because it cannot be. Reading tells, or a manager."""
    after = engine.customer(email=redemption.member.email, with_history=True)
    if given_back(redemption, after):
        finish(redemption)
    else:
        dispute(redemption, refusal, f"the balance is {after.points_balance}")


def dispute(redemption: PendingRedemption, refusal: Refused, fact: str) -> None:
    redemption.move(
        State.DISPUTED,
        Reason.REVERSAL_REFUSED,
        only_from=[State.REVERSING],
        engine_words=f"Asked to give back: {refusal.words}; {fact}"[:300],
    )
    log.error("redemption.disputed", redemption=str(redemption.id), reason=redemption.reason)


def postpone(redemption: PendingRedemption, error: OutsideError) -> None:
    """Free the row again, later with every attempt."""
    redemption.refresh_from_db()
    wait = min(CHECK_EVERY * 2 ** min(redemption.reversal_attempts, 8), LONGEST_WAIT)
    if isinstance(error, Throttled):
        wait = max(CHECK_EVERY, timedelta(seconds=error.wait))
    elif isinstance(error, ReplyLost | Unavailable) and redemption.reversal_attempts <= 1:
        wait = CHECK_EVERY
    elif isinstance(error, Misconfigured):
        wait = LONGEST_WAIT
    PendingRedemption.objects.filter(pk=redemption.pk, state=State.REVERSING).update(
        next_check_at=Now() + wait
    )
    log.warning(
        "redemption.reversal_postponed",
        redemption=str(redemption.id),
        error=str(error),
        wait_seconds=wait.total_seconds(),
    )
