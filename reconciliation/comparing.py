"""What differs between our ledger and a member's history at the engine, and why.

What the history proves is `redemptions/evidence.py`'s to say; here its answers are put together.
Asks the database nothing. Where the facts can't decide, the cause says so, and where they need not
mean anything nothing is said: a difference that is invented costs a manager's time and trust.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from connectors.yotpo.payloads import CodeRecord, HistoryItem
from database.encryption import blind_index
from reconciliation.found import Found
from reconciliation.kinds import Kind
from reconciliation.ordering import compare_orders, rows_of_orders
from reconciliation.ours import Corrected, Ours
from reconciliation.refunded import compare_refunds
from redemptions.delayed import likely_cause
from redemptions.evidence import (
    GIVEN_BACK,
    Sight,
    given_back,
    has_code,
    is_anothers,
    is_marked_given_back,
    is_ours,
    is_reversal_row,
    plain,
    points_went,
    rows_since,
    suspects,
    unexplained_points,
)
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Deduction, Reason, State
from redemptions.timing import WHOLE_SECONDS

# An engine that acts later than this after it was asked does something else.
ACTS_WITHIN = timedelta(hours=1)
# What settling, a reversal or a manager has not ended yet is theirs.
OPEN_MATTERS = (*UNDER_WAY, State.DISPUTED, State.REVERSING)
# The order was told, and nobody has let the points go or had them taken.
NOT_GONE = (Deduction.TOLD, Deduction.MISSING)


@dataclass(frozen=True, slots=True)
class Titles:
    """What the engine's options are called, in `plain` words."""

    in_store: frozenset[str]
    everywhere: frozenset[str]


@dataclass(slots=True)
class Case:
    """One member, both sides, and what is not explained yet."""

    ours: Ours
    sight: Sight
    record_of: Callable[[str], CodeRecord | None]
    """A code's record at the engine; None where it does not know the code."""
    titles: Callable[[], Titles]
    held_by_others: Callable[[str], UUID | None]
    """The open redemption of another member that holds this code."""
    left: list[HistoryItem] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def explain(self, row: HistoryItem) -> None:
        """By identity: two rows may be alike."""
        self.left = [other for other in self.left if other is not row]

    def is_settled(self, moment: datetime) -> bool:
        return moment <= self.ours.cutoff

    def is_judged(self, row: HistoryItem) -> bool:
        """Not too fresh, and not from before what is compared."""
        at = time_of(row)
        skew = self.sight.skew
        since, until = self.ours.since + skew - WHOLE_SECONDS, self.ours.cutoff + skew
        return at is not None and since <= at <= until


def compare(case: Case) -> list[Found]:
    """Nothing where the engine sent no history: without it nothing is known."""
    if case.sight.customer.history is None:
        return []
    case.left = list(case.sight.history)
    compare_corrections(case)
    for redemption in case.ours.redemptions:
        compare_redemption(case, redemption)
    compare_foreign(case)
    earned = [row for row in case.left if row.points > 0]
    matches = rows_of_orders(case.ours, case.sight, earned)
    case.found += compare_orders(case.ours, case.sight, matches, earned)
    taken = [row for row in case.left if row.points < 0]
    case.found += compare_refunds(case.ours, case.sight, matches, taken)
    return case.found


# Corrections


def compare_corrections(case: Case) -> None:
    for correction in case.ours.corrections:
        seen = [row for row in case.left if correction.title in row.title]
        for row in seen:
            case.explain(row)
        if case.is_settled(correction.done_at) and correction.done_at >= case.ours.since:
            judge_correction(case, correction, len(seen))


def judge_correction(case: Case, correction: Corrected, times: int) -> None:
    if times == 1:
        return
    missing = times == 0
    case.found.append(
        Found(
            Kind.CORRECTION_MISSING if missing else Kind.CORRECTION_TWICE,
            str(correction.delivery_id),
            "The engine accepted the correction, and its history does not show it."
            if missing
            else "The correction was told again after an answer was lost, and counted each time.",
            ours={"title": correction.title, "points": correction.points},
            theirs={"times in the history": times},
            points=correction.points if missing else -correction.points * (times - 1),
        )
    )


# Redemptions of ours


def compare_redemption(case: Case, redemption: PendingRedemption) -> None:
    row = row_of(case, redemption)
    if row is not None:
        case.explain(row)
    settled = case.is_settled(redemption.changed_at) and redemption.requested_at >= case.ours.since
    if not settled or redemption.state in OPEN_MATTERS or is_corrected(case, redemption):
        return
    if row is not None and -row.points != redemption.points:
        report_cost(case, redemption, row)
    elif redemption.state == State.REVERSED:
        compare_reversed(case, redemption)
    elif row is None and redemption.state in (State.ISSUED, State.USED):
        compare_unseen(case, redemption)


def row_of(case: Case, redemption: PendingRedemption) -> HistoryItem | None:
    """The row that bears our code; a code can come again, so the nearest in time."""
    if not redemption.code:
        return None
    made = redemption.requested_at + case.sight.skew
    rows = [r for r in case.left if r.points < 0 and r.status == redemption.code]
    return min(rows, key=lambda row: abs((time_of(row) or made) - made), default=None)


def is_corrected(case: Case, redemption: PendingRedemption) -> bool:
    """A manager has given or taken its points by hand: the balance tells no more of it."""
    mine = str(redemption.id)
    return any(correction.redemption_id == mine for correction in case.ours.corrections)


def report_cost(case: Case, redemption: PendingRedemption, row: HistoryItem) -> None:
    taken = -row.points
    more = "more" if taken > redemption.points else "fewer"
    case.found.append(
        of_redemption(
            Kind.OTHER_COST,
            redemption,
            f"The engine took {more} points than the price that the associate agreed to: "
            "the offer's price changed there in that moment, or its record was changed by hand.",
            theirs=facts_of_row(row),
            points=max(taken - redemption.points, 0),
        )
    )


def compare_unseen(case: Case, redemption: PendingRedemption) -> None:
    """A code that is open or used, and no row of the history bears it."""
    if redemption.delayed:
        compare_delayed(case, redemption)
        return
    marked = [row for row in case.left if is_marked_given_back(row, redemption, case.sight.skew)]
    unnamed = [row for row in suspects(redemption, case.sight) if not has_code(row)]
    if marked:
        case.explain(marked[0])
        report_unasked(case, redemption, marked[0])
    elif unnamed:
        # Not every account shows the code, and one that is pending proves nothing yet.
        case.explain(unnamed[0])
    else:
        ask_for_code(case, redemption)


def report_unasked(case: Case, redemption: PendingRedemption, row: HistoryItem) -> None:
    sale = next((o.sale for o in case.ours.orders if o.sale.order_id == redemption.sale), None)
    if sale is not None and (sale.voided_at is not None or sale.refunded_cents):
        return  # a refund gives the points back
    case.found.append(
        of_redemption(
            Kind.GIVEN_BACK_UNASKED,
            redemption,
            "The engine gave the points back and we did not ask for it: the shopper asked for it "
            "in the web shop, or somebody did it in the engine's admin.",
            theirs=facts_of_row(row),
            points=-redemption.points if redemption.state == State.USED else 0,
        )
    )


def ask_for_code(case: Case, redemption: PendingRedemption) -> None:
    record = case.record_of(redemption.code)
    if record is None:
        case.found.append(
            of_redemption(
                Kind.NOT_AT_ENGINE,
                redemption,
                "Neither the history nor the engine's codes have it: the engine lost what it had "
                "answered, or our database was put back from another account's.",
                theirs={"code": "unknown"},
            )
        )
    elif is_anothers(redemption, record):
        case.found.append(elsewhere(redemption, record))


def elsewhere(redemption: PendingRedemption, record: CodeRecord) -> Found:
    return of_redemption(
        Kind.CODE_ELSEWHERE,
        redemption,
        "The engine handed this code out a second time, to another member or for another "
        "redemption: a code of the pool that came again.",
        theirs={"redemption": record.redemption_id},
    )


def compare_delayed(case: Case, redemption: PendingRedemption) -> None:
    """Its points go when its order is processed. A manager decides it at the redemption itself."""
    order = next((o for o in case.ours.orders if o.sale.order_id == redemption.sale), None)
    if order is None or not case.is_settled(order.done_at):
        return
    if redemption.deduction in NOT_GONE and not points_went(redemption, case.sight):
        case.found.append(
            of_redemption(
                Kind.DELAYED_NOT_TAKEN,
                redemption,
                likely_cause(redemption, case.sight),
                theirs={"balance": case.sight.customer.points_balance},
                sale_id=order.sale.pk,
            )
        )


# Points that we gave back


def compare_reversed(case: Case, redemption: PendingRedemption) -> None:
    attempted = redemption.first_reversal_attempt_at
    if attempted is None or redemption.reason in (Reason.LET_GO, Reason.BY_MANAGER):
        return
    alone = is_alone(redemption, case.ours.redemptions)
    refunded = is_refunded_beside(case, redemption)
    times, by_rows = times_given_back(redemption, case.sight, alone=alone, refunded=refunded)
    facts = {
        "balance": case.sight.customer.points_balance,
        "balance before": redemption.balance_before_reversal,
    }
    if times is None:
        return
    by_hand = made_good(case, redemption)
    times += by_hand
    if times > 1:
        case.found.append(
            of_redemption(
                Kind.GIVEN_BACK_TWICE,
                redemption,
                (
                    "The engine gave them back after all, and a correction of ours had given them."
                    if by_hand
                    else "The cancellation was asked for again after its answer was lost, and the "
                    "engine did it each time."
                )
                + ("" if by_rows else " Only the balance shows it."),
                theirs=facts | {"times": times},
                points=-redemption.points * (times - 1),
                is_certain=by_rows,
            )
        )
    elif times == 0 and is_nothing_given_back(redemption, case.sight):
        case.found.append(
            of_redemption(
                Kind.NOT_GIVEN_BACK,
                redemption,
                "The engine accepted the cancellation and did not carry it out.",
                theirs=facts | {"the history shows the code": True},
                points=redemption.points,
            )
        )


def made_good(case: Case, redemption: PendingRedemption) -> int:
    """How often corrections of ours have given its points, less how often they took them."""
    mine = [c for c in case.ours.corrections if c.repaired_id == str(redemption.id)]
    return sum(c.points for c in mine) // redemption.points


def is_nothing_given_back(redemption: PendingRedemption, sight: Sight) -> bool:
    """Neither its own points nor what could be another's of theirs."""
    return given_back(redemption, sight, alone=True) is False


def times_given_back(
    redemption: PendingRedemption, sight: Sight, *, alone: bool, refunded: bool = False
) -> tuple[int | None, bool]:
    """How often, and whether rows show it; None where reading can't tell."""
    if redemption.newest_row_before_reversal is None:
        return None, False
    new = rows_since(redemption, sight.history)
    rows = sum(is_reversal_row(row, redemption, alone=alone) for row in new)
    # One that was made and given back since moved nothing.
    counted = [row for row in new if not (row.points < 0 and row.status.lower() in GIVEN_BACK)]
    moved = unexplained_points(redemption, sight.customer, counted) or 0
    by_balance = moved // redemption.points if moved > 0 and alone and not refunded else 0
    if by_balance * redemption.points != moved:
        by_balance = 0
    return rows + by_balance, rows > 1


def is_alone(redemption: PendingRedemption, others: Iterable[PendingRedemption]) -> bool:
    """As PendingRedemption.is_reversed_alone, of rows that were read already."""
    since = redemption.first_reversal_attempt_at or redemption.changed_at
    return not any(
        other.pk != redemption.pk
        and other.first_reversal_attempt_at is not None
        and (other.state == State.REVERSING or other.changed_at >= since)
        for other in others
    )


def is_refunded_beside(case: Case, redemption: PendingRedemption) -> bool:
    """As PendingRedemption.is_refunded_beside."""
    told = case.ours.member.refund_told_at
    return told is not None and told >= redemption.is_moved_by_refunds_from


# Points that went for codes which no row of this member has


def compare_foreign(case: Case) -> None:
    foreign = [row for row in case.left if bears_code(row) and case.is_judged(row)]
    for row in foreign:
        if not is_open_matter(case, row):
            judge_foreign(case, row, foreign)


def bears_code(row: HistoryItem) -> bool:
    return row.points < 0 and has_code(row) and row.status.lower() not in GIVEN_BACK


def is_open_matter(case: Case, row: HistoryItem) -> bool:
    """It may be what settling or a manager is still looking for."""
    return any(
        row in suspects(redemption, case.sight, later=ACTS_WITHIN)
        for redemption in case.ours.redemptions
        if redemption.state in OPEN_MATTERS
    )


def judge_foreign(case: Case, row: HistoryItem, foreign: Sequence[HistoryItem]) -> None:
    record = case.record_of(row.status)
    late = [r for r in not_made(case) if is_late(case, r, row, record)]
    if late:
        case.found.append(late_commit(case, late, row, record, foreign))
    elif other := case.held_by_others(row.status):
        case.found.append(held_elsewhere(other, row))
    else:
        case.found.append(online_or_unknown(case, row, record))


def not_made(case: Case) -> list[PendingRedemption]:
    """What a manager said to be not made stays so: they saw the candidates."""
    return [
        r
        for r in case.ours.redemptions
        if r.state == State.NOT_MADE and r.reason != Reason.BY_MANAGER
    ]


def is_late(
    case: Case, redemption: PendingRedemption, row: HistoryItem, record: CodeRecord | None
) -> bool:
    """What was there before we called it not made, settling has seen, and found to be another's."""
    if record is None or row not in suspects(redemption, case.sight, later=ACTS_WITHIN):
        return False
    is_known = redemption.engine_id is not None and record.redemption_id == redemption.engine_id
    at, said = time_of(row), redemption.changed_at + case.sight.skew - WHOLE_SECONDS
    return is_ours(redemption, row, record) and (is_known or (at is not None and at >= said))


def late_commit(
    case: Case,
    late: Sequence[PendingRedemption],
    row: HistoryItem,
    record: CodeRecord | None,
    foreign: Sequence[HistoryItem],
) -> Found:
    """Of several that it could be the first is named; the cause says that it can't be told."""
    redemption = late[0]
    alike = [r for r in foreign if is_late(case, redemption, r, record)]
    sure = record is not None and redemption.engine_id in {record.redemption_id, None}
    is_certain = sure and len(late) == 1 and len(alike) == 1
    used = row.status in case.ours.codes_at_tills
    return of_redemption(
        Kind.LATE_COMMIT,
        redemption,
        "The engine acted on our request after we had stopped waiting and had called it not made."
        + (" A sale of ours has the code." if used else "")
        + ("" if is_certain else " Can't tell which of several like it this one is."),
        theirs=facts_of_code(row, record) | {"taken at a till": used},
        is_certain=is_certain,
        key=f"{redemption.id.hex[:24]}{key_of_row(row)[:32]}",
    )


def held_elsewhere(redemption_id: UUID, row: HistoryItem) -> Found:
    return Found(
        Kind.CODE_ELSEWHERE,
        key_of_row(row),
        "This member was given a code that is open here for another member.",
        ours={"open for another member": str(redemption_id)},
        theirs=facts_of_row(row),
        redemption_id=redemption_id,
    )


IN_THAT_MINUTE = (
    "Can't tell: the member's own, made in the minute in which we asked for one like it that we "
    "called not made; or that one, shown late."
)
IN_STORE = (
    "An in-store offer was redeemed, and not by us: by the member, by another system, or by a row "
    "that our database lost."
)
NOT_ON_OFFER = (
    "Can't tell whether the member redeemed in the web shop or another system did: no offer is "
    "called so now."
)


def online_or_unknown(case: Case, row: HistoryItem, record: CodeRecord | None) -> Found:
    titles, title = case.titles(), plain(row.title)
    at_till = row.status in case.ours.codes_at_tills
    ours = {"code": "taken in a sale of ours" if at_till else "no row has it"}
    theirs = facts_of_code(row, record) | {"taken at a till": at_till}
    if title in titles.everywhere - titles.in_store:
        cause = "The member redeemed in the web shop: no till offers this."
        return Found(Kind.ONLINE, key_of_row(row), cause, ours, theirs)
    if at_till:
        # As shops let their members do it: on the phone, and the code is shown at the till.
        cause = "The member redeemed by themselves, and a sale of ours has the code."
        return Found(Kind.ONLINE, key_of_row(row), cause, ours, theirs)
    in_that_minute = any(row in suspects(r, case.sight) for r in not_made(case))
    known = title in titles.in_store
    cause = IN_THAT_MINUTE if in_that_minute else IN_STORE if known else NOT_ON_OFFER
    return Found(
        Kind.UNKNOWN_CODE,
        key_of_row(row),
        cause,
        ours,
        theirs,
        points=-row.points,
        is_certain=known and not in_that_minute,
    )


# Facts


def of_redemption(kind: Kind, redemption: PendingRedemption, cause: str, **more: Any) -> Found:
    return Found(
        kind,
        more.pop("key", str(redemption.id)),
        cause,
        ours=facts_of(redemption),
        redemption_id=redemption.id,
        **more,
    )


def facts_of(redemption: PendingRedemption) -> dict[str, Any]:
    return {
        "offer": redemption.offer_name,
        "points": redemption.points,
        "state": redemption.state,
        "code": redemption.code,
        "engine's id": redemption.engine_id,
        "asked at": redemption.requested_at.isoformat(timespec="seconds"),
    }


def facts_of_row(row: HistoryItem) -> dict[str, Any]:
    at = time_of(row)
    return {
        "title": row.title,
        "points": row.points,
        "status": row.status,
        "at": at.isoformat(timespec="seconds") if at else None,
    }


def facts_of_code(row: HistoryItem, record: CodeRecord | None) -> dict[str, Any]:
    """With what a repair would adopt."""
    return facts_of_row(row) | {"redemption": record.redemption_id if record else None}


def key_of_row(row: HistoryItem) -> str:
    at = time_of(row)
    return blind_index(f"{row.status} {at.isoformat() if at else ''}")


def time_of(row: HistoryItem) -> datetime | None:
    """Where only the day is told: its end, so that nothing is judged too early."""
    if row.created_at is not None or row.on is None:
        return row.created_at
    return datetime.combine(row.on, time.max, UTC)
