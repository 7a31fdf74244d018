"""A refund that names no sale: candidates for a manager, and what follows from the choice."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import Entry
from sales.candidates import candidates
from sales.models import Refund, Sale
from sales.refunds import NewRefund, record_refund
from stores.models import Store
from stores.places import Place

pytestmark = pytest.mark.django_db(transaction=True)

MARA = "mara@example.com"
MUG = {"sku": "MUG", "name": "Mug", "quantity": 1, "unit_price_cents": 1100}


@pytest.fixture
def sold(engine, sell):
    """A sale made so many days ago."""

    def make(pos_id: str, days: int = 1, **facts) -> Sale:
        return sell(pos_id, completed_at=timezone.now() - timedelta(days=days), **facts).sale

    return make


@pytest.fixture
def brought_back(installation, till, ana):
    def make(**facts) -> Refund:
        told = {"pos_id": "R-1", "total_cents": 1100, "currency": "USD", "email": MARA} | facts
        return record_refund(installation, NewRefund(**told), Place(till.store, till, ana)).refund

    return make


def ranked(refund: Refund) -> list[str]:
    refund.refresh_from_db()
    return [one.sale.pos_id for one in candidates(refund)]


def test_the_persons_come_first_then_what_has_the_items_then_the_nearest(mara, sold, brought_back):
    sold("older", days=9)
    sold("newer", days=2)
    sold("with-the-mug", days=30, items=(MUG,))
    sold("nobodys", email="")
    sold("bea's", email="bea@example.com")
    sold("long-ago", days=200)
    refund = brought_back(items=({"sku": "MUG", "quantity": 1},))
    assert ranked(refund) == ["with-the-mug", "newer", "older", "nobodys"]


def test_only_what_it_fits_is_one(mara, sold, brought_back, installation):
    sold("too-small", total_cents=1000)
    sold("other-money", currency="CAD")
    Sale.objects.filter(pk=sold("voided").pk).update(voided_at=Now())
    Sale.objects.filter(pk=sold("spent").pk).update(refunded_cents=4000)
    assert ranked(brought_back()) == []


def test_of_a_refund_that_names_nobody_the_stores_are(mara, sold, brought_back, installation):
    sold("here")
    salem = Store.objects.create(installation=installation, code="salem", name="Salem")
    Sale.objects.filter(pk=sold("there").pk).update(store=salem)
    assert ranked(brought_back(email="")) == ["here"]


def test_a_phone_is_as_good_as_an_email(engine, sold, brought_back):
    sold("hers", email="", phone="+14155550123")
    sold("another's", email="", phone="+14155550124")
    assert ranked(brought_back(email="", phone="+14155550123")) == ["hers"]


# In the admin


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def page_of(client: Client, refund: Refund) -> str:
    return client.get(reverse("admin:sales_refund_change", args=[refund.pk])).content.decode()


def decide(client: Client, refund: Refund, **typed) -> str:
    address = reverse("admin:sales_match", args=[refund.pk])
    return client.post(address, {"reason": "receipt", **typed}, follow=True).content.decode()


def test_a_manager_matches_it_once(client, sandbox, mara, sold, brought_back, deliveries):
    sold("S-1")
    deliveries()
    refund = brought_back()
    assert "Sale S-1 of" in page_of(client, refund)
    assert "Matched with Sale S-1" in decide(client, refund, choice="sale:S-1")
    assert "settled already" in decide(client, refund, choice="sale:S-1")
    assert set(deliveries()) == {"done"}
    assert sandbox.balance(MARA) == 640 + 42 - 11
    assert Entry.objects.get(act="refund.matched").reason == "receipt"
    assert "Find its sale" not in page_of(client, refund)


def test_a_manager_names_a_sale_that_was_not_shown(client, mara, sold, brought_back):
    sold("long-ago", days=200)
    refund = brought_back()
    assert "No sale of the last months fits" in page_of(client, refund)
    assert "no such sale" in decide(client, refund, choice="another", number="x")
    assert "Matched" in decide(client, refund, choice="another", number="long-ago")


def test_a_manager_says_that_there_is_none(client, brought_back):
    refund = brought_back()
    assert "No points are taken back" in decide(client, refund, choice="none")
    refund.refresh_from_db()
    assert (refund.state, refund.reason, refund.email) == ("kept", "no_match", None)


@pytest.mark.parametrize(
    ("typed", "said"), [({}, "Choose a sale"), ({"choice": "none", "reason": ""}, "Say why")]
)
def test_nothing_is_decided_without_a_choice_and_a_reason(client, brought_back, typed, said):
    refund = brought_back()
    assert said in decide(client, refund, **typed)
    refund.refresh_from_db()
    assert refund.reason == "blind"


def test_only_who_may_settle_is_asked(brought_back):
    refund = brought_back()
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_refund"))
    client = Client()
    client.force_login(clerk)
    assert "Find its sale" not in page_of(client, refund)
    address = reverse("admin:sales_match", args=[refund.pk])
    assert client.post(address, {"choice": "none", "reason": "x"}).status_code == 403
