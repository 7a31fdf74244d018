"""What follows where the engine speaks of a coupon code: made, ended, or not wanted any more.

None of it is asked for, and each may come twice, late, out of order, or not at all; so nothing here
gives a code out or takes points, and what was said is committed before a redemption is looked for.
"""

from collections.abc import Iterable
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from connectors.yotpo.webhook import MOST_NAMED, Callback, Event
from database.encryption import blind_index
from members.identity import email_identity
from redemptions.models import PendingRedemption
from redemptions.states import OPEN, Reason, State
from redemptions.told import Question, ToldCode, ask_a_manager, find_answered, keep
from stores.models import Installation

log = structlog.get_logger(__name__)

By, Why = Question.By, Question.Why
LONGEST_TITLE = 255
MOST_CENTS = 2**31 - 1
# Of rows with the same code, that which could still be taken is meant.
NEAREST = (*OPEN, State.USED, State.DISPUTED, State.CANCELLED, State.REVERSED, State.NOT_MADE)


def coupon_created(callback: Callback) -> list[ToldCode]:
    """Create Coupon: the codes are kept as candidates. The rows, whose ids the engine may keep.

    It comes while our own POST of the redemption is open: nothing here waits for that one's row.
    """
    facts = {
        "email_index": index_of(callback.email),
        "value_cents": within(callback.value_cents),
        "currency": callback.currency or "",
    }
    with transaction.atomic():
        rows = [keep(code, callback.redemption_id, **facts) for code in named(callback.codes)]
    log.info("coupon.created_told", codes=len(rows))
    return rows


def coupon_cancelled(callback: Callback, installation: Installation) -> list[ToldCode]:
    """Cancel Coupon: the codes count no more, and the till is told to take them off."""
    told = [keep(code, callback.redemption_id) for code in named(callback.codes)]
    if not told:
        # Only then: an id beside a code may be of the engine's own, and no row of ours.
        told = list(ToldCode.objects.filter(pk__in=callback.ids[:MOST_NAMED]))
    for row in told:
        stop(row, installation, Reason.BY_ENGINE)
    return told


def redemption_told(event: Event, _installation: Installation) -> str:
    """swell/redemption/created: a candidate for settling. What was done, as a word."""
    if event.code is None:
        return "no_code"
    with transaction.atomic():
        keep(
            event.code,
            event.redemption_id,
            email_index=index_of(event.email),
            title=(event.option_name or "")[:LONGEST_TITLE],
            cost=within(event.points),
            made_at=event.at,
        )
    return "candidate"


def cancellation_asked(event: Event, installation: Installation) -> str:
    """swell/point_redemption/cancellation_request (rule 8). What was done, as a word."""
    if event.code is None and event.redemption_id is not None:
        held = PendingRedemption.objects.filter(engine_id=event.redemption_id).exclude(code="")
        code = held.values_list("code", flat=True).first()
    else:
        code = event.code
    if not code:
        return "no_code"
    return stop(keep(code, event.redemption_id), installation, Reason.BY_SHOPPER)


def stop(told: ToldCode, installation: Installation, reason: Reason) -> str:
    """It shall count no more. What was done, as a word. Not to be called in a transaction."""
    # Committed by itself: an answer that brings this code later finds it (heed_what_was_told).
    # Anew each time: a code without the engine's id can come again, and be ended again.
    ToldCode.objects.filter(pk=told.pk).update(stop_told_at=Now(), stop_reason=reason)
    redemption = nearest(told)
    done = stop_one(redemption, reason) if redemption else "unknown"
    why = ASKS.get(done)
    # The engine ends codes of the web shop as well: those are nothing to us.
    if why and not (redemption is None and reason == Reason.BY_ENGINE):
        ask_once(told, redemption, installation, reason, why)
    log.info("coupon.stop_told", done=done, redemption=str(redemption.pk) if redemption else None)
    return done


def ask_once(
    told: ToldCode,
    redemption: PendingRedemption | None,
    installation: Installation,
    reason: Reason,
    why: str,
) -> None:
    """A manager's answer stands, however often the same is told again."""
    facts: dict[str, Any] = {
        "by": By.SHOPPER if reason == Reason.BY_SHOPPER else By.ENGINE,
        "engine_id": told.engine_id,
        "redemption_id": redemption.pk if redemption else None,
    }
    answered = find_answered(told.code, **facts)
    if answered is not None:
        log.info("coupon.answered_before", question=answered.pk, why=why)
        return
    ask_a_manager(
        redemption.installation if redemption else installation, told.code, why=why, **facts
    )


ASKS = {"used": Why.USED, "unknown": Why.UNKNOWN, "unclear": Why.UNCLEAR, "sold": Why.SOLD}


def stop_one(redemption: PendingRedemption, reason: Reason) -> str:
    redemption.stop(reason)
    if redemption.state == State.ISSUED:
        return "sold" if redemption.claimed_used_at else "to_withdraw"
    if redemption.state == State.USED:
        return "used"
    return "unclear" if redemption.state == State.DISPUTED else "ended"


def nearest(told: ToldCode) -> PendingRedemption | None:
    """Ours of this code, by the engine's id where that was told; codes can come again."""
    rows = PendingRedemption.objects.with_codes([told.code]).select_related("installation")
    if told.engine_id is not None:
        rows = rows.filter(Q(engine_id=told.engine_id) | Q(engine_id=None))
    ranked = sorted(
        rows.filter(state__in=NEAREST),
        key=lambda row: (row.code != told.code, NEAREST.index(State(row.state)), -age(row)),
    )
    return ranked[0] if ranked else None


def age(redemption: PendingRedemption) -> float:
    return redemption.requested_at.timestamp()


def named(codes: Iterable[str]) -> list[str]:
    """In one order, so that two calls at once do not wait for each other."""
    return sorted(set(codes))[:MOST_NAMED]


def index_of(email: str | None) -> str:
    return blind_index(email_identity(email)) if email else ""


def within(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= MOST_CENTS else None
