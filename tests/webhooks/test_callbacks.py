"""Create and Cancel Coupon, and a shopper's cancellation: what becomes of codes and points."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from connectors.yotpo.webhook import read_callback
from database.encryption import blind_index
from redemptions import life, looking, settling
from redemptions.disputes import asks_for_a_manager
from redemptions.errors import NoLongerCounts
from redemptions.models import PendingRedemption, Question, ToldCode
from redemptions.settling import see_to
from redemptions.states import Reason, State
from redemptions.told import answer, watch_questions
from redemptions.use import use
from tests.webhooks.conftest import handle_all
from tests.webhooks.examples import ASKED, CANCEL_CALLS, CREATE_CALLS, CREATED, EMAIL
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]
CODE, ENGINE_ID = "YLTY-8Q2F", 10869305


@pytest.fixture
def row(installation, mara):
    """A redemption of the ledger as it would stand in a state."""

    def make(state: State = State.ISSUED, **fields: Any) -> PendingRedemption:
        soon = timezone.now() + timedelta(minutes=15)
        facts = {
            "installation": installation,
            "member": mara,
            "act_key": uuid.uuid4().hex,
            "offer_id": 90121,
            "offer_name": "$5.00 Off",
            "offer_kind": "fixed",
            "points": 500,
            "value_cents": 1000,
            "currency": "USD",
            "state": state,
            "code": "" if state == State.UNCERTAIN else CODE,
            "engine_id": ENGINE_ID,
            "lease_until": soon,
            "next_check_at": timezone.now(),
            "sold_at": timezone.now() if state == State.USED else None,
            "reason": Reason.REPLY_LOST if state == State.UNCERTAIN else "",
        }
        made = PendingRedemption.objects.create(**facts | fields)
        made.refresh_from_db()
        return made

    return make


def now(redemption: PendingRedemption) -> PendingRedemption:
    redemption.refresh_from_db()
    return redemption


# The calls


@pytest.mark.parametrize("where", ["header", "secret", "api_secret", "shared_secret"])
@pytest.mark.parametrize("body", CREATE_CALLS.values(), ids=CREATE_CALLS)
def test_a_coupon_is_created_whatever_the_shape(post, secret, body, where):
    headers = {"X-Api-Secret": secret} if where == "header" else {}
    told = body if where == "header" else body | {where: secret}

    answers = [post(told, "create_coupon", **headers) for _ in range(2)]

    kept = ToldCode.objects.get()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["id"] for answer in answers} == {kept.pk}
    assert kept.code == CODE
    assert kept.value_cents in {1000, None}
    assert secret not in "".join(row.raw for row in Webhook.objects.all())


def test_a_form_is_as_good(post, secret):
    form = f"coupon_code={CODE}&customer_email=mara%40example.com&api_secret={secret}"

    answer = post(form, "create_coupon", kind="application/x-www-form-urlencoded")

    assert answer.json()["code"] == CODE
    assert ToldCode.objects.get().email_index == blind_index(EMAIL)


@pytest.mark.parametrize("shown", ["", "lpw_wrong", "0" * 64])
@pytest.mark.parametrize("event", ["create_coupon", "cancel_coupon"])
def test_without_the_secret_in_the_call_nothing_is_done(post, row, event, shown):
    redemption = row()

    answer = post({"code": CODE, "secret": shown}, event, **{"X-Api-Secret": shown})

    assert answer.status_code == 404
    assert now(redemption).state == State.ISSUED
    assert not ToldCode.objects.exists()


def test_a_call_that_names_no_coupon_is_told_so(call):
    assert call("create_coupon", {"amount": 5}).status_code == 422


@pytest.mark.parametrize("body", CANCEL_CALLS.values(), ids=CANCEL_CALLS)
def test_a_delayed_code_that_the_engine_ends_counts_no_more(call, row, body):
    redemption = row(delayed=True, applied_at=timezone.now())

    answers = [call("cancel_coupon", body).json()["success"] for _ in range(2)]

    assert answers == [True, True]
    assert (now(redemption).state, redemption.reason) == (State.CANCELLED, Reason.BY_ENGINE)


def test_a_coupon_is_ended_by_the_id_that_we_gave(call, row):
    given = call("create_coupon", {"code": CODE}).json()["third_party_id"]
    redemption = row(delayed=True)

    call("cancel_coupon", {"id": f"{given},999999"})

    assert now(redemption).state == State.CANCELLED


def test_an_id_beside_a_code_is_the_engines_own(call, row):
    """Its ids and ours are both small numbers: another member's code must not end for it."""
    other = call("create_coupon", {"code": "LP-OTHER"}).json()["id"]
    theirs = row(delayed=True, code="LP-OTHER", engine_id=ENGINE_ID + 1)

    call("cancel_coupon", {"id": other, "coupon": {"code": CODE}})

    assert now(theirs).state == State.ISSUED


def test_more_than_a_hundred_coupons_are_refused(call):
    codes = [f"LP-{number}" for number in range(101)]
    for event in ("create_coupon", "cancel_coupon"):
        answer = call(event, {"coupons": [{"codes": ",".join(codes[:60])}, {"codes": codes[60:]}]})
        assert answer.status_code == 422
    assert not ToldCode.objects.exists()


def test_who_was_told_and_died_is_succeeded_before_payment(call, row):
    """The end was committed; the redemption had not heard of it when its process died."""
    redemption = row(State.UNCERTAIN, engine_id=None, delayed=True)
    call("cancel_coupon", {"code": CODE})
    PendingRedemption.objects.update(
        state=State.ISSUED, code=CODE, engine_id=ENGINE_ID, lease_until=timezone.now()
    )

    with pytest.raises(NoLongerCounts):
        life.hold(now(redemption))

    assert now(redemption).state == State.CANCELLED


def test_a_code_that_comes_again_can_be_ended_again(call, row):
    call("cancel_coupon", {"code": CODE})
    ToldCode.objects.update(stop_told_at=timezone.now() - timedelta(days=4))
    redemption = row(State.UNCERTAIN, engine_id=None, delayed=True)

    call("cancel_coupon", {"code": CODE})
    redemption.issue(Reason.REPLY_LOST, engine_id=ENGINE_ID, code=CODE)

    assert now(redemption).state == State.CANCELLED


def test_points_that_went_already_are_given_back_where_no_sale_can_have_the_code(call, row):
    redemption = row()

    call("cancel_coupon", {"code": CODE})

    assert (now(redemption).state, redemption.reason) == (State.REVERSING, Reason.BY_ENGINE)


def test_a_code_on_a_sale_is_first_taken_off_there(call, row):
    redemption = row(applied_at=timezone.now())

    call("cancel_coupon", {"code": CODE})

    assert now(redemption).state == State.ISSUED
    assert PendingRedemption.objects.filter(asks_for_a_manager()).exists()
    with pytest.raises(NoLongerCounts):
        life.hold(redemption)
    with pytest.raises(NoLongerCounts):
        life.keep(redemption)
    assert not life.note_applied(redemption)
    life.note_removed(redemption)
    assert now(redemption).state == State.REVERSING


def test_what_is_ended_before_its_code_is_known_ends_when_it_is(call, row):
    redemption = row(State.UNCERTAIN, engine_id=None, delayed=True)
    call("cancel_coupon", {"code": CODE})

    redemption.issue(Reason.REPLY_LOST, engine_id=ENGINE_ID, code=CODE)

    assert (now(redemption).state, redemption.reason) == (State.CANCELLED, Reason.BY_ENGINE)


def test_an_end_told_of_another_redemption_with_the_same_code_does_not_count(call, row):
    call("cancel_coupon", {"code": CODE, "point_redemption_id": 5})
    redemption = row(State.UNCERTAIN, engine_id=None)

    redemption.issue(Reason.REPLY_LOST, engine_id=ENGINE_ID, code=CODE)

    assert now(redemption).state == State.ISSUED


def test_a_sale_that_has_the_code_is_a_managers(call, row):
    redemption = row(State.USED)

    call("cancel_coupon", {"code": CODE})
    call("cancel_coupon", {"code": CODE})

    assert now(redemption).state == State.USED
    question = Question.objects.get()
    assert (question.by, question.why, question.redemption) == ("engine", "used", redemption)


@pytest.mark.parametrize("by_shopper", [True, False])
def test_what_a_manager_answered_is_not_asked_anew(call, post, row, by_shopper):
    row(State.USED)

    def again(number):
        if by_shopper:
            post(ASKED | {"id": f"telling-{number}"})
            handle_all()
        else:
            call("cancel_coupon", {"code": CODE})

    again(1)
    assert answer(Question.objects.get(), "The shopper keeps what they bought.")
    again(2)
    assert Question.objects.get().answer == "The shopper keeps what they bought."

    PendingRedemption.objects.update(state=State.REVERSED, reason=Reason.LET_GO, engine_id=5)
    row(State.USED)
    again(3)
    assert Question.objects.filter(answered_at=None).count() == 1


def test_a_sale_that_comes_with_a_code_to_be_stopped_is_a_managers(call, row):
    redemption = row(applied_at=timezone.now())
    call("cancel_coupon", {"code": CODE})
    assert not Question.objects.exists()

    with transaction.atomic():
        use([CODE], "S-1")

    assert now(redemption).state == State.USED
    assert Question.objects.get().why == "used"
    [condition] = watch_questions()
    assert (condition.kind, condition.subject, condition.count) == ("code.question", "used", 1)


def test_codes_of_the_web_shop_are_nothing_to_us(call):
    assert call("cancel_coupon", {"code": "WEB-1"}).status_code == 200
    assert not Question.objects.exists()


# A shopper asks for their points


def asked(post) -> Webhook:
    post(ASKED)
    handle_all()
    return Webhook.objects.get()


def test_what_waits_for_its_sale_is_given_back(post, row):
    redemption = row()

    assert asked(post).done == "ended"
    assert (now(redemption).state, redemption.reason) == (State.REVERSING, Reason.BY_SHOPPER)


def test_what_a_sale_has_is_not_approved(post, row):
    redemption = row(State.USED)

    assert asked(post).done == "used"
    assert now(redemption).state == State.USED
    assert Question.objects.get().why == "used"


def test_an_unknown_code_is_a_managers(post, installation):
    assert asked(post).done == "unknown"
    question = Question.objects.get()
    assert (question.why, question.engine_id) == ("unknown", ENGINE_ID)


def test_what_a_till_called_sold_is_a_managers(post, row):
    redemption = row(claimed_used_at=timezone.now())

    asked(post)

    assert now(redemption).state == State.ISSUED
    assert Question.objects.get().why == "sold"


# Rule 4


def test_a_code_told_under_the_id_that_we_hold_is_proof(post, row, engine, sandbox):
    redemption = row(State.UNCERTAIN)
    post(CREATED)
    handle_all()

    assert see_to(engine, redemption).state == State.ISSUED
    assert redemption.code == CODE
    assert not sandbox.calls()


def test_another_id_proves_nothing(post, row, engine):
    redemption = row(State.UNCERTAIN, engine_id=7)
    post(CREATED)
    handle_all()

    assert see_to(engine, redemption).state == State.UNCERTAIN


@pytest.fixture
def _no_history(monkeypatch) -> None:
    """The engine's history does not show the redemption yet."""

    def look(client, of):
        sight = looking.look(client, of)
        return replace(sight, customer=replace(sight.customer, history=()))

    monkeypatch.setattr(settling, "look", look)


def read_thrice(engine, redemption) -> PendingRedemption:
    for _ in range(3):
        PendingRedemption.objects.update(next_check_at=timezone.now() - timedelta(seconds=1))
        see_to(engine, redemption)
    return redemption


@pytest.mark.usefixtures("_no_history")
@pytest.mark.parametrize(("is_told", "state"), [(True, State.UNCERTAIN), (False, State.NOT_MADE)])
def test_a_coupon_told_of_as_the_members_keeps_it_open(
    call, row, engine, sandbox, settings, is_told, state
):
    """The history may show it late: what took the points must not be called not made."""
    settings.ENGINE_SETTLE_SECONDS = 0
    redemption = row(State.UNCERTAIN, engine_id=None, value_cents=500)
    made = sandbox.redeem_online(EMAIL, 90121)
    if is_told:
        body = {"code": made["code"], "customer_email": EMAIL, "discount_amount_cents": 500}
        call("create_coupon", body)

    assert read_thrice(engine, redemption).state == state


@pytest.fixture
def _made_before(monkeypatch) -> None:
    """All that the engine's history shows was made a minute ago."""

    def look(client, of):
        sight = looking.look(client, of)
        rows = [
            replace(row, created_at=row.created_at - timedelta(minutes=1)) for row in sight.history
        ]
        return replace(sight, customer=replace(sight.customer, history=tuple(rows)))

    monkeypatch.setattr(settling, "look", look)


@pytest.mark.usefixtures("_made_before")
def test_a_coupon_told_of_late_is_explained_by_its_row(call, row, engine, sandbox, settings):
    """The shopper made it online before; it was only told of while ours was under way."""
    settings.ENGINE_SETTLE_SECONDS = 0
    redemption = row(State.UNCERTAIN, engine_id=None, value_cents=500)
    made = sandbox.redeem_online(EMAIL, 90121)
    call("create_coupon", {"code": made["code"], "customer_email": EMAIL})

    assert read_thrice(engine, redemption).state == State.NOT_MADE


@pytest.mark.usefixtures("_no_history")
def test_a_told_redemption_that_the_history_does_not_show_yet_is_found(post, row, engine, sandbox):
    redemption = row(State.UNCERTAIN, engine_id=None, offer_name="$5 off")
    made = sandbox.redeem_online(EMAIL, 90121)
    at = timezone.now().isoformat()
    told = {"id": made["id"], "reward_text": made["code"], "created_at": at}
    option = {"id": 90121, "name": "$5 off", "amount": 500}
    post(CREATED | {"redemption": told, "redemption_option": option})
    handle_all()

    assert see_to(engine, redemption).state == State.ISSUED
    assert redemption.code == made["code"]


def test_nobody_is_named_in_a_calls_repr():
    asked_for = read_callback(CREATE_CALLS["the article's"] | {"secret": "lpw_x"})

    assert not any(word in repr(asked_for) for word in (EMAIL, CODE, "lpw_x"))
