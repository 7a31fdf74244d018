"""What a manager can do about a difference: previewed on facts that are read at that moment, then
confirmed with a reason. It goes through the doors that there are: the outbox, and the undo of a
redemption. A second time changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from audit.record import By
from connectors.errors import OutsideError
from connectors.yotpo.client import Yotpo
from outbox.ledger import enqueue, find, send_again
from outbox.models import Delivery
from outbox.states import State as Told
from reconciliation.found import Found
from reconciliation.kinds import Kind, Repair, State
from reconciliation.models import Difference
from reconciliation.ours import CORRECTION, ORDER_AGAIN, order_of_member, ours_of
from reconciliation.reading import Asker, find_differences
from reconciliation.timing import clock_ahead, database_time
from redemptions.models import PendingRedemption
from redemptions.states import Reason
from redemptions.states import State as Redeemed
from sales.models import Sale

log = structlog.get_logger(__name__)


class CannotRepair(Exception):
    """`str()` tells the manager why, and what to do."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be done, on which facts. Points are the member's balance."""

    found: Found
    repair: Repair | None
    words: str
    points_before: int
    points_after: int

    @property
    def fingerprint(self) -> str:
        return self.found.fingerprint()


class Changed(Exception):
    """The facts are others than those that the manager has seen; `preview` has the present ones."""

    def __init__(self, preview: Preview) -> None:
        super().__init__("What the engine shows has changed since. Look again, then confirm.")
        self.preview = preview


# Its points are put right by one adjustment with a reference in its title.
CORRECTED = {
    Kind.NOT_GIVEN_BACK,
    Kind.GIVEN_BACK_TWICE,
    Kind.GIVEN_BACK_UNASKED,
    Kind.OTHER_COST,
    Kind.ORDER_TWICE,
    Kind.REFUND_NOT_PROCESSED,
    Kind.CORRECTION_MISSING,
    Kind.CORRECTION_TWICE,
}


NO_REPAIR = {
    Kind.DELAYED_NOT_TAKEN: "Its redemption asks for a manager: have the points taken, or let them "
    "go, there.",
}


def repair_of(found: Found) -> Repair | None:
    """None where nothing is safe: a person looks at it, and marks it as seen."""
    if found.kind in CORRECTED:
        return Repair.CORRECT if found.points else None
    if not found.is_certain:
        return None
    if found.kind == Kind.ORDER_NOT_PROCESSED:
        return Repair.SEND_ORDER
    adoptable = found.theirs.get("redemption") is not None
    if found.kind in (Kind.LATE_COMMIT, Kind.UNKNOWN_CODE) and adoptable:
        return None if found.theirs["taken at a till"] else Repair.GIVE_BACK
    return None


def preview(engine: Yotpo, difference: Difference) -> Preview:
    """Reads the engine now and writes nothing. Raises CannotRepair."""
    if difference.state != State.OPEN:
        raise CannotRepair(f"It is not open any more: {difference.get_state_display()}.")
    asker = Asker(engine, lambda: True, clock_ahead())
    ours = ours_of([difference.member], database_time())[difference.member_id]
    try:
        found = find_differences(asker, ours)
    except OutsideError as error:
        raise CannotRepair(f"The engine can't be read now: {error}. Try again later.") from None
    name = (difference.kind, difference.key)
    same = next((each for each in found if (each.kind.value, each.key) == name), None)
    if same is None:
        raise CannotRepair("The engine does not show it any more: the next reading ends it.")
    return described(same, asker.balance or 0)


def described(found: Found, balance: int) -> Preview:
    repair = repair_of(found)
    moved = 0
    words = NO_REPAIR.get(found.kind, "There is no safe repair. Look at both sides.")
    if repair == Repair.CORRECT:
        moved = found.points
        verb = "given" if moved > 0 else "taken"
        words = (
            f"{abs(moved):,} points are {verb} by one adjustment with a reference in its title, so "
            "that it is found and not repeated. It is read once more before it is sent."
        )
    elif repair == Repair.GIVE_BACK:
        moved = -int(found.theirs["points"])
        words = (
            "The redemption is taken into our ledger and undone: the engine ends its code and "
            f"gives {moved:,} points back. Ask the member first: a code of their own would end."
        )
    elif repair == Repair.SEND_ORDER:
        words = (
            "The member is read once more, then the order is sent again under the same id. Where "
            "the account's status word is wrong, put that right in the engine's settings first, or "
            "it will do nothing again."
        )
    return Preview(found, repair, words, balance, balance + moved)


def confirm(engine: Yotpo, difference: Difference, fingerprint: str, by: By) -> Repair:
    """Do what was previewed, if the facts are still those. Raises Changed or CannotRepair."""
    now = preview(engine, difference)
    if now.fingerprint != fingerprint:
        raise Changed(now)
    if now.repair is None:
        raise CannotRepair(now.words)
    with transaction.atomic(durable=True):
        row = Difference.objects.select_for_update().get(pk=difference.pk)
        if row.state != State.OPEN:
            raise CannotRepair("Somebody else was quicker: look how it stands now.")
        state = carry_out(row, now)
        decide(row, state, by, repair=now.repair)
        by.record(
            f"difference.repaired.{now.repair.value}",
            row,
            before={"state": State.OPEN, "balance": now.points_before},
            after={"state": state, "points": now.points_after - now.points_before},
        )
    log.info("difference.repair", difference=row.pk, repair=now.repair.value)
    return now.repair


def dismiss(difference: Difference, by: By) -> None:
    """A manager saw it and leaves it as it is. Raises CannotRepair."""
    with transaction.atomic(durable=True):
        row = Difference.objects.select_for_update().get(pk=difference.pk)
        if row.state != State.OPEN:
            raise CannotRepair("It is not open any more: look how it stands now.")
        decide(row, State.DISMISSED, by)
        by.record(
            "difference.dismissed",
            row,
            before={"state": State.OPEN},
            after={"state": State.DISMISSED},
        )


def decide(row: Difference, state: State, by: By, *, repair: str = "") -> None:
    Difference.objects.filter(pk=row.pk).update(
        state=state,
        ended_at=None if state == State.REPAIRING else Now(),
        decided_by=by.who.name,
        reason=by.reason,
        repair=repair,
    )


def carry_out(row: Difference, decided: Preview) -> State:
    """Where it stands then."""
    match decided.repair:
        case Repair.CORRECT:
            payload = {"member": str(row.member_id), "points": decided.found.points}
            if decided.found.redemption_id is not None:
                payload["repaired"] = str(decided.found.redemption_id)
            promise(CORRECTION, row, payload, order_of_member(row.member_id))
            return State.REPAIRING
        case Repair.SEND_ORDER:
            sale = Sale.objects.get(order_id=str(decided.found.ours["order"]))
            promise(ORDER_AGAIN, row, sale.facts(), f"sale:{sale.pk}")
            return State.REPAIRING
        case _:
            adopt(row, decided.found)
            return State.REPAIRED


def promise(kind: str, row: Difference, payload: dict[str, Any], order_by: str) -> Delivery:
    """One for each time that it was opened: a reading opens it again where this did not help.

    Raises CannotRepair where the one of before is not over yet.
    """
    over = Delivery.objects.filter(
        kind=kind, payload__difference=row.pk, state__in=[Told.DONE, Told.WITHDRAWN]
    )
    key = f"difference-{row.pk}-{over.count() + 1}"
    tried = find(kind, key)
    if tried is not None:
        if not send_again(tried):
            raise CannotRepair("An earlier repair is still under way: look again in a minute.")
        return tried
    return enqueue(
        kind=kind,
        key=key,
        installation_id=installation_of(row),
        payload={**payload, "difference": row.pk},
        order_by=order_by,
    )


def installation_of(row: Difference) -> str:
    """The one where it happened, else where the member was served last."""
    if row.redemption is not None:
        return row.redemption.installation_id
    if row.sale is not None:
        return row.sale.installation_id
    redemptions = PendingRedemption.objects.filter(member_id=row.member_id)
    sales = Sale.objects.filter(member_id=row.member_id)
    last = sales.order_by("-recorded_at").first() or redemptions.order_by("-requested_at").first()
    if last is None:
        raise CannotRepair("No act of ours tells where this member was served.")
    return last.installation_id


def adopt(row: Difference, found: Found) -> None:
    """Into our ledger, on its way back: the worker gives back its points as those of any other."""
    theirs = found.theirs
    code, engine_id = theirs["status"], theirs["redemption"]
    try:
        with transaction.atomic():
            if found.redemption_id is not None:
                late = PendingRedemption.objects.get(pk=found.redemption_id)
                if not late.move(
                    Redeemed.REVERSING,
                    Reason.LATE_REPLY,
                    only_from=[Redeemed.NOT_MADE],
                    code=code,
                    engine_id=engine_id,
                ):
                    raise CannotRepair("The redemption stands elsewhere now: look at it first.")
                return
            PendingRedemption.objects.create(
                installation_id=installation_of(row),
                member_id=row.member_id,
                act_key=f"difference-{row.pk}",
                offer_id=0,  # the history names the offer by its title alone
                offer_name=theirs["title"][:255],
                offer_kind="custom",
                points=-int(theirs["points"]),
                currency="",
                state=Redeemed.REVERSING,
                reason=Reason.BY_MANAGER,
                code=code,
                engine_id=engine_id,
                requested_at=datetime.fromisoformat(theirs["at"]),
                withdrawn_at=Now(),
            )
    except IntegrityError:
        raise CannotRepair("Another redemption holds this code: look at that one first.") from None
