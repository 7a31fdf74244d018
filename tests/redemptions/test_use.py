"""A sale's codes: used once, and never silently where the points went back."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemptions.actions import redeem, undo
from redemptions.life import void_ticket
from redemptions.models import PendingRedemption
from redemptions.reversal import give_back
from redemptions.settling import see_to_all
from redemptions.states import Reason, State
from redemptions.use import Outcome, unuse, use
from tests.redemptions.conftest import FIVE_OFF
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MARA = "mara@example.com"
CANCEL = "POST /redemptions/*/cancellation_completed"
ATTEMPTED = {"first_reversal_attempt_at": timezone.now, "last_reversal_attempt_at": timezone.now}

SOLD = {
    "issued": (State.ISSUED, {}, Outcome.USED, State.USED),
    "reversing, not tried": (State.REVERSING, {}, Outcome.USED, State.USED),
    "reversing, tried": (State.REVERSING, ATTEMPTED, Outcome.BEING_REVERSED, State.REVERSING),
    "used by another sale": (
        State.USED,
        {"sale": "S-0", "sold_at": timezone.now},
        Outcome.USED_BEFORE,
        State.USED,
    ),
    "used by a till's word": (State.USED, {}, Outcome.USED, State.USED),
    "reversed": (State.REVERSED, {}, Outcome.DISPUTED, State.DISPUTED),
    "ended by us": (State.CANCELLED, {"delayed": True}, Outcome.CANCELLED, State.USED),
    "ended by the engine": (
        State.CANCELLED,
        {"delayed": True, "reason": Reason.BY_ENGINE},
        Outcome.DISPUTED,
        State.DISPUTED,
    ),
    "disputed": (State.DISPUTED, {"code": "LP-D"}, Outcome.DISPUTED, State.DISPUTED),
}


def sell(*codes: str, sale: str = "S-1") -> list[Outcome]:
    with transaction.atomic():
        return [found.outcome for found in use(codes, sale)]


@pytest.mark.parametrize(("state", "facts", "outcome", "end"), SOLD.values(), ids=SOLD)
def test_what_a_sale_does_to_a_code(row, state, facts, outcome, end):
    facts = {name: fact() if callable(fact) else fact for name, fact in facts.items()}
    redemption = row(state, **facts)
    assert sell(redemption.code) == [outcome]
    redemption.refresh_from_db()
    assert redemption.state == end
    assert redemption.sale == ("S-0" if outcome is Outcome.USED_BEFORE else "S-1")
    again = Outcome.USED if outcome is Outcome.CANCELLED else outcome
    assert sell(redemption.code) == [again], "the same sale may come again"


def test_a_code_of_nobody_is_unknown(row):
    row(State.NOT_MADE)
    assert sell("WEB-1", "WEB-1", " ") == [Outcome.UNKNOWN]


def test_of_two_rows_with_one_code_the_open_one_is_meant(row):
    row(State.REVERSED, code="TOTE-7", engine_id=1)
    open_one = row(State.ISSUED, code="TOTE-7", engine_id=2)
    assert sell("TOTE-7") == [Outcome.USED]
    open_one.refresh_from_db()
    assert open_one.state == State.USED


def test_a_till_may_type_a_code_in_other_capitals(row):
    code = row(State.ISSUED, code="LP-aB1")
    assert sell(" lp-ab1 ", "LP-AB1", "LP-aB1") == [Outcome.USED] * 3
    code.refresh_from_db()
    assert (code.state, code.sale) == (State.USED, "S-1")


def test_a_till_may_put_several_codes_into_one_text(row):
    """The engine takes them apart at the comma, so these count there as well."""
    codes = [row(State.ISSUED, code=code) for code in ("LP-1", "LP-2")]
    assert sell("LP-1, LP-2,") == [Outcome.USED] * 2
    for code in codes:
        code.refresh_from_db()
    assert {code.state for code in codes} == {State.USED}


def test_of_codes_that_differ_in_capitals_alone_the_very_one_is_used(row, mara):
    other = row(State.ISSUED, code="LP-AB1")
    code = row(State.ISSUED, code="LP-ab1")
    assert sell("LP-ab1") == [Outcome.USED]
    code.refresh_from_db()
    other.refresh_from_db()
    assert (code.state, other.state) == (State.USED, State.ISSUED)


@pytest.mark.parametrize(
    ("asks", "index"),
    [
        (lambda: sell("LP-1"), "redemptions_by_code"),
        (lambda: in_transaction(unuse, "S-1"), "redemptions_of_a_sale"),
    ],
    ids=["a sale", "its void"],
)
def test_a_ledger_of_years_is_not_read_whole(row, asks, index):
    """Under the lock that all tills wait for, on SQLite."""
    years = [row(State.USED, save=False, sale=f"S-{n}", ticket=f"T-{n}") for n in range(500)]
    PendingRedemption.objects.bulk_create(years)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE redemptions_pendingredemption")
    with CaptureQueriesContext(connection) as asked:
        asks()
    read, *_ = [query["sql"] for query in asked if "redemptions_pending" in query["sql"]]
    assert index in plan_of(read)


def in_transaction(act, *told):
    with transaction.atomic():
        return act(*told)


def plan_of(read: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN' if settings.SQLITE else ''} {read}")
        return str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(settings.SQLITE, reason="SQLite lets one write at a time")
def test_a_sale_and_a_void_of_the_same_codes_wait_for_one_another(row, installation, monkeypatch):
    """Each locks both codes: not in the order that the other one does."""
    ids = sorted(uuid.uuid4() for _ in range(2))
    codes = [row(State.ISSUED, id=pk, ticket="T-1").code for pk in ids]
    half_way, end = threading.Event(), PendingRedemption.end

    def end_slowly(redemption, *told, **facts):
        ended = end(redemption, *told, **facts)
        if not half_way.is_set():
            half_way.set()
            until(somebody_waits, "the sale waits for the void")
        return ended

    def sold() -> list[Outcome]:
        try:
            half_way.wait(10)
            return sell(*codes)
        finally:
            connection.close()

    monkeypatch.setattr(PendingRedemption, "end", end_slowly)
    with ThreadPoolExecutor(1) as pool:
        sale = pool.submit(sold)
        in_transaction(void_ticket, installation, "T-1")
        assert sale.result(30) == [Outcome.USED] * 2


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_refuses(row):
    with pytest.raises(RuntimeError):
        use([row(State.ISSUED).code], "S-1")


class TestASaleWhileItIsReversed:
    """The first attempt was made and its answer lost; then the sale comes."""

    @pytest.fixture
    def code(self, engine, act, mara):
        return redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    def test_given_back_as_well_is_a_managers(self, engine, sandbox, code, due):
        sandbox.fault(CANCEL, "drop_after")
        undo(engine=engine, redemption=code)
        assert sell(code.code) == [Outcome.BEING_REVERSED]
        see_to_all(engine)
        code.refresh_from_db()
        assert (code.state, code.reason, code.sale) == (State.DISPUTED, Reason.SOLD_AFTER, "S-1")
        assert sandbox.balance(MARA) == 640

    def test_not_given_back_is_used_and_never_tried_again(
        self, engine, sandbox, settings, code, due
    ):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.fault(CANCEL, "drop_before")
        undo(engine=engine, redemption=code)
        assert code.state == State.REVERSING
        assert sell(code.code) == [Outcome.BEING_REVERSED]
        give_back(engine, due(code))
        assert (code.state, code.reason) == (State.USED, Reason.SOLD)
        assert sandbox.balance(MARA) == 140
        assert sandbox.call_counts()[CANCEL] == 1

    def test_between_the_promise_and_the_first_attempt_the_sale_wins(self, engine, sandbox, code):
        code.end(Reason.UNDONE)
        assert sell(code.code) == [Outcome.USED]
        give_back(engine, code)
        assert (code.state, sandbox.balance(MARA)) == (State.USED, 140)


class TestAVoidBeforeTheOrderWent:
    def test_gives_the_points_back(self, engine, sandbox, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        sell(code.code)
        with transaction.atomic():
            assert [row.pk for row in unuse("S-1")] == [code.pk]
        see_to_all(engine)
        code.refresh_from_db()
        assert (code.state, code.reason, code.sale) == (State.REVERSED, Reason.VOIDED, "")
        assert sandbox.balance(MARA) == 640

    def test_ends_a_delayed_one(self, row):
        code = row(State.USED, delayed=True, sale="S-1")
        with transaction.atomic():
            unuse("S-1")
        code.refresh_from_db()
        assert code.state == State.CANCELLED
