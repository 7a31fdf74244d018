"""Every answer that the OpenAPI documents for a call is reached here, and no other problem is."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse

from api import members, redemptions, refunds, sales
from api.models import KeyedCall
from api.problems import KINDS
from api.rates import buckets
from api.root import EVERYWHERE, WITH_BODY, api
from members.models import Member
from outbox.claims import claim_to_send
from outbox.models import Delivery
from redemptions import life
from redemptions.models import PendingRedemption
from redemptions.states import State
from sales.models import Sale
from sandbox.control import Sandbox
from stores.models import Associate, Installation
from tests.api.pos import FIVE_OFF, NEVER_SEEN, TWENTY_FIVE_OFF, Pos, kind

pytestmark = pytest.mark.django_db

LOOKUP, ENROL = "POST /api/v1/members/lookup", "POST /api/v1/members"
OFFERS = "GET /api/v1/members/{member_id}/offers"
REDEEM, LIST = "POST /api/v1/redemptions", "GET /api/v1/redemptions"
READ = "GET /api/v1/redemptions/{redemption_id}"
HOLD = "POST /api/v1/redemptions/{redemption_id}/hold"
REVERSE = "POST /api/v1/redemptions/{redemption_id}/reverse"
SALE, VOID = "POST /api/v1/sales", "POST /api/v1/sales/{pos_id}/void"
ATTACH = "POST /api/v1/sales/{pos_id}/attach"
REFUND, PREVIEW = "POST /api/v1/refunds", "POST /api/v1/refunds/preview"
POSTS = (LOOKUP, ENROL, REDEEM, HOLD, REVERSE, SALE, ATTACH, VOID, REFUND, PREVIEW)
CALLS = (*POSTS, OFFERS, LIST, READ)
MARA = {"email": "mara@example.com"}
BODIES: dict[str, dict[str, Any]] = {
    LOOKUP: MARA,
    ENROL: {"email": "ida@example.com"},
    REDEEM: {"member": MARA, "offer_id": FIVE_OFF},
    HOLD: {"ticket": "T-1"},
    REVERSE: {"withdrawn": True},
    SALE: {
        "id": "109001",
        "completed_at": datetime.now(UTC).isoformat(),
        "total_cents": 4200,
        "currency": "USD",
    },
    ATTACH: {"member": MARA},
    VOID: {"reason": "wrong size"},
    REFUND: {"id": "R-1", "sale_id": "109001", "total_cents": 1000, "currency": "USD"},
    PREVIEW: {"sale_id": "109001", "total_cents": 1000},
}


@dataclass
class Stage:
    """What a story plays on."""

    pos: Pos
    sandbox: Sandbox
    row: Callable[..., PendingRedemption]
    monkeypatch: pytest.MonkeyPatch

    def ask(
        self, call: str, body: Any = None, *, of: Any = None, key: str | None = None, **query: str
    ) -> HttpResponse:
        """The call as it would succeed, but for what is given; `of` is the id in its address."""
        method, _, path = call.partition(" /api/v1/")
        if "{member_id}" in path:
            of = of or Member.objects.seen("mara@example.com").id
            path = path.replace("{member_id}", str(of))
        if "{redemption_id}" in path:
            of = of or self.row(State.ISSUED).id
            path = path.replace("{redemption_id}", str(of))
        if "{pos_id}" in path:
            if of is None:
                self.ask(SALE, key="the sale")
            path = path.replace("{pos_id}", str(of or "109001"))
        if call in {REFUND, PREVIEW}:
            Member.objects.seen("mara@example.com")
            self.ask(SALE, MARA, key="the sale")
        if method == "GET":
            return self.pos.get(path, **query)
        key = key or uuid.uuid4().hex
        content = body if isinstance(body, bytes) else json.dumps(BODIES[call] | (body or {}))
        return self.pos.send(
            path, content if isinstance(content, bytes) else content.encode(), key=key
        )

    def engine(self, fault: str, endpoint: str = "*", **more: Any) -> None:
        self.sandbox.fault(endpoint, fault, times=20, **more)


@pytest.fixture
def stage(
    pos: Pos,
    sandbox: Sandbox,
    row: Callable[..., PendingRedemption],
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    return Stage(pos, sandbox, row, monkeypatch)


Story = Callable[[Stage], HttpResponse]
STORIES: dict[tuple[str, int | str], Story] = {}


def tells(call: str, *outcomes: int | str) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.update({(call, outcome): story for outcome in outcomes})
        return story

    return keep


def plain(call: str) -> Story:
    return lambda stage: stage.ask(call)


for each, status in [
    (LOOKUP, 200),
    (ENROL, 201),
    (REDEEM, 201),
    (OFFERS, 200),
    (LIST, 200),
    (READ, 200),
    (HOLD, 200),
    (SALE, 201),
    (ATTACH, 200),
    (VOID, 200),
    (REFUND, 201),
    (PREVIEW, 200),
]:
    STORIES[each, status] = plain(each)


# What any POST may answer


def malformed(call: str) -> Story:
    return lambda stage: stage.ask(call, b'{"email": ')


def bad_key(call: str) -> Story:
    return lambda stage: stage.ask(call, key="k" * 256)


def unknown_field(call: str) -> Story:
    return lambda stage: stage.ask(call, {"surprise": 1})


def reused(call: str) -> Story:
    other = {
        LOOKUP: {"email": "ruth@example.com"},
        ENROL: {"first_name": "Ida"},
        REDEEM: {"ticket": "T-9"},
        HOLD: {"ticket": "T-9"},
        REVERSE: {"reason": "why"},
        SALE: {"total_cents": 1},
        ATTACH: {"store": "boston"},
        VOID: {"reason": "why"},
        REFUND: {"total_cents": 1},
        PREVIEW: {"total_cents": 1},
    }[call]

    def story(stage: Stage) -> HttpResponse:
        of = stage.row(State.ISSUED).id if call in {HOLD, REVERSE} else None
        stage.ask(call, key="k", of=of)
        return stage.ask(call, other, key="k", of=of)

    return story


def running(call: str) -> Story:
    """The first request's process stands still in the middle of it."""

    def story(stage: Stage) -> HttpResponse:
        of = stage.row(State.ISSUED).id if call in {HOLD, REVERSE} else None
        stage.ask(call, key="k", of=of)
        KeyedCall.objects.update(runner=uuid.uuid4(), status=None)
        return stage.ask(call, key="k", of=of)

    return story


SENDING: dict[str, Callable[[str], Story]] = {
    "malformed-json": malformed,
    "bad-idempotency-key": bad_key,
    "invalid-fields": unknown_field,
    "idempotency-key-reused": reused,
    "still-running": running,
}
for each in POSTS:
    STORIES.update({(each, problem): make(each) for problem, make in SENDING.items()})
for each in (SALE, REFUND):
    STORIES[each, "invalid-fields"] = lambda stage, call=each: stage.ask(call, {"total_cents": "1"})


# What any call may answer that asks the engine


def engine_answers(call: str, fault: str, **more: Any) -> Story:
    def story(stage: Stage) -> HttpResponse:
        Member.objects.seen("mara@example.com")
        stage.engine(fault, **more)
        return stage.ask(call)

    return story


for each in (LOOKUP, ENROL, OFFERS, REDEEM, PREVIEW):
    STORIES[each, "engine-said-no"] = engine_answers(each, "status", status=422)
    STORIES[each, "engine-busy"] = engine_answers(each, "throttle")
    STORIES[each, "engine-unavailable"] = engine_answers(each, "status", status=503)
    STORIES[each, "engine-misconfigured"] = engine_answers(each, "status", status=401)


# Each call's own


@tells(LOOKUP, "member-not-found")
def nobody(stage: Stage) -> HttpResponse:
    return stage.ask(LOOKUP, {"email": "nobody@example.com"})


@tells(LOOKUP, "card-number")
def a_card(stage: Stage) -> HttpResponse:
    return stage.pos.post("members/lookup", {"phone": "4111 1111 1111 1111"})


@tells(ENROL, 200)
def a_member_already(stage: Stage) -> HttpResponse:
    return stage.ask(ENROL, MARA)


@tells(ENROL, 202)
def an_enrolment_while_the_engine_is_down(stage: Stage) -> HttpResponse:
    stage.engine("status", status=503)
    return stage.ask(ENROL)


@tells(ENROL, "engine-unavailable")
def an_enrolment_asked_after_while_the_engine_is_down(stage: Stage) -> HttpResponse:
    stage.ask(ENROL, key="k")
    stage.engine("status", status=503)
    return stage.ask(ENROL, key="k")


@tells(ENROL, "likely-duplicates")
def the_phone_of_a_member(stage: Stage) -> HttpResponse:
    return stage.ask(ENROL, {"phone": "(415) 555-0123"})


@tells(ENROL, "card-number")
def a_card_for_a_name(stage: Stage) -> HttpResponse:
    return stage.ask(ENROL, {"first_name": "4111 1111 1111 1111"})


def by_nobody(call: str) -> Story:
    def story(stage: Stage) -> HttpResponse:
        Associate.objects.create(
            installation=stage.pos.installation, code="ana", name="Ana", is_active=False
        )
        return stage.ask(call, {"associate": "ana"})

    return story


for each in (ENROL, REDEEM, REVERSE, SALE, ATTACH, REFUND):
    STORIES[each, "place-disabled"] = by_nobody(each)


@tells(ENROL, "reply-lost")
def lost_enrolment(stage: Stage) -> HttpResponse:
    stage.engine("drop_after", "POST /customers")
    return stage.ask(ENROL)


@tells(OFFERS, "member-not-found")
def offers_of_nobody(stage: Stage) -> HttpResponse:
    return stage.ask(OFFERS, of=NEVER_SEEN)


@tells(REDEEM, 200)
def redeemed_twice(stage: Stage) -> HttpResponse:
    stage.ask(REDEEM, key="k")
    return stage.ask(REDEEM, key="k")


@tells(REDEEM, 202)
def lost_redemption(stage: Stage) -> HttpResponse:
    stage.engine("drop_after", "POST /redemptions")
    return stage.ask(REDEEM)


@tells(REDEEM, "idempotency-key-required")
def no_key(stage: Stage) -> HttpResponse:
    return stage.pos.post("redemptions", BODIES[REDEEM])


@tells(REDEEM, "another-under-way")
def another(stage: Stage) -> HttpResponse:
    stage.row(State.UNCERTAIN)
    return stage.ask(REDEEM)


def delayed_code(stage: Stage) -> Any:
    """An open one, where points go with the order."""
    Installation.objects.update(delayed_deduction=True)
    return stage.ask(REDEEM).json()["id"]


@tells(REDEEM, "ends-open-code")
def one_at_a_time(stage: Stage) -> HttpResponse:
    delayed_code(stage)
    return stage.ask(REDEEM)


@tells(REDEEM, "open-code-elsewhere")
def one_of_another_installation(stage: Stage) -> HttpResponse:
    delayed_code(stage)
    elsewhere = Installation.objects.create(name="Kiosk")
    PendingRedemption.objects.update(installation=elsewhere)
    return stage.ask(REDEEM)


@tells(REDEEM, "not-withdrawn")
def ending_what_was_sold(stage: Stage) -> HttpResponse:
    older = delayed_code(stage)
    life.claim_used(PendingRedemption.objects.get())
    return stage.ask(REDEEM, {"ends": older})


@tells(REDEEM, "member-not-found")
def redeem_for_nobody(stage: Stage) -> HttpResponse:
    return stage.ask(REDEEM, {"member": {"id": str(NEVER_SEEN)}})


@tells(REDEEM, "card-number")
def redeem_for_a_card(stage: Stage) -> HttpResponse:
    return stage.ask(REDEEM, {"member": {"phone": "4111 1111 1111 1111"}})


@tells(REDEEM, "no-such-offer")
def no_such_offer(stage: Stage) -> HttpResponse:
    return stage.ask(REDEEM, {"offer_id": 1})


@tells(REDEEM, "wrong-points")
def too_dear(stage: Stage) -> HttpResponse:
    return stage.ask(REDEEM, {"offer_id": TWENTY_FIVE_OFF})


@tells(REDEEM, "member-cannot-redeem")
def opted_out(stage: Stage) -> HttpResponse:
    return stage.ask(REDEEM, {"member": {"email": "otto@example.com"}})


@tells(LIST, "invalid-fields")
def bad_filter(stage: Stage) -> HttpResponse:
    return stage.ask(LIST, state="gone")


@tells(READ, "redemption-not-found")
def read_nothing(stage: Stage) -> HttpResponse:
    return stage.ask(READ, of=NEVER_SEEN)


@tells(HOLD, "redemption-not-found")
def hold_nothing(stage: Stage) -> HttpResponse:
    return stage.ask(HOLD, of=NEVER_SEEN)


@tells(HOLD, "no-longer-counts")
def hold_used(stage: Stage) -> HttpResponse:
    return stage.ask(HOLD, of=stage.row(State.USED).id)


@tells(REVERSE, "redemption-not-found")
def reverse_nothing(stage: Stage) -> HttpResponse:
    return stage.ask(REVERSE, of=NEVER_SEEN)


@tells(REVERSE, 200)
def reversed_now(stage: Stage) -> HttpResponse:
    return stage.ask(REVERSE, of=stage.row(State.REVERSED).id)


@tells(REVERSE, 202)
def reversed_soon(stage: Stage) -> HttpResponse:
    stage.engine("status", status=503)
    return stage.ask(REVERSE)


def reversing(state: State, **more: Any) -> Story:
    return lambda stage: stage.ask(REVERSE, {"withdrawn": False}, of=stage.row(state, **more).id)


STORIES[REVERSE, "already-used"] = reversing(State.USED)
STORIES[REVERSE, "nothing-to-reverse"] = reversing(State.NOT_MADE)
STORIES[REVERSE, "disputed"] = reversing(State.DISPUTED)


@tells(REVERSE, "not-withdrawn")
def still_on_the_sale(stage: Stage) -> HttpResponse:
    code = stage.row(State.ISSUED)
    PendingRedemption.objects.update(applied_at=code.requested_at)
    return stage.ask(REVERSE, {"withdrawn": False}, of=code.id)


@tells(SALE, 200)
def told_twice(stage: Stage) -> HttpResponse:
    stage.ask(SALE)
    return stage.ask(SALE)


@tells(SALE, "other-content")
def told_otherwise(stage: Stage) -> HttpResponse:
    stage.ask(SALE)
    return stage.ask(SALE, {"total_cents": 1})


@tells(SALE, "card-number")
def sold_to_a_card(stage: Stage) -> HttpResponse:
    return stage.ask(SALE, {"phone": "4111 1111 1111 1111"})


def of_nothing(call: str) -> Story:
    return lambda stage: stage.ask(call, of="never-sold")


for each in (ATTACH, VOID):
    STORIES[each, "sale-not-found"] = of_nothing(each)


def attached_to(problem: str, member: dict[str, str]) -> None:
    STORIES[ATTACH, problem] = lambda stage: stage.ask(ATTACH, {"member": member})


attached_to("member-not-found", {"id": str(NEVER_SEEN)})
attached_to("card-number", {"phone": "4111 1111 1111 1111"})
attached_to("member-cannot-redeem", {"phone": "+14045550112"})


def attaching_met(fault: str, **more: Any) -> Story:
    """Somebody by their phone is looked up at the engine first."""

    def story(stage: Stage) -> HttpResponse:
        stage.engine(fault, **more)
        return stage.ask(ATTACH, {"member": {"phone": "+14155550123"}})

    return story


STORIES[ATTACH, "engine-said-no"] = attaching_met("status", status=422)
STORIES[ATTACH, "engine-busy"] = attaching_met("throttle")
STORIES[ATTACH, "engine-unavailable"] = attaching_met("status", status=503)
STORIES[ATTACH, "engine-misconfigured"] = attaching_met("status", status=401)


@tells(ATTACH, "not-to-be-claimed")
def attached_to_another_before(stage: Stage) -> HttpResponse:
    stage.ask(ATTACH)
    return stage.ask(ATTACH, {"member": {"email": "ruth@example.com"}})


@tells(ATTACH, "sale-under-way")
def attached_while_a_worker_is_at_it(stage: Stage) -> HttpResponse:
    stage.ask(SALE, MARA, key="the sale")
    Sale.objects.update(member=None, not_delivered=Sale.NotDelivered.UNKNOWN_MEMBER, email=None)
    assert claim_to_send(Delivery.objects.get().pk)
    return stage.ask(ATTACH)


@tells(ATTACH, "cannot-attach")
def attached_where_tills_may_not(stage: Stage) -> HttpResponse:
    Installation.objects.update(attach_within_days=0)
    return stage.ask(ATTACH)


@tells(REFUND, 200)
def refunded_twice(stage: Stage) -> HttpResponse:
    stage.ask(REFUND)
    return stage.ask(REFUND)


@tells(REFUND, 202)
def refunded_before_it_was_sold(stage: Stage) -> HttpResponse:
    return stage.ask(REFUND, {"sale_id": "not-sold-yet"})


@tells(REFUND, "other-content")
def refunded_otherwise(stage: Stage) -> HttpResponse:
    stage.ask(REFUND)
    return stage.ask(REFUND, {"total_cents": 1})


@tells(REFUND, "other-currency")
def refunded_in_pounds(stage: Stage) -> HttpResponse:
    return stage.ask(REFUND, {"currency": "GBP"})


@tells(REFUND, "card-number")
def refunded_to_a_card(stage: Stage) -> HttpResponse:
    return stage.ask(REFUND, {"phone": "4111 1111 1111 1111"})


def too_much(call: str) -> Story:
    return lambda stage: stage.ask(call, {"total_cents": 4201})


def of_a_voided_sale(call: str) -> Story:
    def story(stage: Stage) -> HttpResponse:
        stage.ask(SALE, MARA, key="the sale")
        stage.ask(VOID, of="109001")
        return stage.ask(call)

    return story


for each in (REFUND, PREVIEW):
    STORIES[each, "more-than-left"] = too_much(each)
    STORIES[each, "sale-voided"] = of_a_voided_sale(each)


@tells(PREVIEW, "sale-not-found")
def preview_of_nothing(stage: Stage) -> HttpResponse:
    return stage.ask(PREVIEW, {"sale_id": "never-sold"})


@tells(PREVIEW, "member-not-found")
def preview_of_somebody_the_engine_forgot(stage: Stage) -> HttpResponse:
    Member.objects.seen("gone@example.com")
    stage.ask(SALE, {"id": "109002", "email": "gone@example.com"})
    return stage.ask(PREVIEW, {"sale_id": "109002"})


# What any call at all may answer


def without_a_key(call: str) -> Story:
    def story(stage: Stage) -> HttpResponse:
        of = stage.row(State.ISSUED).id
        stage.pos.api_key = "lp_nobody"
        Member.objects.seen("mara@example.com")
        return stage.ask(call, of=of)

    return story


def too_often(call: str) -> Story:
    def story(stage: Stage) -> HttpResponse:
        stage.monkeypatch.setattr("django.conf.settings.API_BURST", 1)
        stage.monkeypatch.setattr("django.conf.settings.API_RATE_PER_SECOND", 0.01)
        buckets.forget()
        stage.ask(call)
        return stage.ask(call)

    return story


TONGUES = [
    (members, "tell_member"),
    (members, "tell_new_member"),
    (members, "tell_offer"),
    (redemptions, "tell_redemption"),
    (sales, "answer"),
    (sales, "attach"),
    (sales, "void"),
    (refunds, "answer"),
    (refunds, "preview"),
]


def that_fails(call: str, error: Exception) -> Story:
    def no_tongue(*_told: object, **_named: object) -> None:
        raise error

    def story(stage: Stage) -> HttpResponse:
        for room, name in TONGUES:
            stage.monkeypatch.setattr(room, name, no_tongue)
        stage.row(State.ISSUED)
        return stage.ask(call)

    return story


def too_large(call: str) -> Story:
    return lambda stage: stage.ask(call, {"surprise": "x" * 256 * 1024})


def in_chunks(call: str) -> Story:
    def story(stage: Stage) -> HttpResponse:
        stage.pos.client.defaults["HTTP_TRANSFER_ENCODING"] = "chunked"
        return stage.ask(call)

    return story


for each in CALLS:
    STORIES[each, "unauthorized"] = without_a_key(each)
    STORIES[each, "rate-limited"] = too_often(each)
    STORIES[each, "internal"] = that_fails(each, RuntimeError("a bug"))
    STORIES[each, "database-unavailable"] = that_fails(each, OperationalError("locked"))
for each in POSTS:
    STORIES[each, "too-large"] = too_large(each)
    STORIES[each, "length-required"] = in_chunks(each)


def documented() -> Iterator[tuple[str, int | str]]:
    """Successes by their status, problems by their kind."""
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, call in methods.items():
            for status, answer in call["responses"].items():
                problem = answer["content"].get("application/problem+json")
                for outcome in problem["examples"] if problem else [status]:
                    yield f"{method.upper()} {path}", outcome


def test_what_is_documented_is_told_here() -> None:
    assert set(documented()) == set(STORIES)


def test_every_kind_of_problem_belongs_to_a_call() -> None:
    """But for those of an address that is none."""
    nowhere = {"no-such-call", "method-not-allowed", "bad-request"}
    assert {outcome for _, outcome in documented() if isinstance(outcome, str)} == (
        KINDS.keys() - nowhere
    )
    assert {*EVERYWHERE, *WITH_BODY} <= KINDS.keys()


@pytest.mark.parametrize(
    ("call", "outcome"), STORIES, ids=[f"{call}: {outcome}" for call, outcome in STORIES]
)
def test_it_is_reached(stage: Stage, call: str, outcome: int | str) -> None:
    answer = STORIES[call, outcome](stage)
    if isinstance(outcome, int):
        assert (answer.status_code, answer["Content-Type"]) == (
            outcome,
            "application/json; charset=utf-8",
        )
    else:
        assert kind(answer) == outcome
        assert answer.status_code == KINDS[outcome][0]
    assert answer["Cache-Control"] == "no-store"
