"""Points that were spent on a sale: those of the codes of ours that it used."""

from connectors.errors import Throttled
from redemptions.models import PendingRedemption
from redemptions.states import Deduction, State
from redemptions.timing import settle_time
from sales.models import Sale


class NotKnownYet(Throttled):
    """Delayed points: it is still to be read whether they went. Ask again later."""

    def __init__(self) -> None:
        wait = max(settle_time().total_seconds(), 1.0)
        super().__init__("loyalty-panel", "READ", "/spent", None, wait=wait)


def spent_on(sale: Sale) -> int:
    """Codes of the web shop's are not among them. Raises NotKnownYet."""
    used = list(PendingRedemption.objects.filter(sale=sale.order_id, state=State.USED))
    if any(row.deduction in (Deduction.DUE, Deduction.TOLD) for row in used):
        raise NotKnownYet
    return sum(row.points for row in used if not row.delayed or row.deduction == Deduction.GONE)


def share(points: int, cents: int, total_cents: int) -> int:
    """The part of `points` that `cents` of the total stand for, rounded down as the engine does."""
    return points * cents // total_cents if total_cents else points
