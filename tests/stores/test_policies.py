"""What an installation decides for its tills, and what the database keeps of it."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from stores.models import Installation

pytestmark = pytest.mark.django_db


def new(shop_id: str, **fields: Any) -> Installation:
    with transaction.atomic():
        return Installation.objects.create(id=shop_id, name="A shop", **fields)


def test_its_defaults_are_a_quarter_and_a_whole_hour(installation: Installation) -> None:
    kept = Installation.objects.get()
    assert (kept.lease_minutes, kept.unasked_reverse_minutes) == (15, 60)
    assert (kept.order_prefix, kept.origins, kept.excluded_origins) == ("", [], [])


# field, value, the constraint that refuses it or none.
MINUTES: list[tuple[str, int, str]] = [
    ("lease_minutes", 1, ""),
    ("lease_minutes", 240, ""),
    ("lease_minutes", 0, "a_lease_lasts_from_1_to_240_minutes"),
    ("lease_minutes", 241, "a_lease_lasts_from_1_to_240_minutes"),
    ("unasked_reverse_minutes", 1, ""),
    ("unasked_reverse_minutes", 1440, ""),
    ("unasked_reverse_minutes", 0, "an_unasked_reversal_waits_for_1_minute_or_more"),
]


@pytest.mark.database
@pytest.mark.parametrize(("field", "value", "refused_by"), MINUTES)
def test_the_database_keeps_minutes_within_bounds(field: str, value: int, refused_by: str) -> None:
    if refused_by:
        with pytest.raises(IntegrityError, match=refused_by):
            new("shop", **{field: value})
    else:
        assert getattr(new("shop", **{field: value}), field) == value


@pytest.mark.parametrize(("field", "value", "refused_by"), [*MINUTES, ("lease_minutes", -1, "x")])
def test_minutes_out_of_bounds_are_told_before(field: str, value: int, refused_by: str) -> None:
    shop = Installation(id="shop", name="A shop", **{field: value})
    if refused_by:
        with pytest.raises(ValidationError) as caught:
            shop.full_clean()
        assert field in caught.value.message_dict
    else:
        shop.full_clean()


# The prefix of orders


@pytest.mark.database
def test_only_the_first_goes_without_a_prefix() -> None:
    prefixes = [new("one").order_prefix, new("two").order_prefix, new("three").order_prefix]
    assert prefixes == ["", "two-", "three-"]


def test_a_prefix_that_was_given_stays() -> None:
    assert new("one", order_prefix="one:").order_prefix == "one:"
    assert new("two").order_prefix == ""


def test_the_first_stays_without_when_it_is_saved_again() -> None:
    first = new("one")
    new("two")
    first.full_clean()
    first.save()
    assert Installation.objects.get(id="one").order_prefix == ""


@pytest.mark.database
@pytest.mark.parametrize("prefix", ["", "a-"])
def test_the_database_keeps_prefixes_apart(prefix: str) -> None:
    new("one", order_prefix=prefix)
    other = new("two", order_prefix="b-")
    with (
        pytest.raises(IntegrityError, match=r"an_order_prefix_belongs_to_one|UNIQUE.*order_prefix"),
        transaction.atomic(),
    ):
        Installation.objects.filter(pk=other.pk).update(order_prefix=prefix)


def test_a_taken_prefix_is_told_with_what_to_do() -> None:
    new("one", order_prefix="a-")
    with pytest.raises(ValidationError) as caught:
        Installation(id="two", name="A shop", order_prefix="a-").full_clean()
    [said] = caught.value.message_dict["order_prefix"]
    assert "Choose another" in said


@pytest.mark.parametrize("prefix", ["a b", "é", "a/", "a" * 65])
def test_a_prefix_that_no_order_can_have_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Installation(id="two", name="A shop", order_prefix=prefix).full_clean()
    assert set(caught.value.message_dict) == {"order_prefix"}


# In the admin


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


FORM = {
    "id": "shop",
    "name": "A shop",
    "pos": "generic",
    "region": "US",
    "currency": "USD",
    "time_zone": "UTC",
    "offer_policy": "per_member",
    "spent_points_returned_by": "engine",
    "platform": "custom",
    "attach_within_days": 14,
    "attach_daily_limit": 10,
    "lease_minutes": 15,
    "unasked_reverse_minutes": 60,
    "is_active": "on",
}


def test_origins_are_written_one_a_line(client: Client) -> None:
    lines = "https://A.example\r\n\r\n  http://localhost:3000 \r\nhttps://a.example:443\r\n"
    client.post("/admin/stores/installation/add/", {**FORM, "origins": lines})
    page = client.get("/admin/stores/installation/shop/change/").content.decode()
    assert Installation.objects.get().origins == ["https://a.example", "http://localhost:3000"]
    assert "https://a.example\nhttp://localhost:3000</textarea>" in page


def test_a_bad_line_is_told_and_nothing_saved(client: Client) -> None:
    lines = {"origins": "https://a.example\nhttp://b.example", "excluded_origins": "w" * 65}
    answer = client.post("/admin/stores/installation/add/", {**FORM, **lines})
    assert set(answer.context["adminform"].form.errors) == {"origins", "excluded_origins"}
    assert "http://b.example must start with https://" in answer.content.decode()
    assert Installation.objects.count() == 0


def test_the_history_names_what_was_changed_and_no_more(client: Client) -> None:
    client.post("/admin/stores/installation/add/", {**FORM, "origins": "https://a.example"})
    page = "/admin/stores/installation/shop/change/"
    client.post(page, {**FORM, "origins": "https://a.example", "lease_minutes": 20})
    assert LogEntry.objects.latest("id").get_change_message() == "Changed Lease minutes."


def test_a_prefix_is_not_changed_after_orders_may_have_been_sent(client: Client) -> None:
    new("shop", order_prefix="s-")
    client.post("/admin/stores/installation/shop/change/", {**FORM, "order_prefix": "t-"})
    assert Installation.objects.get().order_prefix == "s-"


def test_a_later_one_gets_its_prefix_in_the_admin_too(client: Client) -> None:
    new("first")
    answer = client.post("/admin/stores/installation/add/", FORM)
    assert answer.status_code == 302
    assert Installation.objects.get(id="shop").order_prefix == "shop-"
