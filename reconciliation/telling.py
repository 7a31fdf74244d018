"""What the outbox's routes call for a repair, and what follows from its end."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from members.engine import engine
from members.models import Member
from outbox.errors import NotWanted
from outbox.models import Delivery
from reconciliation.found import Found
from reconciliation.kinds import State
from reconciliation.models import Difference, Reading
from reconciliation.ours import correction_title, ours_of
from reconciliation.reading import Asker, find_differences
from reconciliation.timing import clock_ahead, database_time
from redemptions.timing import MARGIN, settle_time
from sales.orders import note_before, note_told


def tell_correction(delivery: Delivery) -> None:
    """Raises NotWanted where the engine does not show the difference any more."""
    row = difference_of(delivery)
    still = shown_now(row)
    if still is None or still.points != delivery.payload["points"]:
        end(delivery, State.GONE if still is None else State.OPEN)
        raise NotWanted
    engine().adjust_points(
        email=row.member.email,
        points=delivery.payload["points"],
        title=correction_title(delivery),
        asked_at=delivery.asked_at,
    )


def look_before_order(delivery: Delivery) -> None:
    """Before each sending. Raises NotWanted where the engine did its part meanwhile, or where it is
    not certain any more that it did not."""
    still = shown_now(difference_of(delivery))
    if still is None:
        note_told(delivery)
        end(delivery, State.GONE)
        raise NotWanted
    if not still.is_certain:
        end(delivery, State.OPEN)
        raise NotWanted
    if not settings.ENGINE_KEYS_ORDERS:
        note_before(delivery)


def difference_of(delivery: Delivery) -> Difference:
    return Difference.objects.select_related("member").get(pk=delivery.payload["difference"])


def shown_now(row: Difference) -> Found | None:
    """As the engine shows it at this moment; None where it does not any more."""
    ours = ours_of([row.member], database_time())[row.member_id]
    shown = find_differences(Asker(engine(), lambda: True, clock_ahead()), ours)
    name = (row.kind, row.key)
    return next((each for each in shown if (each.kind.value, each.key) == name), None)


def is_correction_seen(delivery: Delivery) -> bool | None:
    member = Member.objects.get(pk=delivery.payload["member"])
    history = engine().customer(email=member.email, with_history=True).history
    if history is None:
        return None
    return any(correction_title(delivery) in row.title for row in history)


def note_repaired(delivery: Delivery) -> None:
    end(delivery, State.REPAIRED)


def note_told_again(delivery: Delivery) -> None:
    """The engine took an order that it did nothing with before."""
    note_told(delivery)
    note_repaired(delivery)


def note_not_repaired(delivery: Delivery) -> None:
    """It waits for a person among the deliveries; confirming it again sends that one again."""
    end(delivery, State.OPEN)


def end(delivery: Delivery, state: State) -> None:
    """And have the member read again when the repair shows."""
    rows = Difference.objects.filter(pk=delivery.payload["difference"])
    ended_at = None if state == State.OPEN else Now()
    rows.filter(state__in=[State.REPAIRING, State.OPEN]).update(state=state, ended_at=ended_at)
    soon = Now() + settle_time() + MARGIN + timedelta(seconds=1)
    Reading.objects.filter(member__in=rows.values("member")).update(again_at=soon)
