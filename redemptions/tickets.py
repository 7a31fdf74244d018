"""What a POS's page says of its tickets, over the bridge: which codes are on them, and their end.

It is a browser's word. It drives leases and is evidence that nobody takes a code any more; that a
sale has a code, only the sale itself proves (`redemptions.use`). Said twice it changes nothing.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.record import By
from redemptions import life
from redemptions.models import PendingRedemption
from redemptions.states import State
from stores.models import Store

log = structlog.get_logger(__name__)

MOST_CODES = 50


class Event(StrEnum):
    """The bridge's words (docs/bridge.md)."""

    CHANGED = "cart.changed"
    REMOVED = "discount.removed"
    COMPLETED = "sale.completed"
    VOIDED = "sale.voided"
    PARKED = "sale.parked"
    RESUMED = "sale.resumed"


@dataclass(frozen=True)
class Ticket:
    """A sale at the POS, open or just ended, with the codes that are on it; None where untold."""

    store: Store
    id: str
    codes: Collection[str] | None = ()

    def has(self, redemption: PendingRedemption) -> bool:
        if self.codes is None:
            # What was put on it, and not taken off, still is.
            return not life.is_withdrawn(redemption)
        return redemption.code.upper() in {code.upper() for code in self.codes}


Step = Callable[[PendingRedemption, Ticket], str]
"""What it did, as a word for the trail; empty where there was nothing to do."""


def hear(event: Event, ticket: Ticket, by: By) -> list[PendingRedemption]:
    """Do what follows for the codes of this ticket. Those that changed.

    Only what was made in the same store is touched, whatever a page says. Without the ticket's id
    only what a till took off is known: codes that wait for a sale have no ticket either.
    """
    if not ticket.id and event != Event.REMOVED:
        return []
    if ticket.codes is None and event in (Event.CHANGED, Event.REMOVED):
        return []
    changed = []
    with transaction.atomic():
        if event == Event.VOIDED:
            return void(ticket, by)
        for redemption in concerned(ticket):
            before = facts(redemption)
            done = STEPS[event](redemption, ticket)
            if done:
                by.record(f"redemption.{done}", redemption, before=before, after=facts(redemption))
                changed.append(redemption)
    return changed


def concerned(ticket: Ticket) -> Iterable[PendingRedemption]:
    """Issued ones of that ticket, and those whose code is on it. Locked in a sale's order."""
    named = PendingRedemption.objects.with_codes(list(ticket.codes or ())[:MOST_CODES]).values("pk")
    theirs = Q(pk__in=named) | (Q(ticket=ticket.id) & ~Q(ticket=""))
    return list(
        PendingRedemption.objects.select_for_update(of=("self",))
        .select_related("installation")
        .filter(made_in(ticket.store), theirs, state=State.ISSUED)
        .order_by("pk")
    )


def made_in(store: Store) -> Q:
    return Q(installation_id=store.installation_id) & (Q(store=store) | Q(store=None))


def facts(redemption: PendingRedemption) -> dict[str, object]:
    return {
        "ticket": redemption.ticket,
        "applied_at": redemption.applied_at,
        "gone_at": redemption.gone_at,
        "frozen_until": redemption.frozen_until,
        "claimed_used_at": redemption.claimed_used_at,
    }


def void(ticket: Ticket, by: By) -> list[PendingRedemption]:
    """Of an open ticket. That a sale is void which a page called completed, its report must say."""
    store = ticket.store
    still_open = made_in(store) & life.UNSOLD
    return life.void_ticket(store.installation, ticket.id, by=by, of=still_open)


def is_on(redemption: PendingRedemption, ticket_id: str) -> bool:
    """Whether that is known already."""
    is_applied = redemption.applied_at is not None and redemption.withdrawn_at is None
    return is_applied and redemption.ticket == ticket_id


def note_cart(redemption: PendingRedemption, ticket: Ticket) -> str:
    if ticket.has(redemption):
        if is_on(redemption, ticket.id):
            return ""
        life.bind(redemption, ticket.id)
        life.note_applied(redemption)
        return "applied"
    if redemption.gone_at is not None:
        return ""
    if redemption.applied_at is not None:
        life.note_removed(redemption)
        return "removed"
    # It was never on: it may still be put on, until its time is up.
    return "missed" if life.note_missing(redemption) else ""


def note_removed(redemption: PendingRedemption, ticket: Ticket) -> str:
    # What one till takes off its sale may be on another's.
    of_another = redemption.ticket not in {"", ticket.id}
    if of_another or not ticket.has(redemption) or redemption.gone_at is not None:
        return ""
    life.note_removed(redemption)
    return "removed"


def note_completed(redemption: PendingRedemption, ticket: Ticket) -> str:
    if not ticket.has(redemption):
        if redemption.gone_at is not None or ticket.codes is None:
            return ""
        # The sale went without it.
        life.note_removed(redemption)
        return "removed"
    if redemption.claimed_used_at is not None:
        return ""
    life.bind(redemption, ticket.id)
    life.claim_used(redemption)
    return "claimed_used"


def park(redemption: PendingRedemption, ticket: Ticket) -> str:
    before = redemption.frozen_until
    life.park(redemption)
    return "parked" if redemption.frozen_until != before else ""


def resume(redemption: PendingRedemption, ticket: Ticket) -> str:
    return "resumed" if life.resume(redemption) else ""


STEPS: dict[Event, Step] = {
    Event.CHANGED: note_cart,
    Event.REMOVED: note_removed,
    Event.COMPLETED: note_completed,
    Event.PARKED: park,
    Event.RESUMED: resume,
}


def applied(redemption: PendingRedemption, ticket: str, by: By) -> bool:
    """The POS answered that it put the code on the ticket. False where it must take it off again.

    The database's clock dates it.
    """
    with transaction.atomic():
        # A cart that has it may have told a moment ago.
        was_known = is_on(redemption, ticket or redemption.ticket)
        if ticket:
            life.bind(redemption, ticket)
        counts = life.note_applied(redemption)
        if counts and not was_known:
            after = {"ticket": redemption.ticket, "applied_at": redemption.applied_at}
            by.record("redemption.applied", redemption, after=after)
    if not counts:
        log.warning("redemption.applied_too_late", redemption=str(redemption.id))
    return counts


def keep(redemption: PendingRedemption, by: By) -> None:
    """It was taken off by mistake. Raises NoLongerCounts."""
    with transaction.atomic():
        before = facts(redemption)
        if life.keep(redemption):
            by.record("redemption.kept", redemption, before=before, after=facts(redemption))


def removed(redemption: PendingRedemption) -> bool:
    """Whether it was taken off its ticket, and can still be kept."""
    return (
        redemption.gone_at is not None
        and PendingRedemption.objects.filter(
            pk=redemption.pk, state=State.ISSUED, gone_at__gt=Now() - life.TO_KEEP
        ).exists()
    )
