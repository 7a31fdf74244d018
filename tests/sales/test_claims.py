"""Sales without a known member: claimed by a manager, attached at a till, and told once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now

from audit.models import Entry
from audit.record import By, Where, Who
from loyalty_panel import routes
from members.models import Member
from outbox.claims import claim_to_send
from outbox.models import Delivery
from outbox.states import State
from sales.claims import attach, claim, sales_of
from sales.errors import CannotAttach, CannotClaim, NotNow, NotToBeClaimed
from sales.models import Claim, Sale
from sales.record import void
from sales.refunds import NewRefund, record_refund
from stores.models import Associate, Store
from stores.places import Place
from tests.sales.conftest import new_sale
from tests.support.together import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA, STRANGER = "mara@example.com", "never.seen@example.com"
MARAS_PHONE, UNKNOWN_PHONE = "+14155550123", "+14155550199"
ORDERS, REFUNDS = "POST /orders", "POST /refunds"
EARNED = 42


@pytest.fixture
def boss(db) -> Who:
    return Who.user(User.objects.create(username="boss"))


@pytest.fixture
def nobodys(sandbox, engine, sell, deliveries) -> Callable[..., Sale]:
    """A sale that names nobody, made a minute ago."""

    def make(pos_id: str = "S-1", **facts) -> Sale:
        sale = sell(pos_id, **{"email": "", **facts}).sale
        made_at = Now() - timedelta(minutes=1)
        Sale.objects.filter(pk=sale.pk).update(completed_at=made_at)
        deliveries()
        sale.refresh_from_db()
        return sale

    return make


@pytest.fixture
def attached(till, ana) -> Callable[..., Claim]:
    """Ana attaches it at till 1."""

    def act(sale: Sale, member: Member, **where) -> Claim:
        place = Place(**{"store": till.store, "till": till, "associate": ana} | where)
        return attach(sale, member, place, By(Who.associate(ana), Where.at(till=till)))

    return act


def told(sandbox) -> tuple[int, int]:
    counts = sandbox.call_counts()
    return counts.get(ORDERS, 0), sandbox.balance(MARA) - 640


class TestAManager:
    def test_claims_what_named_nobody_and_it_earns_once(
        self, sandbox, mara, nobodys, deliveries, boss
    ):
        sale = nobodys()
        assert told(sandbox) == (0, 0)
        claim(sale, mara, boss, "has the receipt")
        assert deliveries() == ["done"]
        assert told(sandbox) == (1, EARNED)
        kept = Sale.objects.get()
        assert (kept.member, kept.not_delivered) == (mara, "")
        entry = Entry.objects.get(act="sale.claimed")
        assert (entry.who, entry.reason) == ("boss", "has the receipt")

    def test_claims_a_strangers_whose_order_was_withdrawn(
        self, sandbox, mara, nobodys, deliveries, boss
    ):
        sale = nobodys(email=STRANGER)
        assert Delivery.objects.get().state == State.WITHDRAWN
        claim(sale, mara, boss, "mistyped")
        assert deliveries() == ["done"]
        assert told(sandbox) == (1, EARNED)
        kept = Sale.objects.get()
        assert (kept.email, kept.email_index) == (None, "")

    def test_claims_a_sale_once(self, sandbox, mara, nobodys, deliveries, boss):
        sale = nobodys()
        claim(sale, mara, boss, "hers")
        with pytest.raises(NotToBeClaimed, match="Somebody has said"):
            claim(sale, Member.objects.seen("bea@example.com"), boss, "no, hers")
        deliveries()
        assert told(sandbox) == (1, EARNED)

    def test_and_another_at_once_claim_it_once(self, sandbox, mara, nobodys, deliveries, boss):
        sale = nobodys(email=STRANGER)
        bea = Member.objects.seen("bea@example.com")
        ends = together(
            *(lambda who=who: claim(sale, who, boss, "hers") for who in (mara, bea)),
            refusal=NotToBeClaimed,
        )
        assert sum(isinstance(end, NotToBeClaimed) for end in ends) == 1
        deliveries()
        assert sandbox.call_counts()[ORDERS] == 1
        assert Sale.objects.get().member == Claim.objects.get().member

    def test_claims_nothing_that_a_worker_is_telling(self, mara, nobodys, sell, boss):
        """It may be about to find that nobody is known, and would then leave it untold."""
        sale = nobodys(email=STRANGER)
        Delivery.objects.update(state=State.PENDING)
        assert claim_to_send(Delivery.objects.get().pk)
        with pytest.raises(NotNow):
            claim(sale, mara, boss, "hers")
        assert Sale.objects.get().not_delivered == "unknown_member"

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"email": MARA}, "has a member"),
            ({"online_order_id": "W-1"}, "web shop"),
        ],
    )
    def test_claims_nothing_that_is_not_to_be(self, mara, nobodys, boss, facts, said):
        with pytest.raises(NotToBeClaimed, match=said):
            claim(nobodys(**facts), mara, boss, "hers")

    def test_claims_nothing_that_was_voided(self, mara, nobodys, installation, boss):
        sale = nobodys()
        void(installation, "S-1")
        with pytest.raises(NotToBeClaimed, match="voided"):
            claim(sale, mara, boss, "hers")

    @pytest.mark.parametrize("facts", [{}, {"email": STRANGER}], ids=["nobodys", "a strangers"])
    def test_claims_the_refunds_with_it(
        self, sandbox, mara, nobodys, installation, deliveries, boss, facts
    ):
        sale = nobodys(**facts)
        back = NewRefund("R-1", total_cents=4200, currency="USD", sale_id="S-1")
        record_refund(installation, back, Place(None, None, None))
        deliveries()
        claim(sale, mara, boss, "hers")
        assert set(deliveries()) == {"done"}
        assert sandbox.call_counts()[REFUNDS] == 1
        assert told(sandbox) == (1, 0)

    def test_claims_a_refund_that_a_worker_had_left_untold(
        self, sandbox, mara, sell, installation, deliveries, boss
    ):
        """It was promised while the engine had still to say that it knows nobody."""
        sale = sell(email=STRANGER).sale
        back = NewRefund("R-1", total_cents=4200, currency="USD", sale_id="S-1")
        record_refund(installation, back, Place(None, None, None))
        assert deliveries() == ["withdrawn", "withdrawn"]
        sale.refresh_from_db()
        claim(sale, mara, boss, "hers")
        assert deliveries()[:2] == ["done", "done"]
        assert told(sandbox) == (1, 0)


class TestATill:
    def test_attaches_what_named_nobody(self, sandbox, mara, nobodys, attached, deliveries, ana):
        made = attached(nobodys(), mara)
        assert deliveries() == ["done"]
        assert told(sandbox) == (1, EARNED)
        assert (made.how, made.associate, made.by) == ("till", ana, "Ana Pardo")
        entry = Entry.objects.get(act="sale.attached")
        assert (entry.who, entry.till) == ("Ana Pardo", "Till 1, Boston")

    def test_the_same_again_is_the_same(self, sandbox, mara, nobodys, attached, deliveries):
        sale = nobodys()
        assert attached(sale, mara) == attached(sale, mara)
        deliveries()
        assert told(sandbox) == (1, EARNED)

    def test_not_to_another_member_afterwards(self, mara, nobodys, attached):
        sale = nobodys()
        attached(sale, mara)
        with pytest.raises(NotToBeClaimed):
            attached(sale, Member.objects.seen("bea@example.com"))

    def test_one_that_named_who_enrolled_since(
        self, sandbox, nobodys, attached, deliveries, installation, till, ana
    ):
        sale = nobodys(email=STRANGER)
        sandbox.add_member(email=STRANGER, points=0)
        newcomer = Member.objects.seen(STRANGER)
        assert list(sales_of(newcomer, Place(till.store, till, ana), installation)) == [sale]
        attached(sale, newcomer)
        assert deliveries() == ["done"]
        assert sandbox.balance(STRANGER) == EARNED
        assert not sales_of(newcomer, Place(till.store, till, ana), installation)

    @pytest.mark.parametrize(
        "named", [{"email": STRANGER}, {"phone": UNKNOWN_PHONE}], ids=["email", "phone"]
    )
    def test_none_that_named_somebody_else(self, mara, nobodys, attached, named):
        with pytest.raises(CannotAttach, match="not this member's"):
            attached(nobodys(**named), mara)

    def test_one_by_phone_whose_owner_enrolled_since(self, sandbox, nobodys, attached, deliveries):
        sale = nobodys(phone=UNKNOWN_PHONE)
        sandbox.add_member(email=STRANGER, phone_number=UNKNOWN_PHONE, points=0)
        attached(sale, Member.objects.seen(STRANGER))
        deliveries()
        assert sandbox.balance(STRANGER) == EARNED

    def test_none_of_another_store(self, mara, nobodys, attached, installation):
        salem = Store.objects.create(installation=installation, code="salem", name="Salem")
        with pytest.raises(CannotAttach, match="another store"):
            attached(nobodys(), mara, store=salem)

    @pytest.mark.parametrize("age", ["completed_at", "recorded_at"])
    def test_none_that_is_too_old(self, mara, nobodys, attached, age):
        sale = nobodys()
        Sale.objects.update(**{age: Now() - timedelta(days=14, minutes=1)})
        with pytest.raises(CannotAttach, match="older than 14 days"):
            attached(sale, mara)

    def test_none_where_it_is_switched_off(self, mara, nobodys, attached, installation):
        sale = nobodys()
        sale.installation.attach_within_days = 0
        with pytest.raises(CannotAttach, match="Ask a manager"):
            attached(sale, mara)

    def test_no_more_a_day_than_one_may(
        self, mara, nobodys, attached, installation, ana: Associate, ben: Associate
    ):
        installation.attach_daily_limit = 1
        installation.save()
        first, second = nobodys("S-1"), nobodys("S-2")
        attached(first, mara)
        with pytest.raises(CannotAttach, match="as many as one may"):
            attached(second, mara)
        refused = Entry.objects.get(act="sale.attached", outcome=Entry.Outcome.REFUSED)
        assert (refused.who, refused.subject_id) == ("Ana Pardo", str(second.pk))
        assert refused.reason.startswith("You have attached 1 sales within a day")
        attached(second, mara, associate=ben)
        Claim.objects.update(claimed_at=F("claimed_at") - timedelta(hours=25))
        attached(nobodys("S-3"), mara)

    def test_no_more_than_that_at_once(self, mara, nobodys, attached, installation):
        installation.attach_daily_limit = 1
        installation.save()
        sales = [nobodys(f"S-{number}") for number in range(3)]
        ends = together(
            *(lambda sale=sale: attached(sale, mara) for sale in sales), refusal=CannotAttach
        )
        assert sum(isinstance(end, CannotAttach) for end in ends) == 2
        assert Claim.objects.count() == 1

    def test_leaves_nothing_behind_where_it_may_not(self, mara, nobodys, attached, installation):
        sale = nobodys(email=STRANGER)
        before = Sale.objects.values().get()
        with pytest.raises(CannotClaim):
            attached(sale, mara)
        assert Sale.objects.values().get() == before
        assert not Claim.objects.exists()


def test_where_the_engine_takes_no_keys_a_claimed_one_is_of_its_new_buyers_flight(
    settings, mara, nobodys, boss
):
    settings.ENGINE_KEYS_ORDERS = False
    sale = nobodys(email=STRANGER)
    claim(sale, mara, boss, "hers")
    assert Delivery.objects.get().flight == f"email:{mara.email_index}"
    assert routes.DELIVERIES["order"].one_in_flight_by(Delivery.objects.get())
    assert new_sale().email == MARA
