"""Points that were spent on a sale: those of the codes of ours that it used."""

from django.db.models import QuerySet

from connectors.errors import Throttled
from redemptions.disputes import is_being_taken
from redemptions.models import STILL_TO_GO, PendingRedemption
from redemptions.states import Deduction, State
from redemptions.timing import settle_time
from sales.models import Sale


class NotKnownYet(Throttled):
    """Delayed points: it is still to be read whether they went, or they go just now. Ask again."""

    def __init__(self) -> None:
        wait = max(settle_time().total_seconds(), 1.0)
        super().__init__("loyalty-panel", "READ", "/spent", None, wait=wait)


def spent_on(sale: Sale) -> int:
    """By the buyer: codes of another member's or of the web shop's are not among them.

    Raises NotKnownYet.
    """
    used = list(used_in(sale).filter(member=sale.member_id))
    if any(row.deduction in STILL_TO_GO or is_taken_just_now(row) for row in used):
        raise NotKnownYet
    return sum(row.points for row in used if not row.delayed or row.deduction == Deduction.GONE)


def used_in(sale: Sale) -> QuerySet[PendingRedemption]:
    return PendingRedemption.objects.filter(sale=sale.order_id, state=State.USED)


def has_anothers_code(sale: Sale) -> bool:
    """Nobody can say to whom the engine gives its points back."""
    return used_in(sale).exclude(member=sale.member_id).exists()


def is_taken_just_now(redemption: PendingRedemption) -> bool:
    """They did not go, and a manager is having them taken."""
    return redemption.deduction == Deduction.MISSING and is_being_taken(redemption)


def share(points: int, cents: int, total_cents: int) -> int:
    """The part of `points` that `cents` of the total stand for, rounded down as the engine does."""
    return points * cents // total_cents if total_cents else points
