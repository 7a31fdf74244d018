"""A manager claims a sale in the admin: find whose it is, see what will be told, confirm."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from sales.models import Claim, Sale

pytestmark = pytest.mark.django_db(transaction=True)

MARA = "mara@example.com"


@pytest.fixture
def sale(engine, sell) -> Sale:
    return sell(email="").sale


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def act(client: Client, sale: Sale, what: str, **typed) -> str:
    answer = client.post(reverse(f"admin:sales_{what}", args=[sale.pk]), typed, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_is_found_looked_at_and_claimed_once(client, sandbox, sale, mara, deliveries):
    page = client.get(reverse("admin:sales_sale_change", args=[sale.pk])).content.decode()
    assert "Claim for a member" in page
    shown = act(client, sale, "find_member", who="(415) 555-0123")
    assert "M••• Q•••" in shown and "m•••@example.com" in shown and MARA not in shown
    assert '<th scope="row">order_id</th><td>S-1</td>' in shown
    assert not Claim.objects.exists()
    said = act(client, sale, "claim", member=mara.pk, reason="has the receipt")
    assert "Claimed: the loyalty system is told" in said and "Claim for a member" not in said
    assert deliveries() == ["done"]
    assert sandbox.balance(MARA) == 640 + 42
    again = act(client, sale, "claim", member=mara.pk, reason="again")
    assert "Somebody has said whose this sale is" in again
    listed = client.get(reverse("admin:sales_claim_changelist"), {"how__exact": "manager"})
    assert "has the receipt" in listed.content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nobody.at.all@example.com", "knows nobody by this"),
        ("4155", "incomplete"),
        ("", "Type an email address"),
    ],
)
def test_whom_nobody_knows_is_said(client, sale, typed, said):
    assert said in act(client, sale, "find_member", who=typed)


def test_it_says_where_the_sale_names_somebody_else(client, engine, sell, deliveries):
    sale = sell(email="never.seen@example.com").sale
    deliveries()
    shown = act(client, sale, "find_member", who=MARA)
    assert "The sale names somebody else: n•••@example.com" in shown


def test_a_reason_is_needed(client, sale, mara):
    assert "Say why" in act(client, sale, "claim", member=mara.pk, reason=" ")
    assert not Claim.objects.exists()


def test_the_engine_being_down_is_said(client, sandbox, sale):
    sandbox.fault("GET /customers", "html", times=9)
    assert "can&#x27;t be asked now" in act(client, sale, "find_member", who=MARA)


def test_the_list_shows_what_waits_for_somebody(client, sale, sell, mara):
    sell("S-2")
    page = client.get(reverse("admin:sales_sale_changelist"), {"claim": "open"}).content.decode()
    assert "S-1" in page and "S-2" not in page


def test_only_who_may_claims(sale, mara):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_sale"))
    client = Client()
    client.force_login(clerk)
    page = client.get(reverse("admin:sales_sale_change", args=[sale.pk])).content.decode()
    assert "Claim for a member" not in page
    typed = {"who": MARA, "member": mara.pk, "reason": "x"}
    for what in ("find_member", "claim"):
        answer = client.post(reverse(f"admin:sales_{what}", args=[sale.pk]), typed)
        assert answer.status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="claim"))
    assert "Claimed" in act(client, sale, "claim", member=mara.pk, reason="x")
