"""Delayed deduction: the points of a code go when the order that has it arrives, not before.

Until then they stay in the balance, set aside. A member has one such code at a time: the engine
ends an older one that counts on the same points, so a new one ends it here in the same act.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models.functions import Now

from audit.record import By
from connectors.errors import NotFound, OutsideError
from connectors.yotpo.client import Yotpo
from members.lookup import FoundMember
from members.models import Member
from offers.catalogue import Kind, Offer
from redemptions.disputes import is_being_taken
from redemptions.errors import EndsOpenCode, OpenCodeElsewhere, StillOnSale
from redemptions.evidence import Sight, points_went
from redemptions.life import UNSOLD
from redemptions.looking import look
from redemptions.models import LOOKED_FOR, PendingRedemption, sets_aside
from redemptions.states import Deduction, Reason, State
from redemptions.timing import MARGIN, deadline, settle_time
from redemptions.withdrawal import NOT_SAID, Withdrawal
from stores.models import Installation

log = structlog.get_logger(__name__)

# Points that did not go may still do so: an order's status can change, and so can the account's.
LOOK_AGAIN = timedelta(hours=1)
# The points of a code that was used, which nobody saw go.
NOT_SEEN = (Deduction.DUE, Deduction.TOLD, Deduction.MISSING)


@dataclass(frozen=True, slots=True)
class Agreed:
    """Which open code the associate agreed to end, and whether the POS takes it no more."""

    redemption_id: UUID
    withdrawal: Withdrawal = NOT_SAID


@dataclass(frozen=True, slots=True)
class Ending:
    """The older code's end, for a new one to take its place."""

    older: PendingRedemption
    agreed: Agreed

    def carry_out(self, by: By | None) -> None:
        """In the transaction that writes the new one down.

        Raises StillOnSale where a POS may still take it, or a till said that it was sold.
        """
        withdrawal = self.agreed.withdrawal
        provided = UNSOLD & withdrawal.condition(self.older)
        said: dict[str, Any] = {"withdrawn_at": Now()} if withdrawal.counts_for(self.older) else {}
        before = {"state": self.older.state}
        if not self.older.end(Reason.REPLACED, provided=provided, **said):
            raise StillOnSale(why_it_stays(self.older, withdrawal), self.older)
        if by:
            after = {"state": self.older.state}
            by.record("redemption.replaced", self.older, before=before, after=after)
        log.info("redemption.replaced", redemption=str(self.older.id))


def is_delayed(installation: Installation, offer: Offer) -> bool:
    """The engine delays generic codes only; a custom coupon's points go at once."""
    return installation.delayed_deduction and offer.kind is not Kind.CUSTOM


def less_set_aside(found: FoundMember, standing: Iterable[PendingRedemption]) -> FoundMember:
    """The member without the points that open delayed codes will take."""
    points = sum(redemption.points_set_aside for redemption in standing)
    return replace(found, points_set_aside=points) if points else found


def setting_aside(member: Member) -> list[PendingRedemption]:
    """Their redemptions whose points are still to go. One query."""
    return list(PendingRedemption.objects.filter(sets_aside(), member=member))


def is_news(redemption: PendingRedemption, standing: Iterable[PendingRedemption]) -> bool:
    """Whether points were set aside since that was read: they would be spent twice.

    Asked after the new row is written, when no other of the member's can be made any more.
    """
    now = PendingRedemption.objects.filter(sets_aside(), member=redemption.member_id)
    known = [row.pk for row in standing]
    return now.exclude(pk=redemption.pk).exclude(pk__in=known).exists()


def open_code(standing: Sequence[PendingRedemption]) -> PendingRedemption | None:
    """The delayed code that another delayed one ends. The database keeps it that there is one."""
    return next((row for row in standing if row.delayed and row.state == State.ISSUED), None)


def less_ending(
    standing: Sequence[PendingRedemption], installation: Installation
) -> list[PendingRedemption]:
    """Without the code that another delayed one ends here: its points count for that one."""
    return [row for row in standing if row is not ends_here(standing, installation)]


def ends_here(
    standing: Sequence[PendingRedemption], installation: Installation
) -> PendingRedemption | None:
    """The open code whose place another delayed one can take here."""
    older = open_code(standing)
    return None if older is None or is_elsewhere(older, installation) else older


def is_elsewhere(code: PendingRedemption, installation: Installation) -> bool:
    """Made at another POS, which alone can say that it takes the code no more."""
    return code.installation_id != installation.id


def code_to_end(
    standing: Sequence[PendingRedemption], installation: Installation
) -> PendingRedemption | None:
    """The open code that a new one ends. Raises OpenCodeElsewhere."""
    older = open_code(standing)
    if older is not None and is_elsewhere(older, installation):
        raise OpenCodeElsewhere
    return older


def check_ends(older: PendingRedemption | None, agreed: Agreed | None) -> Ending | None:
    """Raises EndsOpenCode where the associate did not agree that this very one ends."""
    if older is None:
        return None
    if agreed is None or agreed.redemption_id != older.id:
        raise EndsOpenCode(older)
    return Ending(older, agreed)


def why_it_stays(older: PendingRedemption, withdrawal: Withdrawal) -> str:
    """For the associate who wants another one in its place."""
    if older.state != State.ISSUED:
        return "Its open code has just ended otherwise. Look the member up again."
    if older.claimed_used_at is not None:
        return (
            f"A till said that a sale with the code {older.code} was completed. "
            "Wait until that sale has arrived, or ask a manager."
        )
    if not withdrawal.reaches(older):
        return withdrawal.where_else(older)
    return f"The code {older.code} is still on a sale. Take it off there first."


# After the sale


def note_told(sale: str) -> None:
    """The engine took the order, or will never be told of it: the points must go now.

    `sale` is the order's id. They are looked for when it had the time to do its part.
    """
    not_seen = [Deduction.DUE, Deduction.MISSING]
    used = PendingRedemption.objects.filter(sale=sale, state=State.USED, deduction__in=not_seen)
    used.update(deduction=Deduction.TOLD, next_check_at=Now() + settle_time())


def let_go(sale: str) -> None:
    """All of the sale was refunded, so nothing is owed for its codes. In that transaction.

    `sale` is the order's id. Not of those whose points a manager is having taken this moment.
    """
    used = PendingRedemption.objects.filter(sale=sale, state=State.USED, deduction__in=NOT_SEEN)
    for row in used:
        if not is_being_taken(row):
            same = PendingRedemption.objects.filter(pk=row.pk, deduction=row.deduction)
            same.update(deduction=Deduction.NONE)


def see_whether_gone(engine: Yotpo, redemption: PendingRedemption) -> None:
    """Read once whether the points went. Raises nothing; `deduction` tells."""
    if not redemption.claim(2 * deadline() + MARGIN):
        return
    if is_given_up(redemption):
        words = "For a week nobody could read whether the points went."
        note_seen(redemption, deduction=Deduction.MISSING, engine_words=words)
        return
    try:
        sight = look(engine, redemption)
    except NotFound:
        words = "The engine does not know this member, so no points went."
        note_seen(redemption, deduction=Deduction.MISSING, engine_words=words)
        return
    except OutsideError as error:
        log.warning("redemption.unreadable", redemption=str(redemption.id), error=str(error))
        note_seen(redemption, wait=settle_time())
        return
    if points_went(redemption, sight):
        note_seen(redemption, deduction=Deduction.GONE, engine_words="")
    elif sight.customer.history is None:
        note_seen(redemption)
    else:
        words = likely_cause(redemption, sight)
        note_seen(redemption, deduction=Deduction.MISSING, engine_words=words)
        log.error("redemption.points_not_gone", redemption=str(redemption.id))


def is_given_up(redemption: PendingRedemption) -> bool:
    """Told of so long ago, and never readable since."""
    sold = redemption.sold_at
    is_told = redemption.deduction == Deduction.TOLD
    return is_told and sold is not None and sold < redemption.database_time() - LOOKED_FOR


def note_seen(
    redemption: PendingRedemption, *, wait: timedelta = LOOK_AGAIN, **changes: Any
) -> None:
    """Unless it was moved meanwhile, as by a void. It is looked at again after `wait`."""
    same = PendingRedemption.objects.filter(
        pk=redemption.pk, state=State.USED, deduction=redemption.deduction
    )
    same.update(next_check_at=Now() + wait, **changes)
    redemption.refresh_from_db()


def likely_cause(redemption: PendingRedemption, sight: Sight) -> str:
    """For a person. The engine tells none."""
    balance = sight.customer.points_balance
    if balance < redemption.points:
        return f"The points did not go: it takes {redemption.points}, the member has {balance}."
    return (
        "The points did not go. Most likely the account counts only orders of another status than "
        f"{redemption.installation.status_sent or 'none'}, which ours have; or the engine was not "
        "told of the sale, or had ended the code."
    )
