"""Points become a coupon code once, and a failure never costs a member anything unseen."""

from dataclasses import replace

import pytest

from connectors.errors import Misconfigured, Throttled, Unavailable
from connectors.yotpo.payloads import Redemption
from members.models import Member
from offers.catalogue import catalogue
from redemptions.actions import Act, redeem
from redemptions.errors import (
    ActKeyTaken,
    AnotherUnderWay,
    MemberCannotRedeem,
    NoSuchOffer,
    OpenCodeExists,
    PriceChanged,
    WrongPoints,
)
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from sandbox.yotpo.seed_offers import OFFERS
from tests.redemptions.conftest import BY_POINTS, FIVE_OFF, TEN_OFF, TOTE

pytestmark = pytest.mark.django_db
MARA = "mara@example.com"
CREATE = "POST /redemptions"


def test_a_fixed_offer_gives_a_code_and_takes_its_points(engine, sandbox, act, mara):
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert redemption.state == State.ISSUED
    assert redemption.code == sandbox.redemptions()[-1]["code"]
    assert (redemption.points, redemption.value_cents) == (500, 500)
    assert sandbox.balance(MARA) == 140


def test_a_variable_offer_takes_the_points_that_were_chosen(engine, sandbox, act, mara):
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=BY_POINTS, points=123)

    assert (redemption.state, redemption.points, redemption.value_cents) == (State.ISSUED, 123, 123)
    assert sandbox.balance(MARA) == 640 - 123


def test_a_custom_offer_gives_a_code_of_its_pool(engine, sandbox, act, mara):
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=TOTE)

    assert redemption.state == State.ISSUED
    assert sandbox.balance(MARA) == 340


def test_the_row_is_committed_before_the_engine_hears_of_it(
    engine, sandbox, act, mara, monkeypatch
):
    seen = []

    def look(**_asked):
        seen.extend(PendingRedemption.objects.values_list("state", "points"))
        raise Unavailable("yotpo", "POST", "/redemptions")

    monkeypatch.setattr(engine, "create_redemption", look)
    redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert seen == [(State.REQUESTED, 500)]


def test_the_same_key_gives_the_same_redemption(engine, sandbox, act, mara):
    first = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    again = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert again.pk == first.pk
    assert sandbox.call_counts()[CREATE] == 1


OUTCOMES = {
    "dropped before it acted": ("drop_before", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "dropped after it acted": ("drop_after", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "answered after our deadline": ("late", {"seconds": 3}, State.UNCERTAIN, Reason.TIMED_OUT),
    "500": ("status", {"status": 500}, State.UNCERTAIN, Reason.REPLY_LOST),
    "503": ("status", {"status": 503}, State.UNCERTAIN, Reason.REPLY_LOST),
    "408": ("status", {"status": 408}, State.UNCERTAIN, Reason.REPLY_LOST),
    "429": ("throttle", {}, State.REFUSED, Reason.THROTTLED),
    "401": ("status", {"status": 401, "body": "{}"}, State.REFUSED, Reason.MISCONFIGURED),
    "422": (
        "status",
        {"status": 422, "body": '{"error": "no"}'},
        State.REFUSED,
        Reason.ENGINE_SAID_NO,
    ),
    "not approved": ("not_approved", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "no code": ("code_missing", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "HTML": ("html", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "empty": ("empty", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "null": ("null", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "a list": ("list", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "an error inside 200": ("error_inside", {}, State.UNCERTAIN, Reason.REPLY_LOST),
    "cut short": ("cut", {}, State.UNCERTAIN, Reason.REPLY_LOST),
}


@pytest.mark.parametrize(("fault", "details", "state", "reason"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_the_answer_makes_of_it(engine, sandbox, act, mara, fault, details, state, reason):
    sandbox.fault(CREATE, fault, **details)

    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert (redemption.state, redemption.reason) == (state, reason)
    assert redemption.code == ""
    assert sandbox.call_counts()[CREATE] == 1


def test_an_answer_with_an_id_and_no_code_keeps_the_id(engine, sandbox, act, mara):
    sandbox.fault(CREATE, "code_missing")

    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert redemption.engine_id == sandbox.redemptions()[-1]["id"]


def test_the_same_key_may_try_again_after_nothing_was_taken(engine, sandbox, act, mara):
    sandbox.fault(CREATE, "throttle")
    first = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    second = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert (first.reason, second.state) == (Reason.THROTTLED, State.ISSUED)
    assert second.pk != first.pk


def test_the_same_key_does_not_try_again_while_the_answer_is_lost(engine, sandbox, act, mara):
    sandbox.fault(CREATE, "drop_after")
    first = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    second = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert second.pk == first.pk
    assert sandbox.balance(MARA) == 140


def test_another_waits_while_one_is_uncertain(engine, sandbox, act, another_act, mara):
    sandbox.fault(CREATE, "drop_before")
    redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    with pytest.raises(AnotherUnderWay):
        redeem(engine=engine, act=another_act(), member=mara, offer_id=TOTE)

    assert PendingRedemption.objects.count() == 1


def test_an_open_code_for_the_same_offer_asks_before_another(engine, act, another_act, mara):
    first = redeem(engine=engine, act=act, member=mara, offer_id=TOTE)

    with pytest.raises(OpenCodeExists) as asked:
        redeem(engine=engine, act=another_act(), member=mara, offer_id=TOTE)
    second = redeem(engine=engine, act=another_act(), member=mara, offer_id=TOTE, another=True)

    assert asked.value.redemption.pk == first.pk
    assert second.state == State.ISSUED
    assert second.code != first.code


def test_a_key_of_somebody_else_is_refused(engine, act, mara, ben):
    redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    stolen = Act(act.key, act.installation, act.till, ben)

    with pytest.raises(ActKeyTaken):
        redeem(engine=engine, act=stolen, member=mara, offer_id=FIVE_OFF)


def test_a_key_is_for_one_offer_and_one_number_of_points(engine, act, mara):
    redeem(engine=engine, act=act, member=mara, offer_id=BY_POINTS, points=10)

    with pytest.raises(ActKeyTaken):
        redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    with pytest.raises(ActKeyTaken):
        redeem(engine=engine, act=act, member=mara, offer_id=BY_POINTS, points=11)


PERCENTAGE = next(o.id for o in OFFERS if o.discount_type == "percentage" and o.is_offline)
REFUSED_BEFORE = {
    "an unknown offer": (1, None, NoSuchOffer),
    "an online-only offer": (next(o.id for o in OFFERS if not o.is_offline), None, NoSuchOffer),
    "a percentage": (PERCENTAGE, None, NoSuchOffer),
    "an offer that costs more than there is": (TEN_OFF, None, WrongPoints),
    "no number of points": (BY_POINTS, None, WrongPoints),
    "zero points": (BY_POINTS, 0, WrongPoints),
    "negative points": (BY_POINTS, -5, WrongPoints),
    "more points than there are": (BY_POINTS, 641, WrongPoints),
    "another price than the offer's": (FIVE_OFF, 1, WrongPoints),
}


@pytest.mark.parametrize("told", [499, 501])
def test_another_price_than_was_told_takes_nothing(engine, sandbox, act, mara, told):
    with pytest.raises(PriceChanged) as asked:
        redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF, price=told)

    assert (asked.value.offer.points, asked.value.available) == (500, 640)
    assert not PendingRedemption.objects.exists()
    assert CREATE not in sandbox.call_counts()


def test_the_price_that_was_told_is_taken(engine, sandbox, act, mara):
    redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF, price=500)

    assert sandbox.balance(MARA) == 140


@pytest.mark.parametrize(("offer", "points", "error"), REFUSED_BEFORE.values(), ids=REFUSED_BEFORE)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    engine, sandbox, act, mara, offer, points, error
):
    with pytest.raises(error):
        redeem(engine=engine, act=act, member=mara, offer_id=offer, points=points)

    assert CREATE not in sandbox.call_counts()
    assert not PendingRedemption.objects.exists()


def test_someone_who_opted_out_is_not_redeemed_for(engine, sandbox, act):
    gone = sandbox.add_member(email="gone@example.com", points=900, opted_in=False)
    member = Member.objects.seen(gone["email"])

    with pytest.raises(MemberCannotRedeem):
        redeem(engine=engine, act=act, member=member, offer_id=FIVE_OFF)


@pytest.mark.parametrize(
    ("fault", "error"), [("throttle", Throttled), ("drop_before", Unavailable)], ids=str
)
def test_terms_that_cannot_be_read_store_nothing(engine, sandbox, act, mara, fault, error):
    sandbox.fault("GET /redemption_options", fault, times=None)

    with pytest.raises(error):
        redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert not PendingRedemption.objects.exists()


def test_wrong_keys_are_told_as_such(engine, sandbox, act, mara):
    sandbox.fault("GET /customers", "status", status=403, body="{}")

    with pytest.raises(Misconfigured):
        redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)


def test_a_code_that_is_open_already_is_not_handed_out_twice(engine, act, mara, row, monkeypatch):
    taken = row(State.ISSUED, offer_id=TOTE, engine_id=3).code
    answer = Redemption(id=7, code=taken, approved=True, created_at=None)
    monkeypatch.setattr(engine, "create_redemption", lambda **_asked: answer)

    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert (redemption.state, redemption.code) == (State.UNCERTAIN, "")


def test_a_shared_list_of_offers_is_read_anew_for_the_price(
    engine, sandbox, act, mara, installation, monkeypatch
):
    installation.offer_policy = installation.OfferPolicy.SHARED
    catalogue.read(engine, installation, {})
    options = engine.options

    def dearer(**asked):
        return [
            replace(option, points=550) if option.id == FIVE_OFF else option
            for option in options(**asked)
        ]

    monkeypatch.setattr(engine, "options", dearer)
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert redemption.points == 550


@pytest.mark.parametrize("code", ["x" * 256, "Redeemed"], ids=["too long", "no code"])
def test_an_answer_whose_code_is_none_is_uncertain(engine, sandbox, act, mara, code):
    body = {"id": 99, "reward_text": code, "approved": True}
    sandbox.fault(CREATE, "status", status=200, body=body)

    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)

    assert (redemption.state, redemption.engine_id) == (State.UNCERTAIN, 99)
