"""Two who act on one redemption at once, in the orders in which their steps can fall.

Whatever the order: the points at the engine are what our row says, they are given back at most
once, a code is never both used and given back without a manager being told, and no sale is lost.
How the orders are made, and what a step is: tests/support/interleaving.py.
"""

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test import override_settings

from connectors.yotpo.client import Yotpo
from members.models import Member
from redemptions import actions, delayed, life
from redemptions.actions import ask_engine, find, undo
from redemptions.errors import CannotUndo, NoLongerCounts, StillOnSale, WrongPoints
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_one
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.withdrawal import Withdrawal
from sales.models import Sale
from sales.record import NewSale, record
from stores.models import Installation
from stores.places import Place
from tests.redemptions.conftest import FIVE_OFF, make_due
from tests.support.inprocess import SandboxInside, engine_of
from tests.support.interleaving import (
    Actor,
    Order,
    before_call,
    every_order,
    two_actors,
    wait_for_the_disk,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.slow,
]

OPENING, COST = 700, 500
CANCEL = "cancellation_completed"
# Where both acts are long, only the orders in which an actor is interrupted at most so often are
# played (all others would be tens of thousands), once where another test plays nearly the same.
FEW = 2
NOON = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
NOWHERE = Place(None, None, None)
DEADLINE_SECONDS, SETTLE_SECONDS = 30.0, 60.0
# Asked for so long ago that nobody waits for the answer any more, and not yet so long that what is
# not in the history was not made.
AGE = timedelta(seconds=45)
LATE_SETTLE_SECONDS = 40.0


@dataclass
class Scene:
    """One member with one redemption, afresh for each order."""

    redemption: PendingRedemption
    email: str
    sale: str
    calls: list[str]
    order: Order
    answers: list[Any] = field(default_factory=list)

    def play(self, *acts: "Act") -> None:
        self.answers = self.order.run(*[lambda act=act: act(self) for act in acts])

    @property
    def outcome(self) -> str:
        """What the sale was told of its code."""
        return Sale.objects.get(pos_id=self.sale).coupon_codes[0]["outcome"]


Act = Callable[[Scene], Any]


@pytest.fixture(scope="module")
def actors(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Actor, Actor]]:
    with django_db_blocker.unblock(), two_actors() as actors:
        yield actors


@pytest.fixture(scope="module")
def inside() -> Iterator[SandboxInside]:
    with SandboxInside() as sandbox:
        yield sandbox


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def engine(inside: SandboxInside, calls: list[str]) -> Yotpo:
    def before(call: str) -> None:
        before_call(call)
        calls.append(call)

    return engine_of(inside, before)


@pytest.fixture(autouse=True)
def _times(settings: Any) -> None:
    settings.ENGINE_DEADLINE_SECONDS = DEADLINE_SECONDS
    settings.ENGINE_SETTLE_SECONDS = SETTLE_SECONDS


@pytest.fixture(autouse=True)
def _quick(db: None) -> Iterator[None]:
    """Hundreds of histories: what they log is not kept, and no power is lost."""
    logging.disable(logging.CRITICAL)
    wait_for_the_disk(False)
    yield
    wait_for_the_disk(True)
    logging.disable(logging.NOTSET)


# A database server is asked for each step: where it decides little, SQLite's leg plays the orders.
long_on_a_server = pytest.mark.long(on="postgresql")

numbers = itertools.count()


@pytest.fixture
def scene(inside: SandboxInside, engine: Yotpo, calls: list[str], row: Any):
    def make(order: Order, state: State = State.ISSUED, **facts: Any) -> Scene:
        number = next(numbers)
        email = f"order.{number}@example.com"
        inside.add_member(email=email, points=OPENING)
        if state == State.ISSUED:
            made = engine.create_redemption(
                email=email, option_id=FIVE_OFF, delayed=bool(facts.get("delayed"))
            )
            facts |= {"code": made.code, "engine_id": made.id}
        redemption = row(state, member=Member.objects.seen(email), points=COST, **facts)
        calls.clear()
        return Scene(redemption, email, f"S-{number}", calls, order)

    return make


class Acts:
    """What people and workers do, each from reading the row to the end."""

    def __init__(self, engine: Yotpo, installation: Installation) -> None:
        self.engine = engine
        self.installation = installation

    def row_of(self, scene: Scene) -> PendingRedemption:
        return find(self.installation, scene.redemption.pk, scene.redemption.member_id)

    def undo(self, scene: Scene) -> None:
        undo(engine=self.engine, redemption=self.row_of(scene))

    def work(self, scene: Scene) -> None:
        """The worker's look at a row that is due."""
        see_to_one(self.engine, scene.redemption.pk)

    def sell(self, scene: Scene) -> None:
        codes = (scene.redemption.code,)
        new = NewSale(scene.sale, NOON, 4200, "USD", ticket="T-1", coupon_codes=codes)
        record(self.installation, new, NOWHERE)

    def hold(self, scene: Scene) -> None:
        life.hold(self.row_of(scene))

    def end_by_engine(self, scene: Scene) -> None:
        self.row_of(scene).end_by_engine()

    def replace(self, scene: Scene) -> None:
        """Another delayed one; its dialog said that it ends this one."""
        agreed = delayed.Agreed(scene.redemption.pk, Withdrawal(said=True))
        act = actions.Act(f"replace-{next(numbers)}", self.installation, ends=agreed)
        member = self.row_of(scene).member
        actions.redeem(engine=self.engine, act=act, member=member, offer_id=FIVE_OFF, another=True)

    def void(self, scene: Scene) -> None:
        with transaction.atomic():
            life.void_ticket(self.installation, scene.redemption.ticket)

    def answer(self, scene: Scene) -> None:
        """The call that made it, by a process that stood still before and after."""
        redemption = PendingRedemption.objects.select_related("member", "installation").get(
            pk=scene.redemption.pk
        )
        ask_engine(self.engine, redemption, time.monotonic())

    def settle(self, scene: Scene) -> None:
        """Two looks of the worker's: it takes two to call it not made."""
        self.work(scene)
        make_due(scene.redemption)
        self.work(scene)


@pytest.fixture
def acts(engine: Yotpo, installation: Installation) -> Acts:
    return Acts(engine, installation)


@pytest.fixture
def at_rest(acts: Acts, inside: SandboxInside):
    """Let the worker end what is open, and hold the engine's ledger against the row."""

    def judge(scene: Scene) -> PendingRedemption:
        redemption = scene.redemption
        redemption.refresh_from_db()
        with override_settings(ENGINE_SETTLE_SECONDS=LATE_SETTLE_SECONDS):
            end(acts, scene)
        check_points(redemption, inside.ledger(scene.email), scene.calls)
        return redemption

    return judge


def end(acts: Acts, scene: Scene) -> None:
    for _ in range(6):
        if scene.redemption.state not in {*UNDER_WAY, State.REVERSING}:
            return
        time_passes(scene.redemption)
        acts.work(scene)
        scene.redemption.refresh_from_db()


def time_passes(redemption: PendingRedemption) -> None:
    """So long that what was tried must show."""
    span = timedelta(minutes=2)
    PendingRedemption.objects.filter(pk=redemption.pk).update(
        next_check_at=Now(),
        last_reversal_attempt_at=F("last_reversal_attempt_at") - span,
        changed_at=F("changed_at") - span,
    )


def check_points(redemption: PendingRedemption, ledger: list[Any], calls: list[str]) -> None:
    kinds = Counter(movement["kind"] for movement in ledger)
    made = 0 if redemption.delayed else kinds["redemption"]
    spent = redemption.state in {State.ISSUED, State.USED} and not redemption.delayed
    both = redemption.state == State.DISPUTED
    assert sum(movement["points"] for movement in ledger) == OPENING - COST * spent
    given_back = redemption.state == State.REVERSED or (both and not redemption.delayed)
    assert kinds["reversal"] == given_back
    assert made == spent + kinds["reversal"]
    # The sandbox would not give back twice; we do not ask it to.
    assert sum(CANCEL in call for call in calls) == kinds["reversal"]
    if both and redemption.delayed:
        assert redemption.reason == Reason.SOLD_ENDED
    elif both:
        assert redemption.reason == Reason.SOLD_AFTER
        assert redemption.sale and redemption.first_reversal_attempt_at
    elif redemption.state == State.USED:
        assert redemption.sale
    else:
        assert redemption.state in {
            State.ISSUED, State.REVERSED, State.CANCELLED, State.NOT_MADE
        }  # fmt: skip
        assert redemption.sale == ""


TOLD = {
    "used": {State.USED},
    "cancelled": {State.USED},
    "being_reversed": {State.USED, State.DISPUTED},
    "disputed": {State.DISPUTED},
}


def check_sale(scene: Scene, redemption: PendingRedemption) -> None:
    """It was recorded, and what it was told of its code is how that ended."""
    assert redemption.state in TOLD[scene.outcome]
    assert redemption.sale == scene.sale


def only(scene: Scene, *expected: type[Exception]) -> None:
    for answer in scene.answers:
        if isinstance(answer, Exception) and not isinstance(answer, expected):
            raise answer


class Ends(Counter[str]):
    """How it ended, in how many orders: a race that only ever ends one way shows nothing."""

    def note(self, redemption: PendingRedemption) -> None:
        self[redemption.state] += 1


@long_on_a_server
def test_two_undos(actors, scene, acts, at_rest):
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order)
        here.play(acts.undo, acts.undo)
        only(here)
        ends.note(at_rest(here))

    played = every_order(actors, play, switches=FEW)
    assert ends == {State.REVERSED: played}


@long_on_a_server
def test_an_undo_and_a_worker(actors, scene, acts, at_rest):
    """The promise stands since before; an associate presses Undo as the worker comes by."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order)
        here.redemption.end(Reason.VOIDED)
        here.play(acts.undo, acts.work)
        only(here)
        ends.note(at_rest(here))

    played = every_order(actors, play, switches=1)
    assert ends == {State.REVERSED: played}


def test_an_undo_and_a_sale(actors, scene, acts, at_rest):
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order)
        here.play(acts.undo, acts.sell)
        only(here, CannotUndo)
        ended = at_rest(here)
        check_sale(here, ended)
        ends.note(ended)

    every_order(actors, play)
    assert set(ends) == {State.USED, State.DISPUTED}


def test_a_leases_end_and_a_sale(actors, scene, acts, at_rest):
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order)
        run_out(here.redemption)
        here.play(acts.work, acts.sell)
        only(here)
        ended = at_rest(here)
        check_sale(here, ended)
        ends.note(ended)

    every_order(actors, play, switches=FEW)
    assert set(ends) == {State.USED, State.DISPUTED}


WHY_OVER = {"silent": (False, FEW), "taken off the sale": (True, 1)}


@pytest.mark.parametrize(("taken_off", "switches"), WHY_OVER.values(), ids=WHY_OVER)
def test_a_hold_and_a_leases_end(actors, scene, acts, at_rest, taken_off, switches):
    """Who was told that the code counts keeps it."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order)
        run_out(here.redemption, taken_off=taken_off)
        here.play(acts.hold, acts.work)
        only(here, NoLongerCounts)
        ended = at_rest(here)
        counts = here.answers[0] is None
        assert ended.state == (State.ISSUED if counts else State.REVERSED)
        ends.note(ended)

    every_order(actors, play, switches=switches)
    assert set(ends) == {State.ISSUED, State.REVERSED}


LATE = {
    "too late for anybody": (None, LATE_SETTLE_SECONDS, 1),
    "in time to be found": (None, SETTLE_SECONDS, 1),
    "lost after it acted": ("drop_after", SETTLE_SECONDS, 1),
    "lost before it acted": ("drop_before", LATE_SETTLE_SECONDS, 1),
}


ENDS = {
    (None, LATE_SETTLE_SECONDS): {State.ISSUED, State.REVERSED},
    (None, SETTLE_SECONDS): {State.ISSUED},
    ("drop_after", SETTLE_SECONDS): {State.ISSUED},
    ("drop_before", LATE_SETTLE_SECONDS): {State.NOT_MADE},
}


@long_on_a_server
@pytest.mark.parametrize(("fault", "settle", "switches"), LATE.values(), ids=LATE)
def test_a_late_reply_and_a_settling(actors, scene, acts, at_rest, inside, fault, settle, switches):
    """The process that asks stands still, before its call or with the answer in its hand.

    One whose answer is lost as well must have called in time: the connector sends nothing five
    seconds after it was asked, long before anything is called not made.
    """
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, State.REQUESTED)
        PendingRedemption.objects.filter(pk=here.redemption.pk).update(requested_at=Now() - AGE)
        inside.clear_faults()
        if fault:
            inside.fault("POST /redemptions", fault)
        with override_settings(ENGINE_SETTLE_SECONDS=settle):
            here.play(acts.answer, acts.settle)
        only(here)
        ends.note(at_rest(here))

    every_order(actors, play, switches=switches)
    assert set(ends) == ENDS[fault, settle]


def test_an_end_of_a_delayed_one_and_a_sale(actors, scene, acts, at_rest):
    """It took no points: its end is no reversal, and a sale that has it wins all the same."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, delayed=True)
        here.play(acts.undo, acts.sell)
        only(here, CannotUndo)
        ended = at_rest(here)
        check_sale(here, ended)
        ends.note(ended)

    played = every_order(actors, play)
    assert ends == {State.USED: played}


def test_the_engine_ends_a_delayed_one_and_a_sale(actors, scene, acts, at_rest):
    """Whoever comes second: a sale of what was ended is a manager's, what was sold ends no more."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, delayed=True)
        here.play(acts.end_by_engine, acts.sell)
        only(here)
        ended = at_rest(here)
        check_sale(here, ended)
        ends.note(ended)

    every_order(actors, play)
    assert set(ends) == {State.USED, State.DISPUTED}


def test_the_engine_ends_a_delayed_one_and_an_undo(actors, scene, acts, at_rest):
    """Both ended it; that the engine did is what counts, for no sale of it takes points."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, delayed=True)
        here.play(acts.end_by_engine, acts.undo)
        only(here)
        ended = at_rest(here)
        assert ended.reason == Reason.BY_ENGINE
        ends.note(ended)

    played = every_order(actors, play)
    assert ends == {State.CANCELLED: played}


def test_a_new_delayed_one_and_the_sale_of_the_old(actors, scene, acts, at_rest):
    """Where the sale was quicker nothing is ended and nothing made; else it wins all the same."""
    acts.installation.delayed_deduction = True
    acts.installation.save()
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, delayed=True)
        here.play(acts.replace, acts.sell)
        only(here, StillOnSale, WrongPoints)
        here.redemption.refresh_from_db()
        check_sale(here, here.redemption)
        newer = PendingRedemption.objects.filter(member=here.redemption.member).exclude(
            pk=here.redemption.pk
        )
        ends.update(f"{here.redemption.state}, then {row.state}" for row in newer)
        ends["refused"] += not newer
        assert all(row.state == State.ISSUED for row in newer)

    every_order(actors, play, switches=FEW)
    assert set(ends) == {"used, then issued", "refused"}


def test_a_ticket_that_is_voided_and_its_sale(actors, scene, acts, at_rest):
    """The promise to give back is not kept while nothing was tried: the sale wins."""
    ends = Ends()

    def play(order: Order) -> None:
        here = scene(order, ticket=f"T-{next(numbers)}")
        here.play(acts.void, acts.sell)
        only(here)
        ended = at_rest(here)
        check_sale(here, ended)
        ends.note(ended)

    played = every_order(actors, play)
    assert ends == {State.USED: played}


def run_out(redemption: PendingRedemption, *, taken_off: bool = False) -> None:
    """Its lease is over and nobody was heard of for an hour, or it was taken off its sale."""
    minute = timedelta(minutes=1)
    gone = {"gone_at": Now() - minute, "withdrawn_at": Now() - minute} if taken_off else {}
    silent = Now() - timedelta(minutes=redemption.installation.unasked_reverse_minutes + 1)
    PendingRedemption.objects.filter(pk=redemption.pk).update(
        **gone, lease_until=Now() - minute if taken_off else silent, next_check_at=Now()
    )


def test_the_scheduler_plays_each_order_once(actors, db):
    """Three steps and two fall in ten orders; four of them interrupt nobody or one once."""
    seen = []

    def steps(number: int) -> Callable[[], None]:
        def act() -> None:
            for _ in range(number):
                before_call("a step")

        return act

    def play(order: Order) -> None:
        order.run(steps(3), steps(2))
        seen.append("".join(str(choice.taken) for choice in order.made))

    assert every_order(actors, play) == 10
    assert len(set(seen)) == 10
    seen.clear()
    every_order(actors, play, switches=0)
    assert sorted(seen) == ["00011", "11000"]


def test_a_transaction_is_one_step(actors, installation):
    def rename() -> None:
        for name in ("a", "b"):
            with transaction.atomic():
                Installation.objects.filter(pk=installation.pk).update(name=name)
                with transaction.atomic():
                    Installation.objects.get(pk=installation.pk)
        PendingRedemption.objects.count()

    order = Order(actors)
    order.run(rename, lambda: None)
    assert len(order.made) == 3, str(order)
    assert connection.vendor == "postgresql" or order.made[0].told.startswith("one: BEGIN")
