"""Whatever a till tells of a sale, in whatever order, and whatever breaks on the way.

In the end the member has the points that a model of a few lines says.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from django.conf import settings as django_settings
from django.db.models.functions import Now
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from connectors.yotpo.client import Yotpo
from loyalty_panel import routes
from members.models import Member
from outbox.claims import claim_to_send, free_the_dead, set_out
from outbox.models import Delivery
from outbox.states import UNFINISHED
from redemptions.actions import Act, redeem
from redemptions.settling import see_to_all
from sales.errors import CannotRefund, NoSuchSale
from sales.models import ORDER, REFUND, Remainder
from sales.orders import note_before
from sales.record import void
from sales.refunding import is_refund_seen
from sandbox.control import Sandbox
from stores.models import Till
from tests.redemptions.conftest import FIVE_OFF

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

AT_FIRST, COST = 1000, 500
# How the engine gives spent points back, and who we say does.
WAYS = [
    ("full", "engine"),
    ("proportional", "engine"),
    ("never", "panel"),
    ("never", "nobody"),
    ("never", "engine"),  # set wrongly
]
CALLS = ("POST /orders", "POST /refunds", "POST /points/adjust")


@dataclass(frozen=True)
class Story:
    """`steps`: ("sell",), ("refund", number, cents), ("void",), ("work",), ("die", after the call),
    ("lose", call, when)."""

    way: tuple[str, str]
    keys: bool
    total: int
    spends: bool
    steps: tuple[tuple, ...]


@dataclass
class Model:
    """What a sale's points come to. Refunds count in the order in which they were taken."""

    story: Story
    sold: bool = False
    attempted: bool = False
    voided: bool = False
    undone: bool = False
    waiting: dict[int, int] = field(default_factory=dict)
    refunds: dict[int, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.story.total - sum(self.refunds.values())

    def sell(self) -> None:
        if self.sold:
            return
        self.sold = True
        for number, cents in self.waiting.items():
            if cents <= self.left:
                self.refunds[number] = cents

    def refund(self, number: int, cents: int) -> bool:
        """Whether it is taken."""
        if number in self.refunds or number in self.waiting:
            return True
        if not self.sold:
            self.waiting[number] = cents
        elif self.voided or cents > self.left:
            return False
        else:
            self.refunds[number] = cents
        return True

    def void(self) -> None:
        if not self.sold or self.voided:
            return
        self.voided, self.undone = True, not self.attempted
        if self.attempted and self.left:
            self.refunds[-1] = self.left

    def balance(self) -> int:
        total, spent = self.story.total, COST if self.story.spends else 0
        if self.undone:
            return AT_FIRST
        earned, parts = total // 100, list(self.refunds.values())
        engine, who = self.story.way
        is_whole = sum(parts) == total
        # The remainder is corrected, unless the setting is wrong and nobody can tell it apart.
        is_corrected = is_whole and not (spent and (engine, who) == ("never", "engine"))
        taken = earned if is_corrected else sum(earned * part // total for part in parts)
        given = 0
        if who == "panel":
            given = spent * sum(parts) // total
        elif engine == "full":
            given = spent if is_whole else 0
        elif engine == "proportional":
            given = spent if is_whole else sum(spent * part // total for part in parts)
        return AT_FIRST - spent + earned - taken + given


@st.composite
def stories(draw: st.DrawFn) -> Story:
    keys = draw(st.booleans())
    total = draw(st.integers(300, 12_000))
    # Without keys a lost answer is read, and a part for which no point goes can't be.
    least = 1 if keys else -(-total // (total // 100))
    cents = st.one_of(st.integers(least, total), st.just(max(total // 3, least)))
    refund = st.tuples(st.just("refund"), st.integers(1, 4), cents)
    lose = st.tuples(st.just("lose"), st.sampled_from(CALLS), st.sampled_from(["before", "after"]))
    step = st.one_of(
        st.just(("sell",)),
        refund,
        refund,
        st.just(("work",)),
        st.just(("void",)),
        lose,
        st.tuples(st.just("die"), st.booleans()),
    )
    steps = draw(st.lists(step, min_size=2, max_size=10))
    return Story(draw(st.sampled_from(WAYS)), keys, total, draw(st.booleans()), tuple(steps))


IN_THIRDS = [("sell",), *(("refund", n, 350) for n in (1, 2, 3))]


class Shop:
    """One story of one member: each step is told to the panel and to the model."""

    def __init__(self, story: Story, tools: "Tools") -> None:
        self.story, self.tools, self.model = story, tools, Model(story)
        self.name = uuid.uuid4().hex[:12]
        self.member = self.new_member()
        self.codes = (self.redeem(),) if story.spends else ()
        self.told: dict[int, int] = {}

    def new_member(self) -> Member:
        email = f"{uuid.uuid4().hex}@example.com"
        self.tools.engine.save_customer(email=email, opted_in=True)
        # By its title one of ours: all of the story may lie within the same second.
        self.tools.engine.adjust_points(email=email, points=AT_FIRST, title="Correction to begin")
        return Member.objects.seen(email)

    def redeem(self) -> str:
        act = Act(uuid.uuid4().hex, self.tools.till.store.installation, self.tools.till, None)
        return redeem(engine=self.tools.engine, act=act, member=self.member, offer_id=FIVE_OFF).code

    def sell(self) -> None:
        facts = {"email": self.member.email, "total_cents": self.story.total}
        self.tools.sell(self.name, coupon_codes=self.codes, **facts)
        self.model.sell()

    def refund(self, number: int, cents: int) -> None:
        """One number is one refund: told again it has the same content."""
        cents = self.told.get(number, cents)
        try:
            self.tools.bring_back(f"{self.name}-{number}", sale_id=self.name, total_cents=cents)
        except CannotRefund:
            assert not self.model.refund(number, cents)
        else:
            assert self.model.refund(number, cents)
            self.told[number] = cents

    def void(self) -> None:
        with suppress(NoSuchSale):
            void(self.tools.till.store.installation, self.name)
        see_to_all(self.tools.engine)
        self.model.void()

    def work(self) -> None:
        self.tools.deliveries()
        self.model.attempted = self.model.attempted or self.model.sold

    def die(self, after: bool) -> None:
        self.model.attempted = die(after=after) or self.model.attempted

    def lose(self, call: str, when: str) -> None:
        self.tools.sandbox.fault(call, f"drop_{when}")

    def end(self) -> tuple[int, int]:
        """What the member has, and what the model says."""
        self.sell()
        for _ in range(3):
            self.tools.deliveries()
            see_to_all(self.tools.engine)
        left = Delivery.objects.filter(state__in=UNFINISHED)
        assert list(left.values_list("kind", "key", "state", "parked_reason")) == []
        return self.tools.sandbox.balance(self.member.email), self.model.balance()


@dataclass(frozen=True)
class Tools:
    sandbox: Sandbox
    engine: Yotpo
    till: Till
    sell: Callable
    bring_back: Callable
    deliveries: Callable


@pytest.fixture
def tell(sandbox, engine, installation, till, sell, bring_back, deliveries):
    """Live through a story; what the member has in the end, and what the model says."""

    def live(story: Story) -> tuple[int, int]:
        with ways(story):
            sandbox.switch(
                orders_idempotent=story.keys,
                refunds_idempotent=story.keys,
                spent_points_returned=story.way[0],
                new_customer_delay_seconds=0,
            )
            sandbox.clear_faults()
            installation.spent_points_returned_by = story.way[1]
            installation.save()
            till.store.installation = installation
            shop = Shop(story, Tools(sandbox, engine, till, sell, bring_back, deliveries))
            for name, *details in story.steps:
                getattr(shop, name)(*details)
            return shop.end()

    return live


@contextmanager
def ways(story: Story) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(django_settings, "ENGINE_SETTLE_SECONDS", 0)
        patch.setattr(django_settings, "ENGINE_KEYS_ORDERS", story.keys)
        order, refund = routes.DELIVERIES[ORDER], routes.DELIVERIES[REFUND]
        keyed = {"idempotent": story.keys}
        before, seen = (None, None) if story.keys else (note_before, is_refund_seen)
        patch.setitem(routes.DELIVERIES, ORDER, replace(order, before=before, **keyed))
        patch.setitem(routes.DELIVERIES, REFUND, replace(refund, seen=seen, **keyed))
        yield


def die(*, after: bool) -> bool:
    """A worker takes what is next, and dies before or after its call. Whether it took something."""
    Delivery.objects.filter(state__in=UNFINISHED).update(due_at=Now())
    for pk in Delivery.objects.ready().filter(state="pending").values_list("pk", flat=True):
        route = routes.DELIVERIES[Delivery.objects.get(pk=pk).kind]
        delivery = claim_to_send(pk, at_once=route.before is None)
        if delivery is None:
            continue
        carry_on(delivery, route, after=after)
        Delivery.objects.filter(pk=pk).update(lease_until=Now())
        free_the_dead()
        return True
    return False


def carry_on(delivery: Delivery, route: routes.Route, *, after: bool) -> None:
    """As far as the worker came. What goes wrong with it, nobody has written down."""
    try:
        if route.before is not None:
            route.before(delivery)
            set_out(delivery)
        if after:
            route.call(delivery)
    except Exception:  # noqa: BLE001 - the process is dead
        return


@example(Story(("full", "engine"), True, 1050, False, (*IN_THIRDS, ("work",))))
@example(Story(("proportional", "engine"), False, 1050, True, (*IN_THIRDS, ("work",))))
@example(Story(("never", "panel"), False, 1050, True, (*IN_THIRDS[1:], ("sell",), ("die", True))))
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(story=stories())
def test_the_member_has_what_the_model_says(tell, story: Story):
    has, should = tell(story)
    assert has == should


@pytest.mark.long
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories())
def test_a_thousand_stories(tell, story: Story):
    has, should = tell(story)
    assert has == should


def test_a_setting_that_is_wrong_is_told(tell):
    story = Story(("never", "engine"), True, 1050, True, (*IN_THIRDS, ("work",)))
    has, should = tell(story)
    assert has == should
    remainder = Remainder.objects.get()
    assert (remainder.state, remainder.earned, remainder.spent) == ("asks", 10, 500)
    assert (remainder.expected, remainder.moved) == (490, -9)
    assert "set right" in remainder.cause
