"""Why a member's points are what they are: the engine's history beside our own records.

Pure: it reads objects and asks nobody. The history names neither sales nor refunds. Which row is
of which is said only where time and title leave no choice; else it stays what the engine calls it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from connectors.yotpo.payloads import HistoryItem
from outbox.states import State as Delivered
from redemptions.evidence import (
    GIVEN_BACK,
    Sight,
    has_code,
    is_marked_given_back,
    is_reversal_row,
    plain,
    suspects,
)
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.timing import WHOLE_SECONDS, deadline, settle_time
from sales import why_words as words
from sales.earned import Span
from sales.models import Refund, Sale

# The engine names no kind, so that a row is of a purchase is read from its title.
OF_A_PURCHASE = ("order", "purchase", "bought", "spen")
OF_A_REFUND = ("refund",)
# Nothing came of these, so they explain nothing.
WITHOUT_POINTS = (State.REFUSED, State.NOT_MADE)


@dataclass(frozen=True, slots=True)
class Told:
    """An order or a refund on its way to the engine.

    `span` is from its first attempt to its last, by our clock; None before any.
    """

    state: str
    span: Span | None = None

    @property
    def at_work(self) -> Span | None:
        """When the engine may have done its part."""
        return self.span and self.span.widened(WHOLE_SECONDS, deadline() + settle_time())

    def holds(self, moment: datetime) -> bool:
        return self.at_work is not None and self.at_work.holds(moment)

    def is_near(self, other: "Told") -> bool:
        """Which of the two a row is of can't be told by its time."""
        mine, theirs = self.at_work, other.at_work
        if mine is None or theirs is None:
            return False
        return mine.since <= theirs.until and theirs.since <= mine.until


UNTOLD = Told(Delivered.PENDING)


@dataclass(frozen=True, slots=True)
class Correction:
    """Points given or taken by hand; `title` is found in the history."""

    title: str
    what: str
    sale: Sale | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """What we know of one member. `told` is by the order's or the refund's id at the engine."""

    redemptions: Sequence[PendingRedemption] = ()
    sales: Sequence[Sale] = ()
    refunds: Sequence[Refund] = ()
    corrections: Sequence[Correction] = ()
    told: Mapping[str, Told] = field(default_factory=dict)

    def told_of(self, key: str) -> Told:
        return self.told.get(key, UNTOLD)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a balance, or why there was none. `points` is None where none show.

    `at` is by our clock; where the engine tells the day alone it is None, and `on` that day.
    `rule` is what the engine calls it.
    """

    what: str
    known: str
    points: int | None = None
    rule: str = ""
    at: datetime | None = None
    on: date | None = None
    sale: Sale | None = None

    @property
    def moment(self) -> datetime:
        """For the order: of a day its end."""
        if self.at is not None:
            return self.at
        return datetime.combine(self.on or date.min, time.max, UTC)


def changes(records: Records, sight: Sight | None) -> list[Change]:
    """Newest first. Without a `sight`, or where it has no history, our own records alone."""
    case = Case(records, sight, list(sight.history) if sight else [])
    for correction in records.corrections:
        case.explain_correction(correction)
    for redemption in records.redemptions:
        case.explain_redemption(redemption)
    for refund in records.refunds:
        case.explain_refund(refund)
    for sale in records.sales:
        case.explain_sale(sale)
    for row in case.left:
        case.found.append(unexplained(row, case))
    return sorted(case.found, key=lambda change: change.moment, reverse=True)


@dataclass(slots=True)
class Case:
    """Both sides, and the rows that nothing of ours explains yet."""

    records: Records
    sight: Sight | None
    left: list[HistoryItem]
    found: list[Change] = field(default_factory=list)

    @property
    def is_read(self) -> bool:
        return self.sight is not None and self.sight.customer.history is not None

    def ours_at(self, row: HistoryItem) -> datetime | None:
        """The row's time by our clock."""
        return row.created_at - self.sight.skew if self.sight and row.created_at else None

    def take(self, row: HistoryItem) -> None:
        """By identity: two rows may be alike."""
        self.left = [other for other in self.left if other is not row]

    def tell(self, row: HistoryItem, what: str, known: str, **more: Any) -> None:
        """This row is explained."""
        self.take(row)
        told: dict[str, Any] = {
            "points": row.points,
            "rule": row.title,
            "at": self.ours_at(row),
            "on": row.on,
        }
        self.found.append(Change(what, pending(row) or known, **(told | more)))

    # Corrections

    def explain_correction(self, correction: Correction) -> None:
        for row in [row for row in self.left if correction.title in row.title]:
            self.tell(row, correction.what, words.BY_HAND, sale=correction.sale)

    # Redemptions

    def explain_redemption(self, redemption: PendingRedemption) -> None:
        row = self.row_of(redemption)
        back = self.reversal_of(redemption)
        sale = self.sale_of(redemption)
        if row is None:
            self.tell_unseen(redemption, sale)
        else:
            undone = redemption.state == State.REVERSED and redemption.reason != Reason.LET_GO
            is_back = row.status.lower() in GIVEN_BACK or (undone and back is None)
            points = 0 if is_back else row.points
            what = words.of_redemption(redemption, sale)
            self.tell(row, what, words.BOTH, points=points, sale=sale)
        if back is not None:
            self.tell(back, words.of_reversal(redemption, back.points), words.BOTH, sale=sale)

    def row_of(self, redemption: PendingRedemption) -> HistoryItem | None:
        """By the code; else, where the account shows none, by what its points, title and time say.

        A code can come again, so of several the nearest in time.
        """
        if self.sight is None or not redemption.code:
            return None
        made = redemption.requested_at + self.sight.skew
        rows = [r for r in self.left if r.points < 0 and r.status == redemption.code]
        if not rows:
            rows = [r for r in self.left if is_marked_given_back(r, redemption, self.sight.skew)]
        if not rows:
            like = suspects(redemption, self.sight)
            rows = [
                r for r in self.left if is_titled(r, redemption) and not has_code(r) and r in like
            ]
            rows = rows if len(rows) == 1 else []
        return min(rows, key=lambda row: abs((row.created_at or made) - made), default=None)

    def reversal_of(self, redemption: PendingRedemption) -> HistoryItem | None:
        if self.sight is None or not redemption.code or redemption.state != State.REVERSED:
            return None
        made = redemption.requested_at + self.sight.skew - WHOLE_SECONDS
        alike = [
            r
            for r in self.records.redemptions
            if r.state == State.REVERSED and r.offer_name == redemption.offer_name
        ]
        rows = [
            row
            for row in self.left
            if is_reversal_row(row, redemption, alone=len(alike) == 1)
            and row.created_at is not None
            and row.created_at >= made
        ]
        return min(rows, key=lambda row: row.created_at or made, default=None)

    def sale_of(self, redemption: PendingRedemption) -> Sale | None:
        return next((s for s in self.records.sales if s.order_id == redemption.sale), None)

    def tell_unseen(self, redemption: PendingRedemption, sale: Sale | None) -> None:
        if redemption.state in WITHOUT_POINTS:
            return
        self.found.append(
            Change(
                words.of_redemption(redemption, sale),
                words.unseen(is_read=self.is_read),
                points_of(redemption),
                at=redemption.requested_at,
                sale=sale,
            )
        )

    # Refunds

    def explain_refund(self, refund: Refund) -> None:
        told = self.records.told_of(refund.refund_id)
        rows = self.rows_within(told, [row for row in self.left if reads(row, OF_A_REFUND)])
        others = [
            self.records.told_of(other.refund_id)
            for other in self.records.refunds
            if other is not refund
        ]
        alone = not any(told.is_near(other) for other in others)
        by_sign = {row.points < 0: row for row in rows}
        if alone and rows and len(by_sign) == len(rows):
            for row in rows:
                self.tell(row, words.of_refund(refund, row.points), words.BOTH, sale=refund.sale)
            return
        known = words.standing(told.state, is_read=self.is_read, is_unclear=bool(rows))
        self.found.append(
            Change(words.of_refund(refund), known, at=refund.recorded_at, sale=refund.sale)
        )

    # Sales

    def explain_sale(self, sale: Sale) -> None:
        told = self.records.told_of(sale.order_id)
        rows = self.rows_within(told, self.left, earned=True)
        row = None if self.is_beside_another(sale, told) else only(rows)
        if row is not None:
            self.tell(row, words.of_sale(sale, row.points), words.BOTH, sale=sale)
            return
        known = words.why_untold(sale) or words.standing(
            told.state, is_read=self.is_read, is_unclear=bool(rows)
        )
        self.found.append(Change(words.of_sale(sale), known, at=sale.completed_at, sale=sale))

    def is_beside_another(self, sale: Sale, told: Told) -> bool:
        others = [s for s in self.records.sales if s is not sale and not s.not_delivered]
        return any(told.is_near(self.records.told_of(other.order_id)) for other in others)

    def rows_within(
        self, told: Told, rows: Sequence[HistoryItem], *, earned: bool = False
    ) -> list[HistoryItem]:
        """What the engine wrote when it may have worked on it; `earned`: and gave points."""
        within = []
        for row in rows:
            at = self.ours_at(row)
            if at is not None and told.holds(at) and not (earned and not is_earned(row)):
                within.append(row)
        return within

    def sales_near(self, row: HistoryItem) -> list[Sale]:
        """Those that it may be of."""
        at = self.ours_at(row)
        if at is None or not is_earned(row):
            return []
        return [s for s in self.records.sales if self.records.told_of(s.order_id).holds(at)]

    def sale_with(self, code: str) -> Sale | None:
        """Whose codes have this one, in whatever capitals."""
        for sale in self.records.sales:
            if any(told["code"].upper() == code.upper() for told in sale.coupon_codes):
                return sale
        return None


def only(rows: Sequence[HistoryItem]) -> HistoryItem | None:
    """The row of the only order told then: one may earn by several rules, so the title decides."""
    if len(rows) > 1:
        rows = [row for row in rows if reads(row, OF_A_PURCHASE)]
    return rows[0] if len(rows) == 1 else None


def is_earned(row: HistoryItem) -> bool:
    return row.points > 0 and not has_code(row) and not reads(row, OF_A_REFUND)


def reads(row: HistoryItem, like: Sequence[str]) -> bool:
    title = plain(row.title)
    return any(word in title for word in like)


def is_titled(row: HistoryItem, redemption: PendingRedemption) -> bool:
    return plain(row.title) == plain(redemption.offer_name)


def points_of(redemption: PendingRedemption) -> int | None:
    """By our own records; None while nobody knows."""
    if redemption.state in (*UNDER_WAY, State.DISPUTED):
        return None
    if redemption.state in (State.REVERSED, State.CANCELLED) or redemption.points_set_aside:
        return 0
    return -redemption.points


def pending(row: HistoryItem) -> str:
    return words.PENDING if row.status.lower() == "pending" else ""


def unexplained(row: HistoryItem, case: Case) -> Change:
    """The engine's own: done online, by a campaign, or by whoever else tells it of sales."""
    what, known, sale = row.title or words.NO_TITLE, words.ENGINE_ALONE, None
    near = case.sales_near(row)
    if row.points < 0 and has_code(row) and row.status.lower() not in GIVEN_BACK:
        sale = case.sale_with(row.status)
        what = words.of_foreign_code(row, sale)
    elif reads(row, OF_A_REFUND):
        what, known = words.A_REFUND, words.WHICH_REFUND
    elif row.points > 0 and reads(row, OF_A_PURCHASE):
        what, known = words.A_PURCHASE, words.WHICH_SALE
    elif near:
        known = words.may_be_of(near)
    elif row.points > 0:
        what = f"Online: {what}"
    return Change(
        what, pending(row) or known, row.points, row.title, case.ours_at(row), row.on, sale
    )
