"""A sale is recorded once, uses its codes in the same transaction, and is told once."""

from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models.functions import Now

from loyalty_panel import routes
from members.models import Member
from outbox.claims import claim_to_send, free_the_dead
from outbox.models import Delivery
from outbox.worker import deliver
from redemptions.actions import redeem
from redemptions.settling import see_to_all
from redemptions.states import Reason, State
from sales import orders
from sales.errors import NoSuchSale, OtherContent
from sales.models import Sale
from sales.orders import note_before, order_of, read_buyer
from sales.record import NewSale, record, void
from stores.models import Installation
from stores.places import Place
from tests.redemptions.conftest import FIVE_OFF
from tests.sales.conftest import NOON, new_sale

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA, STRANGER = "mara@example.com", "never.seen@example.com"
ORDERS, REFUNDS = "POST /orders", "POST /refunds"


@pytest.fixture
def code(engine, act, mara):
    return redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)


@pytest.fixture
def bea(db):
    return Member.objects.seen("bea@example.com")


class TestASale:
    def test_is_told_to_the_engine_and_earns(self, sandbox, mara, sell, deliveries):
        assert sell().is_new
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42
        assert sandbox.call_counts()[ORDERS] == 1

    def test_told_again_is_the_same(self, sandbox, mara, sell, deliveries):
        sell()
        assert not sell().is_new
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_of_other_content_under_the_same_id_is_refused(self, mara, sell):
        sell()
        with pytest.raises(OtherContent, match="Void it"):
            sell(total_cents=4300)
        assert Sale.objects.get().total_cents == 4200

    def test_told_again_in_another_time_zone_is_the_same(self, mara, sell):
        sell()
        assert not sell(completed_at=NOON.astimezone(ZoneInfo("America/New_York"))).is_new

    def test_told_again_after_a_new_field_came_is_the_same(self):
        @dataclass(frozen=True, slots=True)
        class Newer(NewSale):
            surcharge_cents: int | None = None

        facts = {name: getattr(new_sale(), name) for name in NewSale.__dataclass_fields__}
        assert Newer(**facts).fingerprint() == new_sale().fingerprint()
        assert Newer(**facts, surcharge_cents=5).fingerprint() != new_sale().fingerprint()

    def test_with_what_no_database_can_hold_is_not_lost(self, mara, sell):
        odd = {"note\0": ["a\0b", {"half": "\ud800"}, 7, None]}
        sale = sell(told=odd, origin="x\0", items=({"name": "\0y"},), coupon_codes=("A\0",)).sale
        sale.refresh_from_db()
        assert sale.told == {"note": ["ab", {"half": ""}, 7, None]}
        assert (sale.origin, sale.items) == ("x", [{"name": "y"}])
        assert sale.coupon_codes == [{"code": "A", "outcome": "unknown"}]
        assert not sell(
            told=odd, origin="x\0", items=({"name": "\0y"},), coupon_codes=("A\0",)
        ).is_new

    def test_tells_nobody_without_the_key_whose_it_was(self, mara, sell, settings):
        """A guess at the email can't be tried against what is kept of the sale."""
        sell()
        kept = Sale.objects.get().content
        assert new_sale(email=MARA).fingerprint() == kept
        settings.BLIND_INDEX_KEY = "another index key of enough characters"
        assert new_sale(email=MARA).fingerprint() != kept

    def test_uses_its_code(self, sandbox, code, sell, deliveries):
        sale = sell(coupon_codes=(code.code, "WEB-1")).sale
        code.refresh_from_db()
        assert (code.state, code.sale) == (State.USED, "S-1")
        assert [told["outcome"] for told in sale.coupon_codes] == ["used", "unknown"]
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 140 + 42

    def test_does_not_name_a_code_that_an_earlier_one_used(self, sandbox, mara, code, sell):
        """Its order may come first, and the engine would take the code for used by that."""
        earlier = sell(coupon_codes=(code.code,)).sale
        later = sell("S-2", coupon_codes=(code.code, "WEB-1")).sale
        assert order_of(earlier, mara).coupon_codes == (code.code,)
        assert order_of(later, mara).coupon_codes == ("WEB-1",)

    def test_is_told_with_its_store_its_associate_and_the_platforms_status(
        self, installation, mara, sell, ana
    ):
        installation.platform, installation.order_status = "salesforce", "5"
        installation.ignore_ip_ua = False
        sale = sell().sale
        store = sale.store
        store.address, store.city, store.state = "1 Quay Street", "Boston", "MA"
        told = order_of(sale, mara).body()
        assert (told["status"], told["ignore_ip_ua"]) == ("5", False)
        assert (told["store_address"], told["store_city"]) == ("1 Quay Street", "Boston")
        assert (told["store_state"], told["clerk_employee_id"]) == ("MA", ana.code)
        assert told["clerk_name"] == ana.name

    def test_has_no_status_where_the_platform_has_none(self, installation, mara, sell):
        installation.platform = "shopify"
        assert "status" not in order_of(sell().sale, mara).body()

    def test_told_again_with_another_remark_is_the_same(self, mara, sell):
        assert sell(told={"sent_at": "12:00"}).is_new
        assert not sell(told={"sent_at": "12:05"}).is_new

    def test_of_the_longest_id_uses_its_code(self, installation, code, sell):
        installation.order_prefix = "p" * 64
        installation.save()
        assert sell("S" * 64, coupon_codes=(code.code,)).sale.order_id == "p" * 64 + "S" * 64
        code.refresh_from_db()
        assert code.sale == "p" * 64 + "S" * 64

    def test_tells_a_code_as_the_engine_wrote_it(self, code, sell):
        sale = sell(coupon_codes=(code.code.lower(), f" {code.code} ", "Web-1")).sale
        assert order_of(sale, sale.member).coupon_codes == (code.code, "Web-1")

    def test_is_one_of_two_installations_that_number_alike(self, sandbox, mara, sell, deliveries):
        other = Installation.objects.create(id="b", name="B", order_prefix="b-")
        sell("b-1")
        theirs = record(other, new_sale("1", total_cents=1000), Place(None, None, None)).sale
        assert theirs.order_id == "b~1"
        assert deliveries() == ["done", "done"]
        assert sandbox.balance(MARA) == 640 + 42 + 10
        assert not record(other, new_sale("1", total_cents=1000), Place(None, None, None)).is_new

    def test_that_names_nobody_is_its_codes_members(self, sandbox, code, sell, deliveries):
        assert sell(email="", coupon_codes=(code.code,)).sale.member == code.member
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 140 + 42

    def test_by_phone_is_its_owners(self, sandbox, engine, installation, sell, deliveries):
        sell(email="", phone="+14155550123")
        assert deliveries() == ["done"]
        sale = Sale.objects.get()
        assert (sale.member.email, sale.phone) == (MARA, None)
        assert sandbox.balance(MARA) == 640 + 42

    def test_of_a_stranger_enrols_nobody(self, sandbox, engine, installation, sell, deliveries):
        before = len(sandbox.customers())
        sell(email=STRANGER)
        assert deliveries() == ["withdrawn"]
        sale = Sale.objects.get()
        assert (sale.not_delivered, sale.email) == ("unknown_member", STRANGER)
        assert len(sandbox.customers()) == before
        assert ORDERS not in sandbox.call_counts()

    @pytest.mark.parametrize(
        ("facts", "why"),
        [
            ({"email": ""}, "nobody"),
            ({"online_order_id": "WEB-7"}, "online_order"),
            ({"origin": "Webshop"}, "excluded_origin"),
        ],
    )
    def test_that_is_not_told_is_recorded(self, installation, mara, sell, facts, why):
        installation.excluded_origins = ["webshop"]
        installation.save()
        assert sell(**facts).sale.not_delivered == why
        assert not Delivery.objects.exists()

    def test_of_nothing_is_told_for_its_codes(self, sandbox, code, sell, deliveries):
        sell(total_cents=0, coupon_codes=(code.code,))
        assert deliveries() == ["done"]
        assert sandbox.call_counts()[ORDERS] == 1

    def test_whose_answer_is_lost_counts_once(self, sandbox, settings, mara, sell, deliveries):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.fault(ORDERS, "drop_after")
        sell()
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_carries_no_email_into_the_outbox(self, mara, sell):
        sell()
        assert MARA not in str(Delivery.objects.get().payload)


class TestWhereTheEngineTakesNoKeys:
    @pytest.fixture(autouse=True)
    def _no_keys(self, engine, settings, sandbox, monkeypatch):
        settings.ENGINE_KEYS_ORDERS = False
        settings.ENGINE_SETTLE_SECONDS = 0
        route = replace(routes.DELIVERIES["order"], idempotent=False, before=note_before)
        monkeypatch.setitem(routes.DELIVERIES, "order", route)
        sandbox.switch(orders_idempotent=False)

    @pytest.mark.parametrize(
        "buyer",
        [{"email": STRANGER}, {"email": "", "phone": "+14155550123"}],
        ids=["email", "phone"],
    )
    def test_of_a_buyer_whom_nobody_named_yet_one_is_under_way(self, installation, sell, buyer):
        """Two side by side would be taken for one another in the count of purchases."""
        sell("S-1", **buyer)
        sell("S-2", **buyer)
        one, other = Delivery.objects.order_by("pk")
        assert one.flight == other.flight != ""

    def test_a_buyer_who_was_named_meanwhile_is_the_same(self, installation, sell):
        sell("S-1")
        Member.objects.seen(MARA)
        sell("S-2")
        one, other = Delivery.objects.order_by("pk")
        assert one.flight == other.flight != ""

    @pytest.mark.parametrize("when", ["drop_before", "drop_after"])
    def test_a_lost_answer_is_read(self, sandbox, mara, sell, deliveries, when):
        sandbox.fault(ORDERS, when)
        sell()
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_of_a_worker_that_died_before_it_knew_the_buyer_nothing_was_sent(
        self, sandbox, mara, sell, deliveries
    ):
        sell()
        claim_to_send(Delivery.objects.get().pk, at_once=False)
        Delivery.objects.update(lease_until=Now())
        free_the_dead()
        assert deliveries() == ["done"]
        assert sandbox.call_counts()[ORDERS] == 1

    def test_each_attempt_is_read_by_how_it_stood_just_before(
        self, sandbox, mara, sell, deliveries
    ):
        """What the buyer bought between two attempts is not taken for the second one's."""
        sell()
        delivery = claim_to_send(Delivery.objects.get().pk, at_once=False)
        note_before(delivery)
        Delivery.objects.update(lease_until=Now())
        free_the_dead()
        sell("S-2", total_cents=1000)
        sandbox.fault(ORDERS, "drop_after", match={"order_id": "S-1"})
        Delivery.objects.filter(key="S-1").update(due_at=Now() + timedelta(hours=1))
        deliver(Delivery.objects.get(key="S-2").pk)
        assert deliveries() == ["done", "done"]
        assert sandbox.balance(MARA) == 640 + 42 + 10


class TestAVoid:
    def test_while_its_order_is_found_to_be_nobodys_gives_back(
        self, engine, sandbox, installation, code, sell, deliveries, monkeypatch
    ):
        def meanwhile(client, sale):
            assert void(installation, "S-1").refund
            return read_buyer(client, sale)

        monkeypatch.setattr(orders, "read_buyer", meanwhile)
        sell(email=STRANGER, coupon_codes=(code.code,))
        assert deliveries() == ["withdrawn", "withdrawn"]
        see_to_all(engine)
        code.refresh_from_db()
        assert (code.state, sandbox.balance(MARA)) == (State.REVERSED, 640)
        assert REFUNDS not in sandbox.call_counts()

    def test_before_it_was_told_withdraws_it_and_gives_back(
        self, engine, sandbox, installation, code, sell, deliveries
    ):
        sell(coupon_codes=(code.code,))
        voided = void(installation, "S-1", "wrong size")
        assert (voided.refund, voided.sale.not_delivered) == (False, "voided")
        see_to_all(engine)
        code.refresh_from_db()
        assert (code.state, code.reason) == (State.REVERSED, Reason.VOIDED)
        assert deliveries() == ["withdrawn"]
        assert sandbox.balance(MARA) == 640

    def test_after_it_was_told_is_a_refund_of_the_whole(
        self, sandbox, installation, code, sell, deliveries
    ):
        sell(coupon_codes=(code.code,))
        deliveries()
        assert void(installation, "S-1").refund
        assert deliveries() == ["done", "done"]
        code.refresh_from_db()
        assert code.state == State.USED
        assert sandbox.call_counts()[REFUNDS] == 1

    def test_again_is_the_same(self, sandbox, installation, mara, sell, deliveries):
        sell()
        deliveries()
        void(installation, "S-1")
        assert void(installation, "S-1").refund
        assert deliveries() == ["done", "done"]

    def test_tells_of_no_other_redemption_with_the_same_code(
        self, installation, code, row, sell, bea
    ):
        row(State.REVERSED, code=code.code, member=bea, engine_id=1)
        sell(coupon_codes=(code.code,))
        assert void(installation, "S-1").codes == [code]

    def test_of_an_open_ticket_gives_its_codes_back(self, engine, sandbox, installation, code):
        code.ticket = "T-9"
        code.save(update_fields=["ticket"])
        assert void(installation, "T-9").codes == [code]
        see_to_all(engine)
        assert sandbox.balance(MARA) == 640

    def test_of_another_installations_sale_touches_nothing(self, code, sell, deliveries):
        sell(coupon_codes=(code.code,))
        other = Installation.objects.create(id="b", name="B")
        for theirs in ("S-1", "b-S-1"):
            with pytest.raises(NoSuchSale):
                void(other, theirs)
        assert deliveries() == ["done"]

    def test_of_nothing_known_is_told(self, installation):
        with pytest.raises(NoSuchSale):
            void(installation, "S-404")
