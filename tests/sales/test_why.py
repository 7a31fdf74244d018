"""Why a balance is what it is: what is certain is named, and nothing is invented."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.yotpo.payloads import Customer, HistoryItem
from outbox.states import State as Delivered
from redemptions.evidence import Sight
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from redemptions.use import Outcome
from sales.earned import Span
from sales.models import Refund, Sale
from sales.why import Change, Correction, Records, Told, changes
from sales.why_words import of_code
from stores.models import Associate, Store, Till

NOON = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
BOSTON = Store(pk=1, code="boston", name="Boston")
TILL = Till(pk=1, store=BOSTON, code="1", name="Till 1")
ANA = Associate(pk=1, code="ana", name="Ana Pardo")


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def row(title: str, points: int, at: datetime | None = NOON, **facts: Any) -> HistoryItem:
    told = {"status": "Approved", "action_name": None, "completed_at": None}
    on = at.date() if at else NOON.date()
    return HistoryItem(created_at=at, on=on, title=title, points=points, **(told | facts))


def bought(pos_id: str = "109001", at: datetime = NOON, **facts: Any) -> Sale:
    return Sale(
        pk=int(pos_id),
        **{
            "pos_id": pos_id,
            "order_id": pos_id,
            "store": BOSTON,
            "completed_at": at,
            "recorded_at": at,
            "total_cents": 4200,
            "currency": "USD",
        }
        | facts,
    )


def redeemed(state: State = State.ISSUED, **facts: Any) -> PendingRedemption:
    return PendingRedemption(
        **{
            "offer_name": "$5 off",
            "offer_kind": "fixed",
            "points": 500,
            "code": "ABC",
            "state": state,
            "store": BOSTON,
            "till": TILL,
            "associate": ANA,
            "requested_at": NOON,
            "changed_at": after(3),
        }
        | facts
    )


def told(at: datetime = NOON, state: str = Delivered.DONE) -> Told:
    return Told(state, Span(at, at + timedelta(seconds=1)))


def why(records: Records, *history: HistoryItem, skew: timedelta = timedelta(0)) -> list[Change]:
    return changes(records, Sight(Customer(0, history=history), skew))


def facts(found: list[Change]) -> list[tuple[str, int | None]]:
    return [(change.what, change.points) for change in found]


def of_sale(*sales: Sale) -> Records:
    spans = {sale.order_id: told(sale.completed_at) for sale in sales}
    return Records(sales=sales, told=spans)


ONLINE = {
    "a campaign": (row("Birthday campaign", 100), "Online: Birthday campaign"),
    "a purchase elsewhere": (row("Placed an order", 42), "A purchase"),
    "a refund elsewhere": (row("Refunded an order", -42), "A refund"),
    "a code": (row("$5 off", -500, status="WEB-1"), "Online: code WEB-1 for $5 off, 500 points "),
    "points that expired": (row("Points expired", -20), "Points expired"),
    "nothing named": (row("", -3), "Without a title"),
}


@pytest.mark.parametrize(("seen", "what"), ONLINE.values(), ids=ONLINE)
def test_what_no_row_of_ours_explains_is_the_engines(seen: HistoryItem, what: str) -> None:
    (found,) = why(Records(), seen)
    assert found.what.startswith(what)
    assert (found.points, found.rule, found.at) == (seen.points, seen.title, NOON)


def test_a_sale_is_named_with_its_store_and_what_it_earned() -> None:
    found = why(of_sale(bought()), row("Placed an order", 42))
    assert facts(found) == [("Sale 109001 in Boston, 42 points", 42)]
    assert found[0].rule == "Placed an order"


def test_clocks_that_differ_are_compared() -> None:
    ahead = timedelta(hours=3)
    (found,) = why(of_sale(bought()), row("Placed an order", 42, NOON + ahead), skew=ahead)
    assert (found.what, found.at) == ("Sale 109001 in Boston, 42 points", NOON)


def test_beside_a_bonus_the_title_says_which_row_is_the_sales() -> None:
    found = why(of_sale(bought()), row("Double points", 10), row("Placed an order", 42))
    assert ("Sale 109001 in Boston, 42 points", 42) in facts(found)
    (bonus,) = [change for change in found if change.points == 10]
    assert (bonus.what, bonus.sale) == ("Double points", None)
    assert bonus.known == "It came while sale 109001 was told: it may be of that sale."


def test_points_that_a_refund_gave_are_not_what_the_sale_earned() -> None:
    returned = row("Points returned for a refunded order", 500)
    found = why(of_sale(bought()), row("Placed an order", 42), returned)
    assert set(facts(found)) == {("Sale 109001 in Boston, 42 points", 42), ("A refund", 500)}


UNCERTAIN = {
    "two purchases at once": [
        row("Placed an order", 42),
        row("Placed an order", 7, after(0.02)),
    ],
    "only the day": [row("Placed an order", 42, None)],
    "long after": [row("Placed an order", 42, after(60))],
    "before it was told": [row("Placed an order", 42, after(-1))],
}


@pytest.mark.parametrize("history", UNCERTAIN.values(), ids=UNCERTAIN)
def test_a_purchase_that_may_be_anothers_is_no_sale_of_ours(history: list[HistoryItem]) -> None:
    found = why(of_sale(bought()), *history)
    assert [change.what for change in found if change.points] == ["A purchase"] * len(history)
    (sale,) = [change for change in found if change.sale]
    assert (sale.what, sale.points) == ("Sale 109001 in Boston", None)


def test_of_two_sales_told_in_one_minute_neither_is_given_the_row() -> None:
    both = of_sale(bought(), bought("109002", after(0.5)))
    found = why(both, row("Placed an order", 42, after(0.6)))
    assert [change.points for change in found if change.sale] == [None, None]
    assert ("A purchase", 42) in facts(found)


STANDING = {
    "untold": ({}, {}, "The loyalty system has not been told of it yet."),
    "parked": ({"109001": told(state=Delivered.PARKED)}, {}, "a manager sees to it"),
    "told, and nothing": ({"109001": told()}, {}, "and shows no points for it so far."),
    "bought online": ({}, {"not_delivered": "online_order"}, "from the web shop, where it earns."),
    "excluded": ({}, {"not_delivered": "excluded_origin"}, "No points: Comes from where another"),
}


@pytest.mark.parametrize(("spans", "sale", "words"), STANDING.values(), ids=STANDING)
def test_a_sale_without_points_says_why(spans, sale: dict[str, str], words: str) -> None:
    (found,) = why(Records(sales=[bought(**sale)], told=spans))
    assert (found.what, found.points) == ("Sale 109001 in Boston", None)
    assert words in found.known


SPENT = "Code ABC for $5 off: 500 points spent by Ana Pardo at Till 1, Boston, "
OF_A_CODE = {
    "open": (redeemed(), "not used yet", -500),
    "used": (redeemed(State.USED, sale="109001"), "used in sale 109001", -500),
    "disputed": (redeemed(State.DISPUTED), "a manager must look at it", -500),
    "undone": (redeemed(State.REVERSED, reason=Reason.UNDONE), "undone 3 minutes later", 0),
    "undone by Ben": (
        redeemed(State.REVERSED, reason=Reason.UNDONE, undone_by=Associate(pk=2, name="Ben")),
        "undone by Ben 3 minutes later",
        0,
    ),
    "let go": (redeemed(State.REVERSED, reason=Reason.LET_GO), "let go by a manager", -500),
}


@pytest.mark.parametrize(("ours", "ending", "points"), OF_A_CODE.values(), ids=OF_A_CODE)
def test_a_code_is_told_with_who_spent_it_and_what_became_of_it(
    ours: PendingRedemption, ending: str, points: int
) -> None:
    records = Records(redemptions=[ours], sales=[bought(not_delivered="online_order")])
    found = why(records, row("$5 off", -500, status="ABC"))
    assert (SPENT + ending, points) in facts(found)
    assert len(found) == 2


BACK = {
    "by its status": [row("$5 off", -500, status="Reversed")],
    "not at all": [row("$5 off", -500, status="ABC")],
}


@pytest.mark.parametrize("history", BACK.values(), ids=BACK)
def test_points_that_came_back_moved_nothing(history: list[HistoryItem]) -> None:
    undone = redeemed(State.REVERSED, reason=Reason.UNDONE)
    assert facts(why(Records(redemptions=[undone]), *history)) == [
        (f"{SPENT}undone 3 minutes later", 0)
    ]


def test_a_reversal_with_a_row_of_its_own_is_told_beside_the_code() -> None:
    undone = redeemed(State.REVERSED, reason=Reason.UNDONE)
    history = row("$5 off", -500, status="ABC"), row("$5 off reversed", 500, after(3))
    assert facts(why(Records(redemptions=[undone]), *history)) == [
        ("Code ABC for $5 off undone: 500 points back", 500),
        (f"{SPENT}undone 3 minutes later", -500),
    ]


def test_a_code_that_came_again_is_the_nearest_in_time() -> None:
    first = redeemed(State.USED, requested_at=after(-9000))
    history = (row("$5 off", -500, after(m), status="ABC") for m in (0, -9000))
    found = why(Records(redemptions=[first, redeemed()]), *history)
    assert [change.what.endswith("not used yet") for change in found] == [True, False]


def test_where_the_account_shows_no_codes_the_only_like_it_is_ours() -> None:
    like = row("$5 off", -500, after(0.02))
    assert facts(why(Records(redemptions=[redeemed()]), like)) == [(f"{SPENT}not used yet", -500)]
    two = why(Records(redemptions=[redeemed()]), like, row("$5 off", -500, after(0.03)))
    assert len(two) == 3
    assert two[-1].known == "In our records only."


def test_a_foreign_code_in_a_sale_of_ours_names_the_sale() -> None:
    sale = bought(coupon_codes=[{"code": "web-1", "outcome": "unknown"}])
    found = why(of_sale(sale), row("$5 off", -500, after(-50), status="WEB-1"))
    assert ("Online: code WEB-1 for $5 off, 500 points spent, used in sale 109001", -500) in facts(
        found
    )


def refunded(number: int, at: datetime, **facts: Any) -> Refund:
    return Refund(
        pk=number,
        **{
            "pos_id": f"R-{number}",
            "refund_id": f"R-{number}",
            "sale": bought(),
            "total_cents": 1200,
            "currency": "USD",
            "state": "promised",
            "recorded_at": at,
        }
        | facts,
    )


def test_a_refund_takes_earned_points_and_gives_spent_ones_back() -> None:
    records = Records(refunds=[refunded(1, NOON)], told={"R-1": told()})
    history = row("Refunded an order", -12), row("Points returned for a refunded order", 500)
    assert set(facts(why(records, *history))) == {
        ("Refund of sale 109001: 12 points taken back", -12),
        ("Refund of sale 109001: 500 points back", 500),
    }


def test_a_void_is_told_as_a_void() -> None:
    void = refunded(1, NOON, is_void=True)
    (found,) = why(Records(refunds=[void], told={"R-1": told()}), row("Refunded an order", -42))
    assert found.what == "Sale 109001 voided: 42 points taken back"


def test_of_two_refunds_at_once_the_rows_are_nobodys() -> None:
    both = [refunded(1, NOON), refunded(2, after(0.5))]
    spans = {"R-1": told(), "R-2": told(after(0.5))}
    found = why(Records(refunds=both, told=spans), row("Refunded an order", -12, after(0.6)))
    assert ("A refund", -12) in facts(found)
    assert [change.points for change in found if change.sale] == [None, None]
    assert found[0].what == "A refund"


def test_a_correction_is_found_by_its_title() -> None:
    correction = Correction("Correction D12.", "Correction: 5 points given")
    found = why(Records(corrections=[correction]), row("Correction D12.", 5))
    assert facts(found) == [("Correction: 5 points given", 5)]


def test_what_is_pending_does_not_count_yet() -> None:
    (found,) = why(Records(), row("Placed an order", 42, status="Pending"))
    assert found.known == "Pending: it does not count yet."


def test_without_the_engine_our_own_records_are_told() -> None:
    records = Records(
        redemptions=[redeemed(State.USED), redeemed(State.REFUSED), redeemed(State.UNCERTAIN)],
        sales=[bought()],
        told={"109001": told()},
    )
    found = changes(records, None)
    assert set(facts(found)) == {
        (f"{SPENT}used", -500),
        ("$5 off: 500 points asked for by Ana Pardo at Till 1, Boston, being checked", None),
        ("Sale 109001 in Boston", None),
    }
    assert {change.known for change in found} == {
        "In our records.",
        "The loyalty system was told of it.",
    }


def test_the_newest_comes_first_and_a_day_counts_as_its_end() -> None:
    rows = [row("a", 1, after(-1)), row("b", 1, None), row("c", 1, NOON)]
    assert [change.rule for change in why(Records(), *rows)] == ["b", "c", "a"]


@pytest.mark.parametrize("outcome", Outcome)
def test_whatever_became_of_a_code_has_its_words(outcome: Outcome) -> None:
    assert of_code({"code": "ABC", "outcome": outcome.value}).startswith("Code ABC: ")


@pytest.mark.parametrize("state", Delivered)
def test_wherever_the_telling_stands_has_its_words(state: Delivered) -> None:
    (found,) = why(Records(sales=[bought()], told={"109001": told(state=state)}))
    assert found.known.startswith("The loyalty system")
