"""A device becomes a till by a code that a manager types, who sees which device asks."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.test import Client

from access import pairing
from access.models import PairedTill, PairingRequest, Tries
from audit.models import Entry
from stores.models import Installation, Store, Till
from tests.access.at_till import TillPage, pair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_pins")]

PAIR = "/admin/access/pairingrequest/pair/"


@pytest.fixture
def device(installation) -> TillPage:
    return TillPage()


@pytest.fixture
def boss() -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(User.objects.create_superuser("boss"))
    return client


def state_of(device: TillPage, poll: str) -> str:
    return device.post("pair/poll", poll=poll).json()["state"]


def approve(boss: Client, code: str, till: Till):
    return boss.post(PAIR, {"code": code, "till": str(till.pk), "answer": "approve"})


def test_an_unknown_device_is_asked_to_be_paired_and_told_no_name(device, ana):
    answer = device.post("launch")

    assert (answer.status_code, answer.json()) == (401, {"next": "pair"})


def test_from_code_to_till(device, boss, till, ana):
    asked = device.post("pair").json()
    assert re.fullmatch(f"[{pairing.LETTERS}]{{4}}-[{pairing.LETTERS}]{{4}}", asked["code"])
    assert (asked["expires_in"], state_of(device, asked["poll"])) == (600, "waiting")

    seen = boss.post(PAIR, {"code": asked["code"].lower().replace("-", " ")}).content.decode()
    assert "192.0.2.10" in seen and "Till/1.0" in seen and "Quill &amp; Thread" in seen
    assert '<optgroup label="Boston">' in seen
    approve(boss, asked["code"], till)

    assert state_of(device, asked["poll"]) == "paired"
    told = device.post("launch")
    assert told.status_code == 401
    assert told.json()["next"] == "people" and told.json()["till"] == "Till 1, Boston"
    entry = Entry.objects.get(act="till.pairing_approved")
    assert (entry.who, entry.till, entry.after["from"]) == ("boss", "Till 1, Boston", "192.0.2.10")


def test_only_hashes_are_kept(device, boss, till):
    asked = device.post("pair").json()
    approve(boss, asked["code"], till)
    state_of(device, asked["poll"])
    key = device.client.cookies["__Host-till-shop"].value

    kept = f"{PairingRequest.objects.values_list()}{PairedTill.objects.values_list()}"
    kept += str(list(Entry.objects.values_list()))
    for secret in (asked["code"], asked["code"].replace("-", ""), asked["poll"], key):
        assert secret not in kept


def test_the_code_does_not_reveal_what_the_till_polls_with(device, boss, till):
    asked = device.post("pair").json()
    approve(boss, asked["code"], till)

    thief = TillPage()
    assert state_of(thief, asked["code"]) == "over"
    assert thief.post("launch").json() == {"next": "pair"}


def test_an_answer_that_was_lost_is_given_again(device, boss, till):
    asked = device.post("pair").json()
    approve(boss, asked["code"], till)

    keys = set()
    for _ in range(2):
        assert state_of(device, asked["poll"]) == "paired"
        keys.add(device.client.cookies["__Host-till-shop"].value)
    assert len(keys) == 1 and PairedTill.objects.count() == 1


def test_unknown_expired_and_refused_look_alike(device, boss, till):
    refused, expired = device.post("pair").json(), device.post("pair").json()
    boss.post(PAIR, {"code": refused["code"], "answer": "refuse"}, follow=True)
    last = PairingRequest.objects.order_by("pk").last()
    PairingRequest.objects.filter(pk=last.pk).update(expires_at=Now() - timedelta(seconds=1))

    assert {state_of(device, one) for one in (refused["poll"], expired["poll"], "x", "")} == {
        "over"
    }
    said = {
        re.sub(r'value="[^"]*"', "", boss.post(PAIR, {"code": code}).content.decode())
        for code in (refused["code"], expired["code"], "CCCC-CCCC")
    }
    assert len(said) == 1 and "No till is waiting with this code" in said.pop()


def test_three_may_wait_at_one_address_and_one_that_goes_away_makes_room(device):
    polls = [device.post("pair").json()["poll"] for _ in range(3)]

    fourth = device.post("pair")
    assert fourth.status_code == 429 and "3 tills of this network" in fourth.json()["detail"]

    neighbour = TillPage()
    neighbour.address = "192.0.2.11"
    assert neighbour.post("pair").status_code == 200
    assert device.post("pair/leave", poll=polls[0]).status_code == 204
    assert device.post("pair").status_code == 200


def test_those_that_expired_make_room_too(device):
    for _ in range(3):
        device.post("pair")
    PairingRequest.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert device.post("pair").status_code == 200


def test_to_ask_and_give_up_again_and_again_ends_too(device, monkeypatch):
    monkeypatch.setattr(pairing, "ASKED_PER_ADDRESS", 5)
    for _ in range(5):
        device.post("pair/leave", poll=device.post("pair").json()["poll"])

    assert device.post("pair").status_code == 429
    PairingRequest.objects.update(created_at=Now() - timedelta(minutes=11))
    assert device.post("pair").status_code == 200


def test_many_addresses_cannot_flood_the_list(device, monkeypatch):
    monkeypatch.setattr(pairing, "OPEN_IN_ALL", 2)
    for number in range(2):
        device.address = f"192.0.2.{number}"
        assert device.post("pair").status_code == 200

    device.address = "192.0.2.99"
    assert device.post("pair").status_code == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.10"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 203.0.113.10", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.10"),
        (1, "", "192.0.2.10"),
    ],
)
def test_an_address_is_what_our_own_proxies_say(device, settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    device.headers["X-Forwarded-For"] = forwarded
    device.post("pair")

    assert PairingRequest.objects.get().address == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.10", "192.0.2.10"),
        ("192.0.2.10", "192.0.2.10"),
        ("no address", "no address"),
    ],
)
def test_of_ipv6_a_whole_network_is_one(device, address, network):
    device.address = address
    device.post("pair")

    assert PairingRequest.objects.get().address == network


def test_codes_cannot_be_tried(boss, device):
    asked = device.post("pair").json()
    for _ in range(30):
        answer = boss.post(PAIR, {"code": "CCCC-CCCC"})
    assert "Too many wrong tries" in answer.content.decode()

    assert "Too many wrong tries" in boss.post(PAIR, {"code": asked["code"]}).content.decode()
    assert Tries.objects.get(subject="pairing").wrong == 5
    assert Entry.objects.filter(act="till.pairing_code.refused").count() == 31


def test_a_link_with_the_code_in_it_approves_and_shows_nothing(boss, device, till):
    asked = device.post("pair").json()
    query = {"code": asked["code"], "till": till.pk, "answer": "approve"}

    seen = boss.get(PAIR, query).content.decode()

    assert asked["code"] not in seen and "192.0.2.10" not in seen
    assert PairingRequest.objects.get().state == "open"


def test_another_site_cannot_approve_for_a_manager(device, till):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    asked = device.post("pair").json()

    assert approve(client, asked["code"], till).status_code == 403
    assert PairingRequest.objects.get().state == "open"


def test_it_takes_the_right_to_pair(device, till):
    clerk = User.objects.create(username="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_pairingrequest"))
    client = Client()
    client.force_login(clerk)
    asked = device.post("pair").json()

    assert approve(client, asked["code"], till).status_code == 403
    assert "Pair a till" not in client.get("/admin/access/pairingrequest/").content.decode()
    clerk.user_permissions.add(Permission.objects.get(codename="pair_till"))
    assert approve(client, asked["code"], till).status_code == 302


def test_a_till_of_another_installation_cannot_be_chosen(boss, device):
    other = Installation.objects.create(id="other", name="Other")
    theirs = Till.objects.create(
        store=Store.objects.create(installation=other, code="x", name="X"), code="1", name="Till X"
    )
    asked = device.post("pair").json()

    seen = approve(boss, asked["code"], theirs).content.decode()

    assert "Choose the till" in seen and "Till X" not in seen
    assert PairingRequest.objects.get().state == "open"


def test_a_device_that_keeps_no_cookie_is_told_before_a_manager_comes(device):
    asked = device.post("pair").json()
    device.client.cookies.clear()

    assert state_of(device, asked["poll"]) == "storage"
    assert PairingRequest.objects.get().state == "over"


def test_what_a_device_says_of_itself_is_text(boss, device):
    device.headers["User-Agent"] = "<script>alert(1)</script>"
    asked = device.post("pair").json()

    seen = boss.post(PAIR, {"code": asked["code"]}).content.decode()

    assert "<script>alert" not in seen and "&lt;script&gt;alert" in seen


# The key


def cookie_of(answer) -> str:
    return answer.cookies.output(header="")


def test_over_https_the_cookie_is_partitioned_and_bound_to_the_host(boss, till, device):
    asked = device.client.post("/panel/shop/pair", secure=True)
    body = {"poll": asked.json()["poll"]}
    approve(boss, asked.json()["code"], till)

    answer = device.client.post("/panel/shop/pair/poll", body, "application/json", secure=True)

    said = cookie_of(answer)
    assert said.strip().startswith("__Host-till-shop=")
    for part in ("Secure", "HttpOnly", "SameSite=None", "Path=/", "Max-Age=34560000"):
        assert f"; {part}" in said
    assert said.endswith("; Partitioned") and "Domain" not in said


def test_it_is_deleted_as_it_was_set(boss, till, device):
    _, key = pair(till)
    device.client.cookies["__Host-till-shop"] = key
    PairedTill.objects.update(revoked_at=Now())

    said = cookie_of(device.client.post("/panel/shop/launch", {}, "application/json", secure=True))

    assert '__Host-till-shop=""' in said and "Max-Age=0" in said
    assert said.endswith("; Partitioned")


def test_a_key_in_the_tills_address_is_exchanged_for_the_cookie(till, device):
    _, device.key = pair(till)
    assert device.post("launch").json()["next"] == "people"

    device.key = ""
    assert device.post("launch").json()["next"] == "people"


def test_the_admin_makes_a_tills_address_once(boss, till):
    seen = boss.post("/admin/access/pairedtill/add/", {"till": till.pk}).content.decode()

    address = re.search(r'id="till-address">([^<]+)<', seen)[1]
    shell, _, key = address.partition("#till=")
    assert shell == "http://testserver/panel/shop/"
    assert pairing.paired_of(key, "shop").till == till
    assert key not in str(list(Entry.objects.values_list()))
    assert Entry.objects.filter(act="paired_till.address_made").count() == 1


@pytest.mark.parametrize("off", ["till", "store", "installation", "pairing", "revoked"])
def test_a_key_of_what_is_off_opens_nothing(till, store, installation, device, off):
    paired, device.key = pair(till)
    row, field = {
        "till": (till, "is_active"),
        "store": (store, "is_active"),
        "installation": (installation, "is_active"),
        "pairing": (installation, "pairing"),
        "revoked": (paired, "revoked_at"),
    }[off]
    type(row).objects.filter(pk=row.pk).update(**{field: Now() if off == "revoked" else False})

    answer = device.post("launch")

    assert answer.status_code == (403 if off in {"installation", "pairing"} else 401)
    assert "people" not in answer.json()


def test_a_key_opens_no_other_installation(till, device):
    Installation.objects.create(id="other", name="Other")
    _, key = pair(till)

    stranger = TillPage("other")
    stranger.key = key
    assert stranger.post("launch").json() == {"next": "pair"}


@pytest.mark.parametrize(
    "path", ["pair", "pair/poll", "pair/leave", "people/sign-in", "people/lock"]
)
def test_only_the_panels_own_page_may_ask(device, path):
    assert device.client.get(f"/panel/shop/{path}").status_code == 405
    device.headers["Origin"] = "https://evil.example"
    assert device.post(path).status_code == 403
    device.headers |= {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}
    assert device.post(path).status_code == 403


@pytest.mark.parametrize("body", ["", "null", "[]", "{", "\0", '{"till": 1, "poll": {}, "pin": 3}'])
def test_what_cannot_be_read_is_nothing(installation, body):
    for path in ("launch", "pair/poll", "people/sign-in", "people/lock"):
        answer = Client().post(f"/panel/shop/{path}", body, "application/json")
        assert answer.status_code in {200, 400, 401}


# What the database refuses


def test_an_approved_request_names_its_till(installation, device):
    device.post("pair")
    with pytest.raises(IntegrityError), transaction.atomic():
        PairingRequest.objects.update(state="approved")


def test_a_request_has_one_of_three_slots(installation, device):
    device.post("pair")
    with pytest.raises(IntegrityError), transaction.atomic():
        PairingRequest.objects.update(slot=4)


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("http://127.0.0.1", True),
        ("http://localhost", True),
        ("http://panel.example.com", False),
        ("https://127.0.0.1", False),
    ],
)
def test_only_on_plain_loopback_there_is_a_plain_cookie_beside_it(
    installation, settings, address, plain
):
    settings.ALLOWED_HOSTS = ["*"]
    scheme, _, host = address.partition("://")

    answer = Client(headers={"Host": host}).post("/panel/shop/pair", secure=scheme == "https")

    assert set(answer.cookies) == {"__Host-till-shop", *(["till-shop"] if plain else [])}
    stray = Client(headers={"Host": host})
    stray.cookies["till-shop"] = "kept"
    poll = {"poll": answer.json()["poll"]}
    asked = stray.post("/panel/shop/pair/poll", poll, "application/json", secure=scheme == "https")
    assert asked.json()["state"] == ("waiting" if plain else "storage")


BODIES = {
    "too deep": b"[" * 100_000,
    "half a letter": b'{"till": "\\ud800", "poll": "\\ud800", "badge": "\\ud800", "pin": "1234"}',
    "no object": b"[1]",
}


@pytest.mark.parametrize("path", ["pair/poll", "pair/leave", "people/sign-in", "people/lock"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_read_is_as_good_as_none(device, path, body):
    address = f"/panel/shop/{path}"
    answer = device.client.post(address, body, "application/json")
    assert answer.status_code < 500
