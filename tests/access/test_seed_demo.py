import json
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from access.keys import ApiKey, LaunchSecret
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


# A till's keys

TILL = "http://localhost:8701"


def seed_till(file: Path, origin: str = TILL) -> dict[str, str]:
    call_command("seed_demo", till=file, till_origin=origin, stdout=StringIO())
    told: dict[str, str] = json.loads(file.read_text())
    return told


def live() -> tuple[int, int]:
    kinds = (LaunchSecret, ApiKey)
    return tuple(kind.objects.filter(revoked_at=None).count() for kind in kinds)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "till.json"


@pytest.mark.usefixtures("_demo")
def test_a_till_gets_keys_that_open_the_demo(file: Path, settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8003"
    told = seed_till(file)
    assert told["panel_url"] == "http://127.0.0.1:8003/panel/demo/"
    assert told["installation"] == "demo"
    assert LaunchSecret.of_kid(told["launch_kid"], "demo").secret == told["launch_secret"]
    assert ApiKey.of_secret(told["api_key"]).installation_id == "demo"
    assert Installation.objects.get().origins == [TILL]


@pytest.mark.usefixtures("_demo")
def test_nobody_else_may_read_them(file: Path) -> None:
    seed_till(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    seed_till(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["till.json"]


@pytest.mark.database
@pytest.mark.usefixtures("_demo")
def test_a_till_keeps_its_keys_and_its_address_follows_the_ports(file: Path, settings) -> None:
    first = seed_till(file)
    settings.PUBLIC_URL = "http://127.0.0.1:8005"
    again = seed_till(file, "http://localhost:8706")
    assert again == {**first, "panel_url": "http://127.0.0.1:8005/panel/demo/"}
    assert Installation.objects.get().origins == ["http://localhost:8706"]
    assert live() == (1, 1)


@pytest.mark.database
@pytest.mark.usefixtures("_demo")
@pytest.mark.parametrize("text", ["", "{}", "[]", '{"launch_kid": 1}'])
def test_keys_that_were_lost_are_replaced_however_often(file: Path, text: str) -> None:
    first = seed_till(file)
    for _ in range(3):
        file.write_text(text)
        last = seed_till(file)
    assert live() == (1, 1)
    assert last["api_key"] != first["api_key"]
    assert ApiKey.of_secret(first["api_key"]) is None


@pytest.mark.usefixtures("_demo")
def test_where_two_others_are_live_the_older_gives_way(file: Path) -> None:
    seed()
    demo = Installation.objects.get()
    for kind in (LaunchSecret, ApiKey):
        for label in ("older", "newer"):
            kind.issue(demo, label)
    seed_till(file)
    assert set(ApiKey.objects.filter(revoked_at=None).values_list("label", flat=True)) == {
        "newer",
        "demo till",
    }
    assert live() == (2, 2)


@pytest.mark.usefixtures("_demo")
def test_origins_beyond_this_machine_stay(file: Path) -> None:
    seed()
    Installation.objects.update(origins=["https://pos.example.com", "http://127.0.0.1:9000"])
    seed_till(file)
    assert Installation.objects.get().origins == ["https://pos.example.com", TILL]


@pytest.mark.usefixtures("_demo")
def test_a_till_needs_its_address(file: Path) -> None:
    with pytest.raises(CommandError, match="go together"):
        call_command("seed_demo", till=file, stdout=StringIO())
