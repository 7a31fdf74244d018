"""A file of sales is checked, recorded once and told once, beside what the POS tells itself."""

from datetime import UTC, datetime

import pytest

from audit.models import Entry
from backfill import working
from backfill.keeping import (
    UploadedBefore,
    begin,
    discard,
    go_on,
    keep,
    left_over_rows,
    left_over_titles,
    pause,
    prune,
    stop,
)
from backfill.models import Backfill, Part, RowNotTaken
from backfill.states import State
from backfill.working import record_one, rows_of, work_on
from database.spreadsheets import Unreadable, write_csv
from outbox.models import Delivery
from redemptions.actions import redeem
from redemptions.states import State as RedemptionState
from sales.claims import claim
from sales.errors import NotToBeClaimed, OtherContent
from sales.models import Refund, Sale
from sales.refunds import NewRefund, record_refund
from stores.models import Associate, Store
from stores.places import Place
from tests.backfill.conftest import BY, TITLES, counts, csv_of, reasons, run
from tests.redemptions.conftest import FIVE_OFF, act

__all__ = ["act"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA = "mara@example.com"
ORDERS = "POST /orders"
ONE = f"S-1,2026-05-02 12:00,42.00,{MARA}"
TWO = "S-2,2026-05-02 12:05,10.00,"
NOON = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


class Dead(BaseException):
    """As good as a SIGKILL: nothing behind it runs."""


def die() -> None:
    raise Dead


class TestADryRun:
    def test_says_what_would_be_recorded_and_asks_the_engine_nothing(
        self, sandbox, mara, sell, check
    ):
        sell()
        sell("S-9", total_cents=100)
        asked = sandbox.call_counts()
        backfill = check(
            ONE,
            TWO,
            "S-3,2026-05-02 12:10,5.00,never.seen@example.com",
            TWO,
            f"S-9,2026-05-02 12:00,42.00,{MARA}",
            "S-4,yesterday,5.00,",
            "S-2,2026-05-02 12:05,11.00,",
        )
        assert backfill.state == State.CHECKED
        assert (counts(backfill), backfill.unseen) == ((2, 2, 3), 1)
        why = reasons(backfill)
        assert sorted(why) == [6, 7, 8]
        assert "recorded with another total" in why[6]
        assert "completed_at" in why[7]
        assert "Line 3 has the same id" in why[8]
        assert Sale.objects.count() == 2
        assert sandbox.call_counts() == asked

    def test_counts_rows_that_say_the_same_twice_as_recording_does(self, mara, sell, check):
        sell()
        differs = "S-1,2026-05-02 12:00,7.00,"
        backfill = check(differs, differs, TWO, TWO)
        foreseen = counts(backfill)
        begin(backfill, BY)
        assert foreseen == counts(run(backfill)) == (1, 1, 2)

    def test_names_places_that_are_disabled(self, installation, check):
        Store.objects.create(installation=installation, code="old", is_active=False)
        Associate.objects.create(installation=installation, code="gone", is_active=False)
        rows = ["S-1,2026-05-02 12:00,1.00,old,", "S-2,2026-05-02 12:00,1.00,,gone"]
        why = reasons(check(*rows, titles="id,completed_at,total,store,associate"))
        assert "store: it is disabled" in why[2]
        assert "associate: they are disabled" in why[3]

    def test_may_be_discarded(self, check):
        assert discard(check(ONE, "x,y,z,"), BY)
        assert not Backfill.objects.exists()
        assert not Part.objects.exists()
        assert not RowNotTaken.objects.exists()


class TestAFile:
    def test_is_recorded_and_earns(self, sandbox, mara, fill, deliveries):
        backfill = fill(ONE, TWO)
        assert (backfill.state, counts(backfill)) == (State.DONE, (2, 0, 0))
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42
        assert not Part.objects.exists()
        acts = Entry.objects.order_by("pk").values_list("act", flat=True)
        assert list(acts) == ["backfill.uploaded", "backfill.begun", "backfill.ended"]

    def test_is_recorded_as_history_of_which_the_engine_hears_nothing(self, sandbox, mara, fill):
        fill(ONE, tells_engine=False)
        sale = Sale.objects.get()
        assert (sale.not_delivered, sale.member, sale.from_file) == ("history", mara, True)
        assert not Delivery.objects.exists()

    def test_recorded_as_history_is_never_claimed(self, mara, fill):
        """The merchant said that nobody earns points for it."""
        fill(TWO, tells_engine=False)
        with pytest.raises(NotToBeClaimed, match="as history"):
            claim(Sale.objects.get(), mara, BY.who, "hers")

    def test_uses_the_codes_in_it(self, engine, act, mara, fill):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        fill(f"S-1,2026-05-02 12:00,42.00,{code.code}", titles="id,completed_at,total,coupon_codes")
        code.refresh_from_db()
        assert code.state == RedemptionState.USED
        assert Sale.objects.get().member == mara

    def test_uploaded_again_records_nothing_twice(self, mara, fill):
        fill(ONE, TWO)
        assert counts(fill(ONE, TWO)) == (0, 2, 0)
        assert Sale.objects.count() == 2

    def test_uploaded_twice_at_once_is_one(self, installation, check):
        there = check(ONE)
        with pytest.raises(UploadedBefore, match="go on with that one") as refused:
            keep(installation, "again.csv", csv_of(ONE), tells_engine=True, by=BY)
        assert refused.value.backfill == there

    def test_waits_while_the_engine_has_enough_to_do(self, mara, fill, deliveries, monkeypatch):
        monkeypatch.setattr(working, "MOST_ORDERS_WAITING", 5)
        rows = [f"S-{number},2026-05-02 12:00,1.00,{MARA}" for number in range(12)]
        backfill = fill(*rows)
        assert backfill.position == 5
        assert not working.work(backfill, 60, working.draining)
        deliveries()
        work_on()
        assert Sale.objects.count() == 10
        deliveries()
        run(backfill)
        assert counts(backfill) == (12, 0, 0)

    def test_may_be_paused_and_stopped(self, installation, check):
        backfill = check(ONE, TWO)
        begin(backfill, BY)
        assert pause(backfill, BY)
        work_on()
        assert (backfill.state, Sale.objects.count()) == (State.PAUSED, 0)
        assert not begin(backfill, BY)
        assert go_on(backfill, BY)
        assert stop(backfill, BY)
        work_on()
        assert not Sale.objects.exists()
        assert not Part.objects.exists()
        assert not go_on(backfill, BY)

    def test_moves_for_one_of_two_processes(self, check):
        backfill = check(ONE, TWO)
        begin(backfill, BY)
        late = Backfill.objects.get()
        part = Part.objects.get()
        row = rows_of(part)[0]
        assert record_one(backfill, row, part)
        assert not record_one(late, row, part)
        backfill.refresh_from_db()
        assert (backfill.position, counts(backfill), Sale.objects.count()) == (1, (1, 0, 0), 1)

    def test_is_nowhere_between_two_rows_when_its_process_dies(self, mara, check, monkeypatch):
        backfill = check(ONE, TWO)
        begin(backfill, BY)
        step = working.step
        monkeypatch.setattr(working, "step", lambda *args: (args[2] == 0 and step(*args)) or die())
        with pytest.raises(Dead):
            working.work(backfill, 60, working.draining)
        monkeypatch.undo()
        assert not Sale.objects.exists()
        assert not Delivery.objects.exists()
        Backfill.objects.update(held_until=None)
        assert counts(run(Backfill.objects.get())) == (2, 0, 0)

    def test_stopped_while_a_worker_looks_for_its_next_rows_is_left(self, check, monkeypatch):
        backfill = check(ONE)
        begin(backfill, BY)
        part_at = working.part_at

        def stopped_first(mine: Backfill) -> Part:
            stop(Backfill.objects.get(), BY)
            return part_at(mine)

        monkeypatch.setattr(working, "part_at", stopped_first)
        assert not working.work(backfill, 60, working.draining)
        backfill.refresh_from_db()
        assert (backfill.state, backfill.held_until) == (State.STOPPED, None)

    def test_that_another_process_holds_is_left_to_it(self, check):
        backfill = check(ONE)
        begin(backfill, BY)
        assert working.hold(Backfill.objects.get())
        assert not working.work(backfill, 60, working.draining)
        assert not Sale.objects.exists()

    @pytest.mark.parametrize("column", ["note\0", "\0"])
    def test_with_titles_that_are_no_text_is_refused_in_words(self, check, column):
        with pytest.raises(Unreadable, match="save it as CSV"):
            check(ONE, titles=f"{TITLES},{column}")

    @pytest.mark.parametrize(
        ("rows", "titles", "said"),
        [((ONE,), f"{TITLES}{',x' * 500}", "Line 1"), ((ONE + "," * 500,), TITLES, "Line 2")],
    )
    def test_with_a_line_without_end_is_refused_in_words(self, check, rows, titles, said):
        with pytest.raises(Unreadable, match=f"{said} has more than 500 cells"):
            check(*rows, titles=titles)


class TestARow:
    def test_that_is_not_taken_can_be_mended_and_uploaded_again(self, installation, fill):
        backfill = fill(
            "S-1,2026-05-02 12:00,42,00,", "S-2,2026-05-02 12:00,10,", "S-3,2026-05-02 12:00,1.00,"
        )
        assert counts(backfill) == (1, 0, 2)
        titles, rows = left_over_titles(backfill), list(left_over_rows(backfill))
        assert titles == ["id", "completed_at", "total", "email", "line_in_file", "why_not_taken"]
        mended = [[*row[:2], "10.00", "", *row[4:6]] for row in rows]
        raw = write_csv(titles, mended)
        again = run(keep(installation, "mended.csv", raw, tells_engine=True, by=BY))
        assert (counts(again), again.unused) == ((2, 0, 0), [])

    def test_of_a_disabled_till_is_kept_with_the_reason(self, till, fill):
        till.is_active = False
        till.save()
        backfill = fill(
            "S-1,2026-05-02 12:00,1.00,boston,1", titles="id,completed_at,total,store,till"
        )
        assert counts(backfill) == (0, 0, 1)
        assert "is disabled" in reasons(backfill)[2]
        assert not Sale.objects.exists()

    def test_that_was_not_taken_is_forgotten_after_30_days(self, fill, check):
        fill("x,y,z,")
        looked_at = check(ONE)
        Backfill.objects.filter(state=State.DONE).update(ended_at=datetime(2026, 1, 1, tzinfo=UTC))
        Backfill.objects.filter(pk=looked_at.pk).update(
            uploaded_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        assert prune() > 0
        assert not RowNotTaken.objects.exists()
        assert not Part.objects.exists()
        assert list(Backfill.objects.values_list("state", flat=True)) == [State.DONE]


class TestTheSameSale:
    """Once from a file and once from the POS, whichever comes first."""

    WITH_MORE = {"ticket": "T-1", "items": ({"sku": "A"},), "completed_at": NOON.replace(second=59)}

    def test_told_by_the_pos_later_is_the_same(self, mara, fill, sell):
        fill(ONE)
        assert not sell(**self.WITH_MORE).is_new
        assert not sell(email="").is_new

    @pytest.mark.parametrize(
        "other",
        [
            {"total_cents": 4300},
            {"currency": "EUR"},
            {"completed_at": NOON.replace(minute=1)},
            {"email": "ada@example.com"},
            {"coupon_codes": ("LP-1",)},
        ],
    )
    def test_told_by_the_pos_with_other_figures_is_a_conflict(self, mara, fill, sell, other):
        fill(ONE)
        with pytest.raises(OtherContent):
            sell(**other)

    @pytest.mark.parametrize(
        ("row", "there"),
        [
            (ONE, True),
            ("S-1,2026-05-02 12:00,42.00,", True),
            ("S-1,2026-05-02 12:00,42.01,", False),
            ("S-1,2026-05-02 12:01,42.00,", False),
            ("S-1,2026-05-02 12:00,42.00,ada@example.com", False),
        ],
    )
    def test_told_by_the_pos_before_is_there_already(self, mara, sell, fill, row, there):
        sell(**self.WITH_MORE)
        assert counts(fill(row)) == ((0, 1, 0) if there else (0, 0, 1))

    def test_recorded_for_nobody_is_not_given_to_a_buyer_silently(self, mara, sell, fill):
        sell(email="")
        assert "buyer" in reasons(fill(ONE))[2]


class TestARefund:
    TITLES = "id,completed_at,total,email,kind,sale_id"
    REFUND = "R-1,,10.00,,refund,S-1"

    def test_follows_its_sale(self, sandbox, mara, fill, deliveries):
        backfill = fill(f"{ONE},,", self.REFUND, titles=self.TITLES)
        assert counts(backfill) == (2, 0, 0)
        assert set(deliveries()) == {"done"}
        assert sandbox.balance(MARA) == 640 + 42 - 10

    def test_may_stand_before_its_sale(self, sandbox, mara, fill, deliveries):
        fill(self.REFUND, f"{ONE},,", titles=self.TITLES)
        assert set(deliveries()) == {"done"}
        assert sandbox.balance(MARA) == 640 + 42 - 10

    def test_beyond_its_sale_is_not_taken(self, mara, fill):
        backfill = fill(f"{ONE},,", "R-1,,42.01,,refund,S-1", titles=self.TITLES)
        assert counts(backfill) == (1, 0, 1)
        assert "4200 cents are left" in reasons(backfill)[3]

    def test_of_what_the_engine_has_is_no_history(self, mara, sell, fill):
        sell()
        backfill = fill(self.REFUND, titles=self.TITLES, tells_engine=False)
        assert "The engine has the sale" in reasons(backfill)[2]
        assert not Refund.objects.exists()

    def test_told_by_the_pos_later_is_the_same(self, installation, mara, fill):
        fill(f"{ONE},,", self.REFUND, titles=self.TITLES)
        nowhere = Place(None, None, None)
        more = NewRefund("R-1", 1000, "USD", sale_id="S-1", items=({"sku": "A"},))
        assert not record_refund(installation, more, nowhere).is_new
        with pytest.raises(OtherContent):
            record_refund(installation, NewRefund("R-1", 900, "USD", sale_id="S-1"), nowhere)
