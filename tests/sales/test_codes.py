"""What became of each code of a sale: told in the answer, to a manager where it matters."""

import pytest

from members.models import Member
from redemptions.actions import redeem
from redemptions.models import PendingRedemption, Question
from redemptions.settling import see_to_all
from redemptions.sold import SoldCode, found_since, use_what_was_sold
from redemptions.states import Deduction, Reason, State
from sales.orders import order_of
from sales.record import codes_by_now, void
from tests.redemptions.conftest import FIVE_OFF

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA, BEA = "mara@example.com", "bea@example.com"
REDEEM = "POST /redemptions"


@pytest.fixture
def code(engine, act, mara) -> PendingRedemption:
    return redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)


def outcomes(sale) -> list[str]:
    return [told["outcome"] for told in codes_by_now(sale)]


def questions() -> list[tuple[str, str]]:
    return list(Question.objects.order_by("pk").values_list("by", "why"))


class TestAnotherMembersCode:
    def test_is_used_and_a_managers_question(self, code, sell):
        sale = sell(email=BEA, coupon_codes=(code.code,)).sale
        code.refresh_from_db()
        assert (code.state, outcomes(sale)) == (State.USED, ["another_members"])
        assert questions() == [("sale", "others")]
        bea = Member.objects.seen(BEA)
        assert order_of(sale, bea).coupon_codes == (code.code,)

    def test_is_told_also_of_a_buyer_whom_we_have_seen(self, code, sell):
        Member.objects.seen(BEA)
        assert outcomes(sell(email=BEA, coupon_codes=(code.code,)).sale) == ["another_members"]

    def test_is_not_her_own_in_other_capitals(self, code, sell):
        sale = sell(email=MARA.title(), coupon_codes=(code.code,)).sale
        assert (outcomes(sale), questions()) == (["used"], [])


def test_a_code_that_two_sales_have_is_a_managers_question(code, sell):
    sell(coupon_codes=(code.code,))
    assert outcomes(sell("S-2", coupon_codes=(code.code,)).sale) == ["used_before"]
    assert questions() == [("sale", "twice")]


def test_a_code_that_we_had_ended_is_told_and_its_points_go(row, sell):
    ended = row(State.CANCELLED, delayed=True, reason=Reason.REPLACED)
    sale = sell(coupon_codes=(ended.code,)).sale
    ended.refresh_from_db()
    assert (ended.state, ended.deduction, outcomes(sale)) == (
        State.USED,
        Deduction.DUE,
        ["cancelled"],
    )
    assert sale.member == ended.member


class TestAnUnknownCode:
    def test_is_kept_and_alarms_nobody(self, mara, sell):
        sale = sell(coupon_codes=("Web-1",)).sale
        assert (outcomes(sale), questions()) == (["unknown"], [])
        assert SoldCode.objects.values_list("code", "sale").get() == ("WEB-1", "S-1")

    @pytest.fixture
    def lost(self, engine, sandbox, act, mara, settings) -> tuple[PendingRedemption, str]:
        """Its answer was lost; the engine has it."""
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.fault(REDEEM, "drop_after")
        redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        assert redemption.state == State.UNCERTAIN
        return redemption, sandbox.redemptions()[-1]["code"]

    def test_is_used_when_its_redemption_is_settled(self, engine, sandbox, lost, sell):
        redemption, code = lost
        sale = sell(coupon_codes=(code.lower(),)).sale
        assert outcomes(sale) == ["unknown"]
        see_to_all(engine)
        redemption.refresh_from_db()
        assert (redemption.state, redemption.sale) == (State.USED, "S-1")
        assert outcomes(sale) == ["used"]
        assert order_of(sale, redemption.member).coupon_codes == (code,)
        assert sandbox.balance(MARA) == 140

    def test_that_two_sales_have_is_a_managers_question_then(self, engine, lost, sell):
        sales = [sell(pos_id, coupon_codes=(lost[1],)).sale for pos_id in ("S-1", "S-2")]
        see_to_all(engine)
        assert [outcomes(sale) for sale in sales] == [["used"], ["used_before"]]
        assert questions() == [("sale", "twice")]

    def test_is_kept_whatever_its_letters_become_in_capitals(self, mara, sell):
        """One letter becomes three; PostgreSQL would refuse the whole sale."""
        longest = "\N{LATIN SMALL LIGATURE FFI}" * 255
        assert outcomes(sell(coupon_codes=(longest,)).sale) == ["unknown"]

    def test_goes_back_with_a_void_of_its_sale(self, engine, sandbox, installation, lost, sell):
        redemption, code = lost
        sell(coupon_codes=(code,))
        see_to_all(engine)
        assert void(installation, "S-1").codes == [redemption]
        see_to_all(engine)
        assert sandbox.balance(MARA) == 640

    def test_is_found_by_the_worker_where_neither_saw_the_other(self, code, sell, monkeypatch):
        """Both were committed at one moment, and a process died before it looked."""
        SoldCode.objects.create(code=code.code.upper(), sale="S-1")
        assert use_what_was_sold() == 1
        code.refresh_from_db()
        assert (code.state, code.sale) == (State.USED, "S-1")
        assert found_since("S-1")[code.code.upper()].outcome == "used"
        assert use_what_was_sold() == 0

    def test_of_a_sale_of_before_is_not_a_code_that_came_again(self, engine, act, mara, code, row):
        SoldCode.objects.create(code="LP-AGAIN", sale="S-0")
        later = row(State.ISSUED, code="LP-AGAIN")
        assert use_what_was_sold() == 0
        later.refresh_from_db()
        assert later.state == State.ISSUED
