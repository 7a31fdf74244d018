"""Reading one member at the engine, and writing down what differs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from connectors.errors import NotFound
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import CodeRecord
from reconciliation.comparing import Case, Titles, compare
from reconciliation.due import AGAIN_AFTER
from reconciliation.found import Found
from reconciliation.kinds import STANDING, Kind, Repair, State
from reconciliation.models import Difference, Reading
from reconciliation.ours import Ours
from redemptions.evidence import Sight, plain, skew_of
from redemptions.models import PendingRedemption
from redemptions.states import State as Redeemed

log = structlog.get_logger(__name__)


class NoTurn(Exception):
    """Background work has to stand back just now: nothing was asked."""


@dataclass(slots=True)
class Asker:
    """Asks the engine, and counts. `may_ask` waits for a turn and says whether it came."""

    engine: Yotpo
    may_ask: Callable[[], bool]
    clock_ahead: timedelta = timedelta(0)
    """The database's clock less this machine's."""
    calls: int = 0
    balance: int | None = None
    """Of the member who was looked at last."""
    _titles: Titles | None = None
    _records: dict[str, CodeRecord | None] = field(default_factory=dict)

    def look(self, ours: Ours) -> Sight:
        self._take_turn()
        customer = self.engine.customer(email=ours.member.email, with_history=True)
        self.balance = customer.points_balance
        received = customer.received_at or ours.cutoff
        return Sight(customer, skew_of(customer, received + self.clock_ahead))

    def record_of(self, code: str) -> CodeRecord | None:
        """None where the engine does not know the code."""
        if code not in self._records:
            self._take_turn()
            try:
                self._records[code] = self.engine.redemption_code(code)
            except NotFound:
                self._records[code] = None
        return self._records[code]

    def titles(self) -> Titles:
        """Asked once, for all members of a run."""
        if self._titles is None:
            self._take_turn()
            everywhere = self.engine.options(in_store=False)
            self._take_turn()
            in_store = self.engine.options()
            self._titles = Titles(
                frozenset(plain(option.name) for option in in_store),
                frozenset(plain(option.name) for option in everywhere),
            )
        return self._titles

    def forget(self) -> None:
        """Records are one member's; codes can come again."""
        self._records.clear()

    def _take_turn(self) -> None:
        if not self.may_ask():
            raise NoTurn
        self.calls += 1


@dataclass(frozen=True, slots=True)
class Written:
    found: int
    gone: int


def find_differences(asker: Asker, ours: Ours) -> list[Found]:
    """As things stand now. Raises OutsideError where the engine can't be read, and NoTurn."""
    asker.forget()
    sight = asker.look(ours)
    found = compare(
        Case(
            ours,
            sight,
            asker.record_of,
            asker.titles,
            lambda code: open_elsewhere(code, ours.member.pk),
        )
    )
    return list({(each.kind, each.key): each for each in found}.values())


def open_elsewhere(code: str, member_id: UUID) -> UUID | None:
    """An open redemption of another member that holds this code, as the engine writes it."""
    rows = PendingRedemption.objects.filter(code=code, state=Redeemed.ISSUED)
    return rows.exclude(member_id=member_id).values_list("pk", flat=True).first()


def read_member(asker: Asker, ours: Ours) -> Written:
    """Raises OutsideError where the engine can't be read, and NoTurn; nothing is written then."""
    before = asker.calls
    found = find_differences(asker, ours)
    return write(ours, found, asker.calls - before)


def write(ours: Ours, found: list[Found], calls: int) -> Written:
    """The differences and that the member was read: both, or neither."""
    with transaction.atomic():
        known = {
            (row.kind, row.key): row
            for row in Difference.objects.select_for_update().filter(member=ours.member)
        }
        new = [each for each in found if (each.kind, each.key) not in known]
        Difference.objects.bulk_create([made(ours, each) for each in new])
        for each in found:
            if row := known.get((each.kind, each.key)):
                see_again(row, each, ours.cutoff)
        shown = {(each.kind, each.key) for each in found}
        over = [
            row.pk
            for name, row in known.items()
            if name not in shown and row.state in STANDING and row.state != State.REPAIRING
        ]
        gone = Difference.objects.filter(pk__in=over).update(state=State.GONE, ended_at=Now())
        note_read(ours, calls)
    for each in new:
        log.info("difference.found", kind=each.kind.value, member=str(ours.member.pk))
    return Written(len(new), gone)


def made(ours: Ours, found: Found) -> Difference:
    row = Difference(member=ours.member, kind=found.kind, key=found.key, state=state_of(found))
    fill(row, found)
    return row


def state_of(found: Found) -> State:
    return State.EXPLAINED if found.kind == Kind.ONLINE else State.OPEN


def fill(row: Difference, found: Found) -> None:
    row.redemption_id, row.sale_id = found.redemption_id, found.sale_id
    row.ours, row.theirs, row.points = found.ours, found.theirs, found.points
    row.cause, row.is_certain = found.cause, found.is_certain


# A correction changes the balance and not what came about: the comparison would show it for ever.


def see_again(row: Difference, found: Found, cutoff: datetime) -> None:
    """What a manager left as it is stays so; a repair that did not help is open again."""
    failed = (
        row.state == State.REPAIRED
        and row.repair != Repair.CORRECT
        and row.ended_at is not None
        and row.ended_at <= cutoff
    )
    if row.state == State.GONE or failed:
        row.state, row.ended_at = state_of(found), None
    if row.state in STANDING:
        fill(row, found)
        row.last_seen_at = Now()
        row.save()


def note_read(ours: Ours, calls: int) -> None:
    waiting = Q(state__in=[State.OPEN, State.REPAIRING])
    is_open = Difference.objects.filter(waiting, member=ours.member).exists()
    Reading.objects.update_or_create(
        member=ours.member,
        defaults={
            "read_at": Now(),
            "covers": ours.cutoff,
            "again_at": Now() + AGAIN_AFTER if is_open else None,
            "calls": calls,
        },
    )
