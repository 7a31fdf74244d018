"""Points that go with the order: set aside until then, one such code a member, ended by no call."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Q

from audit.record import By, Who
from connectors.yotpo.payloads import Redemption
from redemptions import delayed, life
from redemptions.actions import redeem, undo, write_success
from redemptions.delayed import Agreed
from redemptions.errors import AnotherUnderWay, EndsOpenCode, StillOnSale, WrongPoints
from redemptions.models import PendingRedemption, sets_aside
from redemptions.settling import see_to
from redemptions.states import Deduction, Reason, State
from redemptions.use import Outcome, unuse, use
from redemptions.withdrawal import Withdrawal
from tests.redemptions.conftest import BY_POINTS, FIVE_OFF, TOTE

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MARA = "mara@example.com"


@pytest.fixture(autouse=True)
def _delayed(installation) -> None:
    installation.delayed_deduction = True
    installation.save()


@pytest.fixture
def ask(engine, another_act, mara) -> Callable[..., PendingRedemption]:
    """Redeem as a new act; `ends` is the code that the associate agreed to end."""

    def asked(offer_id=FIVE_OFF, *, ends=None, withdrawn=False, **more):
        act = another_act()
        if ends is not None:
            object.__setattr__(act, "ends", Agreed(ends.id, Withdrawal(withdrawn)))
        facts = {"engine": engine, "act": act, "member": mara, "another": True}
        return redeem(**facts, offer_id=offer_id, **more)

    return asked


def sell(code: PendingRedemption, sale: str = "S-1") -> Outcome:
    with transaction.atomic():
        [told] = use([code.code], sale)
    code.refresh_from_db()
    return told.outcome


class TestMaking:
    def test_a_generic_code_takes_no_points_yet(self, ask, sandbox):
        code = ask()
        assert (code.state, code.delayed, code.points_set_aside) == (State.ISSUED, True, 500)
        assert sandbox.balance(MARA) == 640

    def test_a_custom_coupons_points_go_at_once(self, ask, sandbox):
        coupon = ask(TOTE)
        assert (coupon.delayed, coupon.points_set_aside) == (False, 0)
        assert sandbox.balance(MARA) == 340

    def test_points_that_are_set_aside_are_not_spent_on_a_coupon(self, ask, sandbox):
        ask()
        with pytest.raises(WrongPoints, match="160 more points than the 140"):
            ask(TOTE)
        assert sandbox.balance(MARA) == 640

    def test_elsewhere_nothing_is_delayed(self, ask, installation):
        installation.delayed_deduction = False
        installation.save()
        assert not ask().delayed

    def test_points_set_aside_meanwhile_are_not_spent_either(self, ask, sandbox, row, monkeypatch):
        """Another till made a code between our reading and our writing."""
        read = delayed.setting_aside

        def and_then(member):
            standing = read(member)
            row(State.ISSUED, delayed=True)
            return standing

        monkeypatch.setattr(delayed, "setting_aside", and_then)
        with pytest.raises(AnotherUnderWay):
            ask(TOTE)
        assert (sandbox.balance(MARA), PendingRedemption.objects.count()) == (640, 1)


class TestOneAtATime:
    def test_another_is_asked_about_and_makes_nothing(self, ask, sandbox):
        older = ask()
        with pytest.raises(EndsOpenCode) as refused:
            ask(BY_POINTS, points=37)
        assert refused.value.redemption == older
        assert len(sandbox.redemptions()) == 1

    def test_on_yes_the_older_one_ends_in_the_same_act(self, ask, by_ana):
        older = ask()
        newer = ask(ends=older, by=by_ana)
        older.refresh_from_db()
        assert (older.state, older.reason) == (State.CANCELLED, Reason.REPLACED)
        assert (newer.state, newer.code != older.code) == (State.ISSUED, True)

    def test_its_points_count_for_the_new_one(self, ask):
        assert ask(BY_POINTS, points=600, ends=ask()).state == State.ISSUED

    def test_a_yes_to_another_code_is_none(self, ask, row):
        ask()
        with pytest.raises(EndsOpenCode):
            ask(ends=row(State.CANCELLED))

    def test_one_that_is_on_a_sale_stays_until_the_pos_took_it_off(self, ask, sandbox):
        older = ask()
        life.note_applied(older)
        with pytest.raises(StillOnSale, match="Take it off there first"):
            ask(ends=older)
        older.refresh_from_db()
        assert (older.state, len(sandbox.redemptions())) == (State.ISSUED, 1)
        assert ask(ends=older, withdrawn=True).state == State.ISSUED

    def test_one_that_a_till_saw_sold_stays_whatever_the_pos_says(self, ask):
        older = ask()
        life.claim_used(older)
        with pytest.raises(StillOnSale, match="a sale with the code"):
            ask(ends=older, withdrawn=True)
        assert PendingRedemption.objects.get() == older

    def test_a_coupon_ends_nothing(self, ask, sandbox):
        sandbox.adjust(MARA, 1000)
        older = ask()
        assert ask(TOTE).state == State.ISSUED
        older.refresh_from_db()
        assert older.state == State.ISSUED

    def test_the_engine_ends_one_that_counts_on_the_same_points(self, ask, sandbox):
        older = ask()
        ask(ends=older)
        states = {made["code"]: made["state"] for made in sandbox.redemptions()}
        assert states[older.code] == "cancelled"


class TestEnding:
    def test_a_lost_reply_was_not_made_after_the_settle_time(self, ask, sandbox, engine, settings):
        sandbox.fault("POST /redemptions", "drop_after")
        lost = ask()
        # The member takes as much online: it is not ours.
        sandbox.redeem_online(MARA, FIVE_OFF)
        assert lost.state == State.UNCERTAIN
        settings.ENGINE_SETTLE_SECONDS = 0
        for _ in range(2):
            PendingRedemption.objects.update(next_check_at=lost.requested_at)
            lost.refresh_from_db()
            see_to(engine, lost)
        assert lost.state == State.NOT_MADE

    def test_an_answer_that_comes_after_that_is_kept_and_its_sale_known(self, row):
        lost = row(State.NOT_MADE, delayed=True)
        write_success(lost, Redemption(id=7, code="LP-LATE", approved=True, created_at=None))
        assert (lost.state, lost.reason, lost.code) == (
            State.CANCELLED, Reason.LATE_REPLY, "LP-LATE"
        )  # fmt: skip
        assert sell(lost) is Outcome.CANCELLED
        assert lost.state == State.USED

    def test_undo_asks_nothing_of_the_engine(self, ask, engine, sandbox):
        code = ask()
        before = sandbox.call_counts()
        undo(engine=engine, redemption=code)
        assert (code.state, sandbox.call_counts() == before) == (State.CANCELLED, True)

    def test_used_then_void_then_sold_again(self, ask):
        code = ask()
        assert sell(code) is Outcome.USED
        with transaction.atomic():
            unuse("S-1")
        code.refresh_from_db()
        assert (code.state, code.deduction) == (State.CANCELLED, Deduction.NONE)
        assert sell(code, "S-2") is Outcome.CANCELLED
        assert code.state == State.USED

    @pytest.mark.parametrize("ended_before", [False, True])
    def test_what_the_engine_ended_and_a_sale_has_is_disputed(self, ask, engine, ended_before):
        code = ask()
        if ended_before:
            undo(engine=engine, redemption=code)
        assert code.end_by_engine()
        assert not code.end_by_engine()
        assert sell(code) is Outcome.DISPUTED
        assert (code.state, code.reason) == (State.DISPUTED, Reason.SOLD_ENDED)

    def test_what_was_used_the_engine_ends_no_more(self, ask):
        code = ask()
        sell(code)
        assert not code.end_by_engine()
        assert code.state == State.USED


@pytest.fixture
def by_ana(ana, till) -> By:
    from audit.record import Where

    return By(Who.associate(ana), Where.at(till=till))


def test_used_points_stay_set_aside_until_they_were_seen_to_go(ask, mara):
    """The engine takes an order at once, and its points some time later."""
    code = ask()
    sell(code)
    assert [row.points_set_aside for row in delayed.setting_aside(mara)] == [500]
    delayed.note_told("S-1")
    assert [row.points_set_aside for row in delayed.setting_aside(mara)] == [500]
    PendingRedemption.objects.update(deduction=Deduction.GONE)
    assert delayed.setting_aside(mara) == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("is_delayed", [False, True])
@pytest.mark.parametrize("deduction", [Deduction.NONE, Deduction.DUE, Deduction.TOLD])
def test_the_database_and_the_row_agree_on_what_is_set_aside(row, state, is_delayed, deduction):
    here = row(state, delayed=is_delayed, deduction=deduction if is_delayed else "")
    there = PendingRedemption.objects.filter(sets_aside(), pk=here.pk).exists()
    assert there == (here.points_set_aside > 0)


def test_only_of_a_delayed_one_points_are_still_to_go(row):
    row(State.USED, delayed=True, deduction=Deduction.DUE)
    with pytest.raises(IntegrityError), transaction.atomic():
        row(State.USED, deduction=Deduction.DUE)
    with pytest.raises(IntegrityError), transaction.atomic():
        row(State.USED, delayed=True, deduction="other")
    assert PendingRedemption.objects.filter(~Q(deduction="")).count() == 1
