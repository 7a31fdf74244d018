from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from stores.models import Associate, Installation, Store, Till

pytestmark = pytest.mark.django_db


@pytest.fixture
def _demo(settings) -> None:
    settings.DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick


def seed() -> str:
    told = StringIO()
    call_command("seed_demo", stdout=told)
    return told.getvalue()


def everything() -> list[list[tuple[object, ...]]]:
    models = (Installation, Store, Till, Associate, get_user_model())
    return [sorted(model.objects.values_list(), key=str) for model in models]


def test_outside_the_demo_it_makes_nothing() -> None:
    with pytest.raises(CommandError, match="LOYALTY_MODE=demo"):
        seed()
    assert everything() == [[], [], [], [], []]


@pytest.mark.usefixtures("_demo")
def test_it_makes_a_shop_with_stores_tills_and_people() -> None:
    seed()
    assert Installation.objects.get().id == "demo"
    assert set(Store.objects.values_list("code", "region")) == {("boston", ""), ("london", "GB")}
    assert Till.objects.count() == 3
    assert set(Associate.objects.values_list("code", "role")) == {
        ("ana", "associate"),
        ("ben", "associate"),
        ("mel", "manager"),
    }


@pytest.mark.usefixtures("_demo")
def test_what_it_makes_is_valid() -> None:
    seed()
    rows = [row for model in (Installation, Store, Till, Associate) for row in model.objects.all()]
    for row in rows:
        row.full_clean()
    assert len(rows) == 9


@pytest.mark.usefixtures("_demo")
def test_its_manager_can_log_in_as_it_says() -> None:
    name, _, password = seed().strip().rpartition(": ")[2].partition(" / ")
    assert Client().login(username=name, password=password)


@pytest.mark.database
@pytest.mark.usefixtures("_demo")
def test_twice_is_the_same_as_once() -> None:
    seed()
    once = everything()
    seed()
    assert everything() == once


@pytest.mark.usefixtures("_demo")
def test_what_was_changed_since_stays_changed() -> None:
    seed()
    Store.objects.filter(code="boston").update(name="Our own name")
    manager = get_user_model().objects.get()
    manager.set_password("one of our own")
    manager.save()
    seed()
    assert Store.objects.get(code="boston").name == "Our own name"
    assert get_user_model().objects.get().check_password("one of our own")
