"""One command makes an installation with all its secrets, or nothing."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from access.keys import ApiKey, LaunchSecret, WebhookSecret
from stores.models import Installation

pytestmark = pytest.mark.django_db

NEEDED = ["--pos", "generic", "--origin", "https://till.example.com"]
MODELS = [Installation, ApiKey, WebhookSecret, LaunchSecret]


def create(*arguments: str, name: str = "Quill & Thread") -> str:
    told = StringIO()
    call_command("create_installation", name, *NEEDED, *arguments, stdout=told)
    return told.getvalue()


def created(*arguments: str, name: str = "Quill & Thread") -> dict[str, str]:
    made: dict[str, str] = json.loads(create(*arguments, "--json", name=name))
    return made


def counts() -> list[int]:
    return [model.objects.count() for model in MODELS]


@pytest.mark.database
def test_what_it_prints_opens() -> None:
    made = created()
    shop = Installation.objects.get()
    assert list(made) == ["id", "launch_kid", "launch_secret", "api_key", "webhook_secret"]
    assert made["id"] == shop.id == "quill-thread"
    assert ApiKey.of_secret(made["api_key"]).installation == shop
    assert WebhookSecret.of_secret(made["webhook_secret"]).installation == shop
    launch = LaunchSecret.of_kid(made["launch_kid"], shop.id)
    assert launch.secret == made["launch_secret"]
    assert counts() == [1, 1, 1, 1]


def test_people_are_told_the_same_in_words(settings) -> None:
    settings.PUBLIC_URL = "https://panel.example.com"
    told = create()
    secrets = [line.split()[-1] for line in told.splitlines() if line.startswith("  ")]
    assert secrets[0] == "https://panel.example.com/panel/quill-thread/"
    launch = LaunchSecret.objects.get()
    assert secrets[1:3] == [launch.kid, launch.secret]
    assert ApiKey.of_secret(secrets[3])
    assert WebhookSecret.of_secret(secrets[4])


@pytest.mark.parametrize(("pos", "is_warned"), [("generic", False), ("heartland", True)])
def test_for_heartland_it_warns_that_nobody_tells_of_sales(pos: str, is_warned: bool) -> None:
    told, warned = StringIO(), StringIO()
    call_command(
        "create_installation", "Shop", *NEEDED, "--pos", pos, "--json", stdout=told, stderr=warned
    )
    assert json.loads(told.getvalue())["id"] == "shop"
    assert ("nothing tells the panel of Heartland's sales" in warned.getvalue()) is is_warned


def test_without_options_it_is_as_the_model_says() -> None:
    create()
    shop = Installation.objects.get()
    assert (shop.region, shop.currency, shop.time_zone) == ("US", "USD", "UTC")
    assert (shop.lease_minutes, shop.unasked_reverse_minutes, shop.order_prefix) == (15, 60, "")
    assert shop.origins == ["https://till.example.com"]


def test_each_option_fills_its_field() -> None:
    create(
        *("--pos", "heartland", "--origin", "HTTPS://Other.example:443/", "--region", "GB"),
        *("--currency", "GBP", "--time-zone", "Europe/London", "--order-prefix", "lane-"),
        *("--lease-minutes", "5", "--unasked-reverse-minutes", "600", "--id", "lane"),
        *("--platform", "bigcommerce", "--status", "shipped"),
    )
    shop = Installation.objects.get()
    assert (shop.id, shop.pos, shop.region, shop.currency) == ("lane", "heartland", "GB", "GBP")
    assert (shop.time_zone, shop.order_prefix) == ("Europe/London", "lane-")
    assert (shop.lease_minutes, shop.unasked_reverse_minutes) == (5, 600)
    assert (shop.platform, shop.status_sent) == ("bigcommerce", "shipped")
    assert shop.origins == ["https://till.example.com", "https://other.example"]


@pytest.mark.database
def test_the_same_name_again_makes_another_with_a_number() -> None:
    assert [created()["id"] for _ in range(3)] == [
        *("quill-thread", "quill-thread-2", "quill-thread-3")
    ]
    prefixes = Installation.objects.order_by("id").values_list("order_prefix", flat=True)
    assert list(prefixes) == ["", "quill-thread-2-", "quill-thread-3-"]


def test_a_long_name_keeps_room_for_a_number() -> None:
    ids = [created(name="Quill " * 30)["id"] for _ in range(2)]
    assert ids[1] == f"{ids[0]}-2"
    assert max(map(len, ids)) <= 64


# Refused: the arguments, and what is said.
REFUSED: dict[str, tuple[list[str], str]] = {
    "a taken id": (["--id", "taken"], "--id: .* already exists"),
    "a taken prefix": (["--order-prefix", "t-"], "--order-prefix: .*Another installation has"),
    "an id with a space": (["--id", "a b"], "--id: .*valid"),
    "a region": (["--region", "usa"], "--region: "),
    "a currency": (["--currency", "$"], "--currency: Use an ISO 4217 code"),
    "a time zone": (["--time-zone", "Boston"], "--time-zone: Use a name of the IANA list"),
    "a lease too short": (["--lease-minutes", "0"], "--lease-minutes: .*greater"),
    "a lease too long": (["--lease-minutes", "241"], "--lease-minutes: .*less"),
    "no time at all": (["--unasked-reverse-minutes", "0"], "--unasked-reverse-minutes: "),
    "no number": (["--lease-minutes", "x"], "--lease-minutes: invalid int"),
    "another platform": (["--platform", "abacus"], "--platform: invalid choice"),
    "no status of it": (["--platform", "salesforce", "--status", "x"], "--status: .*knows 0"),
    "another POS": (["--pos", "abacus"], "--pos: invalid choice"),
    "plain http": (["--origin", "http://b.example"], "--origin: .*must start with https"),
    "a path": (["--origin", "https://b.example/pos"], "--origin: .*is not an origin"),
    "two things": (["--region", "x", "--currency", "y"], r"--region: [^\n]+\n--currency: "),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_said_and_nothing_made(arguments: list[str], said: str) -> None:
    Installation.objects.create(id="taken", name="Taken", order_prefix="t-")
    with pytest.raises(CommandError, match=said):
        create(*arguments)
    assert counts() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "said"), [("", "NAME: .*blank"), ("ქვა", "--id: .*blank"), ("x" * 201, "NAME: .*200")]
)
def test_a_name_that_gives_no_id_is_refused(name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        create(name=name)
    assert counts() == [0, 0, 0, 0]


def test_without_an_origin_it_makes_nothing() -> None:
    with pytest.raises(CommandError, match="required: --origin"):
        call_command("create_installation", "A shop", "--pos", "generic")
    assert counts() == [0, 0, 0, 0]


@pytest.mark.database
@pytest.mark.parametrize("kind", [ApiKey, WebhookSecret, LaunchSecret])
def test_a_failure_half_way_leaves_nothing(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "issue", die)
    with pytest.raises(KeyboardInterrupt):
        create()
    assert counts() == [0, 0, 0, 0]


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_each_is_whole_or_told_why_not() -> None:
    start = Barrier(4, timeout=20)

    def make(run: Callable[[], str]) -> str:
        start.wait()
        try:
            return run()
        except CommandError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as shells:
        made = list(shells.map(make, [create] * 4))
    refused = [said for said in made if re.search("Run it again|^--(id|order-prefix): ", said)]
    whole = [said for said in made if "is ready" in said]
    assert (len(refused) + len(whole), bool(whole)) == (4, True)
    assert counts() == [len(whole)] * 4
