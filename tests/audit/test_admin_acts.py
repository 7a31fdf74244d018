"""What managers do in the admin, and what the set-up command does, is in the trail."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client

from access.models import ApiKey, Bearer, LaunchSecret, WebhookSecret
from audit.models import Entry
from stores.models import Associate, Installation, Store, Till

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def change(client: Client, row: Any, **fields: Any) -> HttpResponse:
    page = f"/admin/stores/{row._meta.model_name}/{row.pk}/change/"
    initial = client.get(page).context["adminform"].form.initial
    form = {name: value for name, value in initial.items() if value not in (None, False)}
    # As the page's text area shows them.
    form |= {name: "\n".join(value) for name, value in form.items() if isinstance(value, list)}
    return client.post(page, {**form, **fields})


def act_of(entry: Entry) -> tuple[str, str, str, str]:
    return entry.act, entry.who, entry.installation, entry.subject_id


def test_a_changed_policy_is_told_from_what_to_what(
    client: Client, installation: Installation
) -> None:
    Installation.objects.update(origins=["https://a.example"])
    change(client, installation, lease_minutes=30, name="Quill")
    entry = Entry.objects.get()
    assert act_of(entry) == ("installation.changed", "boss", "shop", "shop")
    assert entry.before == {"lease_minutes": 15, "name": "Quill & Thread"}
    assert entry.after == {"lease_minutes": 30, "name": "Quill"}


def test_saving_without_a_change_is_no_act(client: Client, till: Till) -> None:
    assert change(client, till).status_code == 302
    assert Entry.objects.count() == 0


def test_a_refused_change_is_no_act(client: Client, installation: Installation) -> None:
    assert change(client, installation, lease_minutes=0).status_code == 200
    assert Entry.objects.count() == 0


@pytest.mark.parametrize("row", ["store", "till", "ana"])
def test_who_disabled_what_is_told(
    client: Client, row: str, ana: Associate, till: Till, request: pytest.FixtureRequest
) -> None:
    disabled = request.getfixturevalue(row)
    change(client, disabled, is_active="")
    entry = Entry.objects.get()
    kind = disabled._meta.model_name
    assert act_of(entry) == (f"{kind}.changed", "boss", "shop", str(disabled.pk))
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})


def test_what_was_made_of_the_form_is_told(client: Client, installation: Installation) -> None:
    form = {"id": "lane", "name": "Lane", "pos": "generic", "region": "GB", "currency": "GBP"}
    form |= {
        "time_zone": "UTC",
        "platform": "custom",
        "offer_policy": "shared",
        "spent_points_returned_by": "engine",
        "origins": "https://A.example:443",
    }
    numbers = {"lease_minutes": 15, "unasked_reverse_minutes": 60, "attach_within_days": 14}
    numbers |= {"attach_daily_limit": 20}
    client.post("/admin/stores/installation/add/", {**form, **numbers})
    after = Entry.objects.get().after
    assert (after["id"], after["order_prefix"]) == ("lane", "lane-")
    assert after["origins"] == ["https://a.example"]


def test_an_added_row_names_others_by_their_id(client: Client, store: Store) -> None:
    form = {"store": store.pk, "code": "2", "name": "Till 2", "is_active": "on"}
    client.post("/admin/stores/till/add/", form)
    entry = Entry.objects.get()
    till = Till.objects.get()
    assert act_of(entry) == ("till.added", "boss", "shop", str(till.pk))
    assert entry.after == {"store": store.pk, "code": "2", "name": "Till 2", "is_active": True}
    assert (entry.store, entry.till) == ("Boston", "Till 2, Boston")


@pytest.mark.parametrize("how", ["its page", "the list"])
def test_a_deleted_row_is_still_told_of(client: Client, till: Till, how: str) -> None:
    if how == "its page":
        client.post(f"/admin/stores/till/{till.pk}/delete/", {"post": "yes"})
    else:
        asked = {"action": "delete_selected", "_selected_action": till.pk, "post": "yes"}
        client.post("/admin/stores/till/", asked)
    assert Till.objects.count() == 0
    assert act_of(Entry.objects.get()) == ("till.deleted", "boss", "shop", str(till.pk))


KINDS = {"api_key": ApiKey, "webhook_secret": WebhookSecret, "launch_secret": LaunchSecret}


@pytest.mark.parametrize("name", KINDS)
def test_issuing_and_revoking_is_told_without_the_secret(
    client: Client, installation: Installation, name: str
) -> None:
    kind = KINDS[name]
    address = f"/admin/access/{kind._meta.model_name}/"
    answer = client.post(f"{address}add/", {"installation": "shop", "label": "Back office"})
    row = kind.objects.get()
    for _ in range(2):
        client.post(address, {"action": "revoke", "_selected_action": row.pk})
    issued, revoked = Entry.objects.order_by("id")
    assert act_of(issued) == (f"{name}.issued", "boss", "shop", str(row.pk))
    assert act_of(revoked) == (f"{name}.revoked", "boss", "shop", str(row.pk))
    assert issued.after == revoked.before == {"shown": row.shown, "label": "Back office"}
    secret = answer.context["issued"].told_once
    assert [entry for entry in Entry.objects.values() if secret in str(entry)] == []


def test_a_third_key_leaves_no_entry(client: Client, installation: Installation) -> None:
    for _ in range(3):
        client.post("/admin/access/apikey/add/", {"installation": "shop"})
    assert Entry.objects.count() == 2


def test_throwing_somebody_out_is_told(client: Client, till: Till, ana: Associate) -> None:
    Bearer.issue(till, ana)
    bearer = Bearer.objects.get()
    for _ in range(2):
        client.post("/admin/access/bearer/", {"action": "revoke", "_selected_action": bearer.pk})
    entry = Entry.objects.get()
    assert act_of(entry) == ("bearer.revoked", "boss", "shop", str(bearer.pk))
    assert entry.before == {"associate": "Ana Pardo"}


@pytest.mark.parametrize("model", ["apikey", "bearer"])
def test_what_cannot_be_recorded_is_not_done(
    client: Client, till: Till, ana: Associate, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ApiKey.issue(ana.installation)
    Bearer.issue(till, ana)
    kind = {"apikey": ApiKey, "bearer": Bearer}[model]

    def fail(**_entry: object) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr("audit.audited.record", fail)
    with pytest.raises(DatabaseError):
        client.post(
            f"/admin/access/{model}/",
            {"action": "revoke", "_selected_action": kind.objects.get().pk},
        )
    assert kind.objects.get().revoked_at is None


# Managers


PASSWORD = "correct horse battery"


@pytest.fixture
def clerk(db: None) -> User:
    return User.objects.create(username="clerk", is_staff=True, email="clerk@example.com")


def user_form(clerk: User, **fields: Any) -> dict[str, Any]:
    joined = {"date_joined_0": "2026-01-02", "date_joined_1": "03:04:05"}
    joined |= {f"initial-{name}": value for name, value in joined.items()}
    form = {"username": clerk.username, "email": clerk.email, "is_active": "on", "is_staff": "on"}
    return {**form, **joined, **fields}


def test_a_new_manager_is_told_without_the_password(client: Client) -> None:
    form = {"username": "clerk", "usable_password": "true"}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    client.post("/admin/auth/user/add/", form)
    entry = Entry.objects.get()
    clerk = User.objects.get(username="clerk")
    assert act_of(entry) == ("user.added", "boss", "", str(clerk.pk))
    assert entry.after["username"] == "clerk"
    assert PASSWORD not in str(entry.after)


def test_who_was_given_which_rights_is_told(client: Client, clerk: User) -> None:
    group = Group.objects.create(name="Managers")
    form = user_form(clerk, is_superuser="on", groups=[group.pk], email="other@example.com")
    client.post(f"/admin/auth/user/{clerk.pk}/change/", form)
    entry = Entry.objects.get()
    assert act_of(entry) == ("user.changed", "boss", "", str(clerk.pk))
    assert entry.before == {"is_superuser": False, "groups": [], "email": "c•••@example.com"}
    assert entry.after == {
        "is_superuser": True,
        "groups": [group.pk],
        "email": "o•••@example.com",
    }


def test_a_new_password_is_told_and_not_which(client: Client, clerk: User) -> None:
    page = f"/admin/auth/user/{clerk.pk}/password/"
    form = {"password1": PASSWORD, "usable_password": "true", "set-password": ""}
    client.post(page, {**form, "password2": "another"})
    assert Entry.objects.count() == 0
    client.post(page, {**form, "password2": PASSWORD})
    entry = Entry.objects.get()
    assert act_of(entry) == ("user.password_changed", "boss", "", str(clerk.pk))
    assert (entry.before, entry.after) == ({}, {})
    clerk.refresh_from_db()
    assert clerk.check_password(PASSWORD)


def test_a_groups_rights_are_told(client: Client) -> None:
    group = Group.objects.create(name="Managers")
    may = Permission.objects.get(codename="add_apikey")
    form = {"name": "Managers", "permissions": [may.pk]}
    client.post(f"/admin/auth/group/{group.pk}/change/", form)
    entry = Entry.objects.get()
    assert act_of(entry) == ("group.changed", "boss", "", str(group.pk))
    assert (entry.before, entry.after) == ({"permissions": []}, {"permissions": [may.pk]})


def test_the_set_up_command_is_told_without_secrets(db: None, capsys) -> None:
    options = ["--pos", "generic", "--origin", "https://Till.example.com:443", "--json"]
    call_command("create_installation", "Quill & Thread", *options)
    told = capsys.readouterr().out
    entry = Entry.objects.get()
    expected = ("installation.added", "create_installation", "quill-thread", "quill-thread")
    assert act_of(entry) == expected
    assert entry.after["origins"] == ["https://till.example.com"]
    for secret in (word for word in told.split('"') if len(word) > 40):
        assert secret not in str(entry.after)
