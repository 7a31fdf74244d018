"""The lease of an issued code: what keeps it, what ends it, and that of two who try one wins."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import F

from redemptions import life
from redemptions.actions import redeem, undo
from redemptions.errors import CannotExtend, NoLongerCounts, NotWithdrawn
from redemptions.models import PendingRedemption
from redemptions.settling import see_to, see_to_all
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.withdrawal import OpenSale, Withdrawal
from stores.models import Till
from tests.redemptions.conftest import FIVE_OFF

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MARA = "mara@example.com"
QUARTER = timedelta(minutes=15)


def later(redemption: PendingRedemption, span: timedelta) -> PendingRedemption:
    """As if so much time had passed: all that is dated lies that much further back."""
    dates = ("lease_until", "frozen_until", "gone_at", "applied_at", "withdrawn_at")
    dates += ("claimed_used_at", "next_check_at", "requested_at", "changed_at")
    PendingRedemption.objects.filter(pk=redemption.pk).update(
        **{name: F(name) - span for name in dates}
    )
    redemption.refresh_from_db()
    return redemption


def near(seconds: int | None, wanted: float) -> bool:
    return seconds is not None and abs(seconds - wanted) <= 3


@pytest.fixture
def code(row) -> PendingRedemption:
    return row(State.ISSUED)


def test_a_new_code_has_the_installations_lease(engine, act, mara):
    act.installation.lease_minutes = 7
    act.installation.save()
    made = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    assert near(life.seconds_left(made), 7 * 60)


def test_time_runs_and_stops_at_nothing(code):
    assert near(life.seconds_left(later(code, timedelta(minutes=5))), 10 * 60)
    assert life.seconds_left(later(code, QUARTER)) == 0


@pytest.mark.parametrize("state", [s for s in State if s != State.ISSUED])
def test_only_an_issued_one_has_time_left(row, state):
    assert life.seconds_left(row(state)) is None


class TestKeepLonger:
    def test_adds_the_length_once(self, code):
        life.extend(code)
        assert near(life.seconds_left(code), 30 * 60)
        with pytest.raises(CannotExtend, match="once already"):
            life.extend(code)
        assert near(life.seconds_left(code), 30 * 60)

    def test_of_one_that_is_over_begins_now(self, code):
        life.extend(later(code, timedelta(minutes=40)))
        assert near(life.seconds_left(code), 15 * 60)

    @pytest.mark.parametrize("state", [State.USED, State.REVERSING, State.REVERSED])
    def test_of_one_that_counts_no_more_is_refused(self, row, state):
        with pytest.raises(CannotExtend):
            life.extend(row(state))


class TestHold:
    def test_stops_the_time_and_gives_it_back(self, code):
        life.hold(later(code, timedelta(minutes=5)), "T-1")
        assert code.ticket == "T-1"
        assert near(life.seconds_left(code), 10 * 60)
        assert near(life.seconds_left(later(code, timedelta(minutes=29))), 10 * 60)
        assert near(life.seconds_left(later(code, timedelta(minutes=5))), 6 * 60)

    def test_again_answers_and_adds_nothing(self, code):
        life.hold(code)
        until = code.lease_until
        life.hold(code)
        life.hold(later(code, timedelta(minutes=31)))
        assert code.lease_until == until - timedelta(minutes=31)

    def test_takes_back_a_removal(self, code):
        life.note_removed(code)
        life.hold(code)
        assert (code.gone_at, code.withdrawn_at) == (None, None)

    def test_of_one_that_ended_since_it_was_read_is_refused(self, code):
        PendingRedemption.objects.get(pk=code.pk).end(Reason.VOIDED)
        with pytest.raises(NoLongerCounts):
            life.hold(code)

    @pytest.mark.parametrize("state", [s for s in State if s != State.ISSUED])
    def test_of_what_counts_no_more_is_refused(self, row, state):
        with pytest.raises(NoLongerCounts):
            life.hold(row(state))


def test_a_parked_ticket_waits_until_the_stores_day_ends(code):
    code.installation.time_zone = "America/New_York"
    code.installation.save()
    life.park(code)
    day = code.frozen_until.astimezone(ZoneInfo("America/New_York"))
    assert (day + timedelta(seconds=1)).time().hour == 0
    assert near(life.seconds_left(code), 15 * 60)


def test_the_rest_of_a_day_is_that_of_the_store(installation):
    installation.time_zone = "America/New_York"
    now = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)  # half past eleven in the evening there
    assert life.rest_of_day(now, installation) == timedelta(minutes=30)


class TestItsEnd:
    def test_leaves_a_running_one_alone(self, engine, code):
        see_to(engine, later(code, timedelta(minutes=14)))
        assert code.state == State.ISSUED

    def test_without_evidence_waits_for_the_silence(self, engine, code):
        see_to(engine, later(code, timedelta(minutes=16)))
        assert code.state == State.ISSUED
        assert code.next_check_at == code.lease_until + timedelta(minutes=60)
        assert not PendingRedemption.objects.to_end().exists()

    def test_gives_back_after_the_silence(self, engine, sandbox, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        later(code, timedelta(minutes=76))
        assert see_to_all(engine) == 1
        code.refresh_from_db()
        assert (code.state, code.reason) == (State.REVERSED, Reason.NOT_HEARD_OF)
        assert sandbox.balance(MARA) == 640

    def test_gives_back_ten_seconds_after_it_was_taken_off(self, engine, sandbox, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        life.note_applied(code)
        life.note_removed(code)
        see_to_all(engine)
        code.refresh_from_db()
        assert code.state == State.ISSUED
        later(code, timedelta(seconds=11))
        assert see_to_all(engine) == 1
        code.refresh_from_db()
        assert (code.state, code.reason) == (State.REVERSED, Reason.ABANDONED)
        assert sandbox.balance(MARA) == 640

    def test_a_code_that_was_kept_is_not_given_back(self, engine, code):
        life.note_removed(code)
        life.keep(code)
        see_to(engine, later(code, timedelta(seconds=11)))
        assert code.state == State.ISSUED

    def test_that_comes_between_two_looks_is_not_put_off(self, code):
        later(code, timedelta(minutes=76))
        life.look_later(code, timedelta(minutes=60))
        assert PendingRedemption.objects.to_end().exists()

    @pytest.mark.parametrize("span", [timedelta(minutes=76), timedelta(days=3)])
    def test_of_one_that_the_pos_still_takes_is_a_managers(self, engine, code, span):
        life.note_applied(code)
        see_to(engine, later(code, span))
        assert code.state == State.ISSUED
        assert not PendingRedemption.objects.to_end().exists()

    def test_of_one_that_a_till_saw_sold_is_a_managers(self, engine, code):
        life.claim_used(code)
        later(code, timedelta(days=2))
        assert not PendingRedemption.objects.to_end().exists()
        see_to(engine, code)
        assert code.state == State.ISSUED

    def test_of_a_delayed_one_asks_nothing_of_the_engine(self, engine, sandbox, row):
        code = row(State.ISSUED, delayed=True)
        before = sandbox.call_counts()
        see_to(engine, later(code, timedelta(minutes=76)))
        assert code.state == State.CANCELLED
        assert sandbox.call_counts() == before


def of(till: Till, ticket: str) -> Withdrawal:
    """The till's word of the sale beside it."""
    return Withdrawal(said=True, sale=OpenSale(till, ticket))


class TestWithdrawal:
    def test_a_code_on_a_sale_is_not_undone(self, engine, sandbox, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        life.note_applied(code)
        with pytest.raises(NotWithdrawn):
            undo(engine=engine, redemption=code)
        assert (code.state, sandbox.balance(MARA)) == (State.ISSUED, 140)

    def test_once_the_pos_took_it_off_it_is(self, engine, sandbox, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        life.note_applied(code)
        undo(engine=engine, redemption=code, withdrawal=Withdrawal(said=True))
        assert (code.state, sandbox.balance(MARA)) == (State.REVERSED, 640)

    def test_a_till_says_so_of_its_own_sale_alone(self, engine, sandbox, act, mara, till):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        life.bind(code, "T-1")
        life.note_applied(code)
        with pytest.raises(NotWithdrawn, match=r"on another sale \(T-1\)\. Undo it there"):
            undo(engine=engine, redemption=code, withdrawal=of(till, "T-2"))
        assert (code.state, code.withdrawn_at) == (State.ISSUED, None)
        undo(engine=engine, redemption=code, withdrawal=of(till, "T-1"))
        assert (code.state, sandbox.balance(MARA)) == (State.REVERSED, 640)

    def test_nor_of_a_code_that_came_to_another_sale_meanwhile(self, engine, row, till):
        code = row(State.ISSUED, ticket="T-1")
        there = PendingRedemption.objects.get(pk=code.pk)
        life.bind(there, "T-2")
        life.note_applied(there)
        with pytest.raises(NotWithdrawn, match=r"on another sale \(T-2\)"):
            undo(engine=engine, redemption=code, withdrawal=of(till, "T-1"))
        assert (code.state, code.withdrawn_at) == (State.ISSUED, None)

    def test_a_code_on_no_sale_is_undone_at_any_till(self, row, engine, till):
        code = row(State.ISSUED, ticket="T-1", delayed=True)
        undo(engine=engine, redemption=code, withdrawal=Withdrawal(sale=OpenSale(till, "")))
        assert code.state == State.CANCELLED

    def test_a_code_that_is_being_reversed_is_refused_to_the_pos(self, row):
        assert not life.note_applied(row(State.REVERSING))


def test_a_voided_ticket_gives_its_codes_back(engine, sandbox, act, mara):
    code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    life.bind(code, "T-1")
    life.note_applied(code)
    assert [row.pk for row in life.void_ticket(act.installation, "T-1")] == [code.pk]
    see_to_all(engine)
    code.refresh_from_db()
    assert (code.state, code.reason) == (State.REVERSED, Reason.VOIDED)
    assert sandbox.balance(MARA) == 640


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_voided_ticket_gives_back_what_is_found_later(act, row, state):
    unknown = row(state, ticket="T-1")
    assert life.void_ticket(act.installation, "T-1") == [unknown]
    unknown.refresh_from_db()
    assert unknown.reverse_when_found
    unknown.issue(code="LP-LATE")
    assert unknown.state == State.REVERSING
