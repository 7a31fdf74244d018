"""How long an issued code is kept for its sale, and what ends that: its lease.

Every step is one conditional update by the database's clock, so that of a hold and a lease's end,
or of two tills, exactly one wins. An abandoned code is given back on evidence: the POS or a live
bridge says that the sale is open without the code, voided or gone. Where nothing is heard it is
given back `unasked_reverse_minutes` after the lease's end.
"""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from audit.record import By
from redemptions.errors import CannotExtend, NoLongerCounts
from redemptions.models import PendingRedemption, PendingRedemptionQuerySet
from redemptions.states import UNDER_WAY, Reason, State
from stores.models import Installation

log = structlog.get_logger(__name__)

# A payment that takes longer was given up.
PAYMENT = timedelta(minutes=30)
# A code that was taken off the sale by mistake can be kept in this time.
TO_KEEP = timedelta(seconds=10)
# What only a manager can end is looked at no more often.
FOR_A_MANAGER = timedelta(hours=1)

# Nobody said that the POS takes the code, or the POS said that it takes it no more.
WITHDRAWN = Q(applied_at=None) | Q(withdrawn_at__isnull=False)

# No till said that a sale with it was completed.
UNSOLD = Q(claimed_used_at=None)

EVERYWHERE = Q()

WHY_NOT = {
    State.USED: "This code was used in a sale already.",
    State.REVERSING: "This code was undone: its points go back.",
    State.REVERSED: "This code was undone: its points are back.",
    State.CANCELLED: "This code was ended.",
    State.DISPUTED: "A manager must look at this code before it counts again.",
}


STOPPED = "This code is to count no more: the shopper wants the points back, or they went already."


def bind(redemption: PendingRedemption, ticket: str) -> None:
    """The open sale that the code is for, as soon as there is one."""
    _issued(redemption).exclude(ticket=ticket).update(ticket=ticket)
    redemption.refresh_from_db()


def extend(redemption: PendingRedemption, *, by: By | None = None) -> None:
    """Keep it longer, once, by the lease's own length from its end, or from now when it is over.

    `by` goes into the trail. Raises CannotExtend.
    """
    before = {"lease_until": redemption.lease_until}
    end = Greatest(F("lease_until"), Now()) + lease_of(redemption.installation)
    extended = _issued(redemption).filter(lease_extended=False, gone_at=None, stop_asked_at=None)
    with transaction.atomic():
        done = extended.update(lease_until=end, next_check_at=end, lease_extended=True)
        redemption.refresh_from_db()
        if done and by:
            after = {"lease_until": redemption.lease_until}
            by.record("redemption.extended", redemption, before=before, after=after)
    if not done:
        raise CannotExtend(WHY_NOT.get(State(redemption.state), "It was kept longer once already."))


def hold(redemption: PendingRedemption, ticket: str = "", *, by: By | None = None) -> None:
    """Payment starts with this code: its time stands still, for at most half an hour, once.

    A code that was taken off before and comes again is kept. `by` goes into the trail where that
    changes anything. Raises NoLongerCounts.
    """
    # Committed by itself: a refusal must not take it back.
    redemption.heed_what_was_told()
    before = held_facts(redemption)
    with transaction.atomic():
        hold_or_refuse(redemption, ticket)
        if by and held_facts(redemption) != before:
            by.record("redemption.held", redemption, before=before, after=held_facts(redemption))


def held_facts(redemption: PendingRedemption) -> dict[str, Any]:
    return {"ticket": redemption.ticket, "frozen_until": redemption.frozen_until}


def hold_or_refuse(redemption: PendingRedemption, ticket: str) -> None:
    counts = _wanted(redemption).update(
        gone_at=None, withdrawn_at=None, **({"ticket": ticket} if ticket else {})
    )
    if counts:
        freeze(redemption, PAYMENT)
    else:
        redemption.refresh_from_db()  # it may have ended since it was read
    check_counts(redemption)


def check_counts(redemption: PendingRedemption) -> None:
    """Raises NoLongerCounts."""
    if redemption.state != State.ISSUED or redemption.stop_asked_at is not None:
        raise NoLongerCounts(why_not(redemption))


def why_not(redemption: PendingRedemption) -> str:
    """Why a code does not count, for an associate."""
    if redemption.state == State.ISSUED and redemption.stop_asked_at is not None:
        return STOPPED
    return WHY_NOT.get(State(redemption.state), "There is no such code.")


def park(redemption: PendingRedemption) -> None:
    """Its ticket was parked: the time stands still until the end of the store's day."""
    freeze(redemption, rest_of_day(redemption.database_time(), redemption.installation))


def freeze(redemption: PendingRedemption, span: timedelta) -> None:
    """Stop the lease for `span`; what is frozen already stays as it is."""
    end = Greatest(F("lease_until"), Now()) + span
    running = _issued(redemption).filter(Q(frozen_until=None) | Q(frozen_until__lte=Now()))
    never = running.filter(frozen_until=None) if span == PAYMENT else running
    never.update(frozen_until=Now() + span, lease_until=end, next_check_at=end)
    redemption.refresh_from_db()


def rest_of_day(now: datetime, installation: Installation) -> timedelta:
    zone = ZoneInfo(installation.time_zone)
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    return midnight - now


def resume(redemption: PendingRedemption) -> bool:
    """Its ticket goes on: what was left of the lease runs again. False where it did not stand
    still."""
    now = redemption.database_time()
    frozen = redemption.frozen_until
    if redemption.lease_until is None or frozen is None or frozen <= now:
        return False
    end = redemption.lease_until - (frozen - now)
    same = _issued(redemption).filter(frozen_until=frozen)
    resumed = same.update(frozen_until=None, lease_until=end, next_check_at=end)
    redemption.refresh_from_db()
    return bool(resumed)


def note_applied(redemption: PendingRedemption) -> bool:
    """The POS put the code on a sale. False where it must take it off again."""
    applied = _wanted(redemption).update(applied_at=Now(), withdrawn_at=None, gone_at=None)
    redemption.refresh_from_db()
    return bool(applied)


def note_removed(redemption: PendingRedemption) -> None:
    """The POS took the code off the sale: some seconds to keep it, then its points go back."""
    _issued(redemption).update(gone_at=Now(), withdrawn_at=Now(), next_check_at=Now() + TO_KEEP)
    redemption.refresh_from_db()
    if redemption.state == State.ISSUED and redemption.stop_asked_at is not None:
        redemption.stop(redemption.stop_reason)


def note_missing(redemption: PendingRedemption) -> bool:
    """The ticket is open without the code: evidence at the lease's end, not before."""
    over = _issued(redemption).filter(applied_at=None, gone_at=None, lease_until__lte=Now())
    noted = over.update(gone_at=Now(), withdrawn_at=Now(), next_check_at=Now() + TO_KEEP)
    redemption.refresh_from_db()
    return bool(noted)


def keep(redemption: PendingRedemption) -> bool:
    """It was taken off by mistake. What was not taken off stays as it is: False.

    Raises NoLongerCounts.
    """
    # Else whoever asks for it would make a code that is on a sale look as if it were on none.
    kept = (
        _wanted(redemption)
        .filter(gone_at__isnull=False)
        .update(
            # It is on no sale now, and the POS takes it again when it is put on one.
            applied_at=None,
            gone_at=None,
            withdrawn_at=None,
            next_check_at=F("lease_until"),
        )
    )
    redemption.refresh_from_db()
    check_counts(redemption)
    return bool(kept)


def claim_used(redemption: PendingRedemption) -> None:
    """A till says that the sale was completed. It is not given back by itself any more; a manager
    is asked where no sale comes."""
    _issued(redemption).filter(claimed_used_at=None).update(claimed_used_at=Now())
    redemption.refresh_from_db()


def void_ticket(
    installation: Installation, ticket: str, *, by: By | None = None, of: Q = EVERYWHERE
) -> list[PendingRedemption]:
    """An open sale was voided: what it held goes back, also what is found at the engine later only.

    Gives all of that ticket, narrowed by `of`. In a transaction; `by` goes into the trail.
    """
    of_ticket = PendingRedemption.objects.filter(of, installation=installation, ticket=ticket)
    # Locked in the order in which a sale locks its codes.
    held = list(
        of_ticket.select_for_update(of=("self",))
        .select_related("member", "installation")
        .order_by("pk")
    )
    of_ticket.filter(state__in=UNDER_WAY).update(reverse_when_found=True)
    for redemption in held:
        before = redemption.state
        if redemption.end(Reason.VOIDED, gone_at=Now(), withdrawn_at=Now()) and by:
            states = {"before": {"state": before}, "after": {"state": redemption.state}}
            by.record("redemption.voided", redemption, **states)
    return held


# Nobody could still take it, and no till saw it sold.
FREE = UNSOLD & WITHDRAWN


def end_lease(redemption: PendingRedemption) -> bool:
    """Give an abandoned code back, if it is time and nobody could still take it."""
    unasked = timedelta(minutes=redemption.installation.unasked_reverse_minutes)
    gone = Q(gone_at__lte=Now() - TO_KEEP)
    silent = Q(gone_at=None, lease_until__lte=Now() - unasked)
    ended = redemption.end(Reason.ABANDONED, provided=FREE & gone) or redemption.end(
        Reason.NOT_HEARD_OF, provided=FREE & silent
    )
    if ended:
        log.info("redemption.abandoned", redemption=str(redemption.id), reason=redemption.reason)
    else:
        look_later(redemption, unasked)
    return ended


def look_later(redemption: PendingRedemption, unasked: timedelta) -> None:
    """At its end, at the end of the silence after it, or when a manager may have looked.

    One whose time came between two statements stays due.
    """
    due = _issued(redemption).filter(next_check_at__lte=Now())
    running = due.filter(lease_until__gt=Now()).update(next_check_at=F("lease_until"))
    still_silent = due.filter(lease_until__gt=Now() - unasked)
    if not running and not still_silent.update(next_check_at=F("lease_until") + unasked):
        due.exclude(FREE).update(next_check_at=Now() + FOR_A_MANAGER)
    redemption.refresh_from_db()


def lease_of(installation: Installation) -> timedelta:
    return timedelta(minutes=installation.lease_minutes)


def seconds_left(redemption: PendingRedemption, now: datetime | None = None) -> int | None:
    """Whole seconds of the lease, by the database's clock; None where there is none.

    A frozen one's stand still. `now` where that clock was read with the row: it is asked once more
    otherwise.
    """
    if redemption.state != State.ISSUED or redemption.lease_until is None:
        return None
    now = now or redemption.database_time()
    since = max(now, redemption.frozen_until or now)
    return max(int((redemption.lease_until - since).total_seconds()), 0)


def is_withdrawn(redemption: PendingRedemption) -> bool:
    """As WITHDRAWN asks the database."""
    return redemption.applied_at is None or redemption.withdrawn_at is not None


def is_frozen(redemption: PendingRedemption) -> bool:
    return _issued(redemption).filter(frozen_until__gt=Now()).exists()


def _wanted(redemption: PendingRedemption) -> PendingRedemptionQuerySet:
    """Issued, and nobody asked that it count no more."""
    return _issued(redemption).filter(stop_asked_at=None)


def _issued(redemption: PendingRedemption) -> PendingRedemptionQuerySet:
    return PendingRedemption.objects.filter(pk=redemption.pk, state=State.ISSUED)
