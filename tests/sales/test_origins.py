"""Rules by which a sale is recorded and not delivered, and one order told from two sides."""

import time
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from audit.record import Who
from outbox.models import Delivery
from sales.claims import claim
from sales.errors import NotToBeClaimed
from sales.models import Claim, OriginRule, Sale
from sales.origins import Origin, fits, rule_that_holds
from sales.record import record, void, write
from stores.models import Installation
from stores.places import Place
from tests.sales.conftest import NOON, new_sale
from tests.support.together import together

MARA, MARAS_PHONE = "mara@example.com", "+14155550123"
NOWHERE = Place(None, None, None)
PREVIEW = "/admin/sales/originrule/preview/"

# pattern, text, whether it fits
FITS = [
    ("web", "WEB ", True),
    ("web", "webshop", False),
    ("web*", "Webshop", True),
    ("*shop", "webshop", True),
    ("*bsh*", "webshop", True),
    ("w*b*p", "webshop", True),
    ("w*z*p", "webshop", False),
    ("ab*ba", "aba", False),
    ("*", "", True),
    ("*@market.example", "Ann@Market.example", True),
    ("*@market.example", "ann@market.example.org", False),
    ("a.c", "abc", False),
]


@pytest.mark.parametrize(("pattern", "text", "does"), FITS)
def test_a_pattern_fits_the_whole_text(pattern: str, text: str, does: bool) -> None:
    assert fits(pattern, text) is does


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=4), st.text("ab", max_size=4))
def test_what_stands_for_the_stars_does_not_matter(parts: list[str], filler: str) -> None:
    assert fits("*".join(parts), filler.join(parts))


def test_no_pattern_keeps_us_busy() -> None:
    began = time.process_time()
    assert not fits("*a" * 50 + "*b", "a" * 254)
    assert time.process_time() - began < 1


def rule(field: str, pattern: str, *, delivers: bool = False) -> OriginRule:
    return OriginRule(field=field, pattern=pattern, delivers=delivers)


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        rule("order_type", "pickup", delivers=True),
        rule("origin", "web*"),
        rule("email", "*@market.example"),
    ]
    assert rule_that_holds(rules, Origin(origin="web 2")) is rules[1]
    assert rule_that_holds(rules, Origin(origin="web 2", order_type="Pickup")) is None
    assert rule_that_holds(rules, Origin(email="x@market.example")) is rules[2]
    assert rule_that_holds(rules, Origin(origin="store")) is None
    assert rule_that_holds([rule("source", "*")], Origin()) is None


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        ("email", "mara@example.com"),
        ("origin", "  "),
        ("origin", "a\nb"),
        ("origin", "\N{LATIN SMALL LIGATURE FFI}" * 100),
        ("email", "*@*.*"),
    ],
    ids=["somebody", "nothing", "two lines", "too long in small letters", "everybody"],
)
def test_a_rule_that_names_somebody_or_everybody_is_refused(field: str, pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"Begin with|Give a word|at most 100|everybody"):
        rule(field, pattern).clean()


@pytest.mark.django_db
@pytest.mark.database
def test_a_rule_is_given_once(installation: Installation) -> None:
    facts = {"installation": installation, "field": "origin", "pattern": "web"}
    OriginRule.objects.create(**facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        OriginRule.objects.create(**facts, delivers=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
class TestARecordedSale:
    def test_keeps_the_rules_words(self, installation, mara, sell) -> None:
        held = OriginRule.objects.create(
            installation=installation, field="order_type", pattern="online*"
        )
        sale = sell(told={"order_type": "Online order"}).sale
        held.delete()
        sale.refresh_from_db()
        assert sale.not_delivered == "excluded_origin"
        assert sale.rule == "Order type is online*: not delivered"
        assert not Delivery.objects.exists()

    def test_of_another_installations_rule_is_delivered(self, installation, mara, sell) -> None:
        other = Installation.objects.create(id="b", name="B")
        OriginRule.objects.create(installation=other, field="origin", pattern="*")
        assert sell(origin="web").sale.not_delivered == ""


def test_the_words_of_before_become_rules(installation: Installation) -> None:
    class Before:
        pk, excluded_origins = installation.pk, ["web", "marketplace"]

    migration = import_module("sales.migrations.0009_origin_rules")

    class State:
        def get_model(self, app: str, name: str):
            return Old if name == "Installation" else apps.get_model(app, name)

    class Old:
        class objects:  # noqa: N801 - stands for a manager
            @staticmethod
            def all():
                installation.excluded_origins = Before.excluded_origins
                return [installation]

    migration.take_over(State(), None)
    kept = OriginRule.objects.values_list("position", "field", "pattern", "delivers")
    assert list(kept) == [(1, "origin", "web", False), (2, "origin", "marketplace", False)]


# One order from two sides


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
class TestOneOrderFromTwoSides:
    @pytest.fixture
    def web(self, installation) -> Installation:
        return Installation.objects.create(id="web", name="Web")

    def test_earns_once(self, sandbox, mara, web, sell, deliveries) -> None:
        first = sell("5501").sale
        copy = record(web, new_sale("5501"), NOWHERE).sale
        assert (copy.not_delivered, copy.same_as) == ("same_order", first)
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_earns_once_where_both_come_at_once(
        self, sandbox, engine, installation, mara, web, deliveries
    ) -> None:
        def tell(at: Installation):
            return lambda: record(at, new_sale("5501"), NOWHERE)

        together(tell(installation), tell(web), refusal=IntegrityError)
        assert sorted(Sale.objects.values_list("not_delivered", flat=True)) == ["", "same_order"]
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_earns_once_where_one_names_the_phone_and_one_the_email(
        self, sandbox, engine, web, sell, deliveries
    ) -> None:
        """Nobody has seen the member before: only the engine knows that it is one person."""
        record(web, new_sale("5501"), NOWHERE)
        sell("5501", email="", phone=MARAS_PHONE)
        assert sorted(deliveries()) == ["done", "withdrawn"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_that_the_pos_has_from_the_web_shop_is_the_web_shops(
        self, sandbox, mara, web, sell, deliveries
    ) -> None:
        copies = [sell("P-7", online_order_id="5501"), sell("P-8", online_order_id="5501")]
        record(web, new_sale("5501"), NOWHERE)
        assert {copy.sale.not_delivered for copy in copies} == {"online_order"}
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_earns_where_the_first_one_was_left_to_the_other(
        self, sandbox, installation, mara, web, sell, deliveries
    ) -> None:
        """The POS's rule says that the web shop tells of its orders: whichever comes first."""
        OriginRule.objects.create(installation=installation, field="origin", pattern="web")
        assert sell("5501", origin="web").sale.not_delivered == "excluded_origin"
        assert record(web, new_sale("5501", origin="web"), NOWHERE).sale.not_delivered == ""
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_earns_once_where_a_file_has_dropped_the_seconds(
        self, installation, mara, web, sell
    ) -> None:
        sell("5501", completed_at=NOON.replace(second=37))
        with transaction.atomic():
            copy = write(web, new_sale("5501"), NOWHERE, from_file=True)
            later = write(web, new_sale("5502"), NOWHERE, from_file=True)
        assert (copy.not_delivered, later.not_delivered) == ("same_order", "")
        after = sell("5502", completed_at=NOON.replace(second=59)).sale
        assert after.same_as == later

    def test_is_taken_back_where_it_earned(
        self, sandbox, installation, mara, web, sell, deliveries
    ) -> None:
        sell("5501")
        record(web, new_sale("5501"), NOWHERE)
        deliveries()
        assert not void(web, "5501").refund
        assert deliveries() == ["done"]
        assert void(installation, "5501").refund
        assert deliveries() == ["done", "done"]
        assert sandbox.balance(MARA) == 640

    def test_is_claimed_at_one_of_them(self, sandbox, mara, web, sell, deliveries) -> None:
        """The POS did not know the buyer, whom the web shop named."""
        here = sell("5501", email="").sale
        record(web, new_sale("5501"), NOWHERE)
        with pytest.raises(NotToBeClaimed, match="Web told of the same order"):
            claim(here, mara, Who.machine("a test"), "hers")
        assert not Claim.objects.exists()
        assert deliveries() == ["done"]
        assert sandbox.balance(MARA) == 640 + 42

    def test_is_told_or_claimed_where_both_come_at_once(
        self, sandbox, mara, web, sell, deliveries
    ) -> None:
        here = sell("5501", email="").sale
        together(
            lambda: claim(here, mara, Who.machine("a test"), "hers"),
            lambda: record(web, new_sale("5501"), NOWHERE),
            refusal=NotToBeClaimed,
        )
        deliveries()
        assert sandbox.balance(MARA) == 640 + 42

    @pytest.mark.parametrize(
        "differs",
        [
            {"total_cents": 4100},
            {"completed_at": NOON.replace(second=1)},
            {"currency": "CAD"},
            {"email": "bea@example.com"},
        ],
        ids=lambda facts: next(iter(facts)),
    )
    def test_two_that_only_number_alike_are_two(self, mara, web, sell, differs) -> None:
        sell("5501")
        assert record(web, new_sale("5501", **differs), NOWHERE).sale.not_delivered == ""


# In the admin


@pytest.mark.django_db
class TestThePreview:
    @pytest.fixture
    def client(self) -> Client:
        client = Client()
        boss = User.objects.create(username="boss", is_staff=True, is_superuser=True)
        client.force_login(boss)
        return client

    @pytest.fixture
    def sold(self, installation: Installation) -> None:
        facts = {"completed_at": NOON, "total_cents": 100, "currency": "USD"}
        facts |= {"installation": installation}
        Sale.objects.create(pos_id="WEB-1", order_id="1", origin="Webshop", **facts)
        Sale.objects.create(pos_id="POS-1", order_id="2", origin="store", **facts)

    def test_shows_which_of_the_last_sales_a_rule_fits(self, client, sold) -> None:
        typed = {"installation": "shop", "position": 1, "field": "origin", "pattern": "Web*"}
        page = client.post(PREVIEW, typed).content.decode()
        assert "WEB-1" in page and "POS-1" not in page
        assert "they would not be delivered" in page
        assert not OriginRule.objects.exists()
        assert "fits none" in client.post(PREVIEW, typed | {"pattern": "x"}).content.decode()

    def test_asks_for_what_is_missing(self, client, sold) -> None:
        page = client.post(PREVIEW, {"field": "origin"}).content.decode()
        assert "Fill in the installation and the rule" in page

    def test_leads_from_the_form_and_what_is_saved_is_normal(self, client, sold) -> None:
        add = "/admin/sales/originrule/add/"
        assert PREVIEW in client.get(add).content.decode()
        typed = {"installation": "shop", "position": 1, "field": "origin", "pattern": " Web* "}
        client.post(add, typed)
        assert OriginRule.objects.get().pattern == "web*"

    def test_is_for_those_who_make_rules(self, sold) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_originrule"))
        client = Client()
        client.force_login(clerk)
        assert client.post(PREVIEW, {"field": "origin"}).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="change_originrule"))
        assert client.post(PREVIEW, {"field": "origin"}).status_code == 200
