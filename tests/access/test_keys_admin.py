"""Managers issue and revoke in the admin; a secret is shown in that one answer and kept nowhere."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client

from access.keys import ApiKey, LaunchSecret, WebhookSecret
from stores.models import Installation

pytestmark = pytest.mark.django_db

KINDS = [ApiKey, WebhookSecret, LaunchSecret]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def address(kind: Any, page: str = "") -> str:
    return f"/admin/access/{kind._meta.model_name}/{page}"


def issue(client: Client, kind: Any) -> HttpResponse:
    return client.post(address(kind, "add/"), {"installation": "shop", "label": "Back office"})


def revoke(client: Client, kind: Any) -> HttpResponse:
    rows = list(kind.objects.values_list("pk", flat=True))
    asked = {"action": "revoke", "_selected_action": rows}
    return client.post(address(kind), asked, follow=True)


def opens(kind: Any, secret: str) -> bool:
    if kind is LaunchSecret:
        return LaunchSecret.objects.get().secret == secret
    return kind.of_secret(secret) == kind.objects.get()


@pytest.mark.database
@every_kind
def test_a_new_one_is_told_in_the_answer(
    client: Client, installation: Installation, kind: Any
) -> None:
    answer = issue(client, kind)
    secret = answer.context["issued"].told_once
    assert answer.status_code == 200
    assert f'<code id="secret">{secret}</code>' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert opens(kind, secret)


def test_a_launch_secret_is_told_with_its_key_id(
    client: Client, installation: Installation
) -> None:
    page = issue(client, LaunchSecret).content.decode()
    assert f'<code id="kid">{LaunchSecret.objects.get().kid}</code>' in page


@every_kind
def test_it_is_told_nowhere_else(
    client: Client, installation: Installation, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    answer = issue(client, kind)
    secret = answer.context["issued"].told_once
    pages = [client.get(address(kind, page)) for page in ("", f"{kind.objects.get().pk}/change/")]
    pages += [client.get(address(kind, f"{kind.objects.get().pk}/history/")), client.get("/admin/")]
    assert [page.status_code for page in pages] == [200] * 4
    told = [page.content.decode() for page in pages] + [caplog.text, str(answer.cookies)]
    told += [str(session.get_decoded()) for session in Session.objects.all()]
    told += [f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all()]
    assert [text for text in told if secret in text] == []
    assert LogEntry.objects.count() == 1


@pytest.mark.database
@every_kind
def test_a_third_is_refused_with_what_to_do(
    client: Client, installation: Installation, kind: Any
) -> None:
    for _ in range(2):
        issue(client, kind)
    answer = client.post(address(kind, "add/"), {"installation": "shop"}, follow=True)
    assert "has two live" in answer.content.decode()
    assert "Revoke the one that is no longer used" in answer.content.decode()
    assert kind.objects.count() == 2


@every_kind
def test_without_an_installation_none_is_issued(
    client: Client, installation: Installation, kind: Any
) -> None:
    answer = client.post(address(kind, "add/"), {"label": "Back office"})
    assert set(answer.context["adminform"].form.errors) == {"installation"}
    assert kind.objects.count() == 0


@pytest.mark.database
@every_kind
def test_revoking_makes_room(client: Client, installation: Installation, kind: Any) -> None:
    for _ in range(2):
        issue(client, kind)
    assert "2 revoked." in revoke(client, kind).content.decode()
    assert "0 revoked." in revoke(client, kind).content.decode()
    assert issue(client, kind).status_code == 200
    assert kind.objects.filter(revoked_at=None).count() == 1


@every_kind
def test_nothing_else_can_be_done_to_one(
    client: Client, installation: Installation, kind: Any
) -> None:
    issue(client, kind)
    before = kind.objects.values().get()
    row = before["id"]
    change = client.post(address(kind, f"{row}/change/"), {"label": "Other", "revoked_at_0": ""})
    delete = client.post(address(kind, f"{row}/delete/"), {"post": "yes"})
    assert (change.status_code, delete.status_code) == (403, 403)
    assert "delete_selected" not in client.get(address(kind)).content.decode()
    assert kind.objects.values().get() == before


@every_kind
def test_who_may_only_look_cannot_issue_or_revoke(installation: Installation, kind: Any) -> None:
    kind.issue(installation)
    clerk = User.objects.create(username="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename=f"view_{kind._meta.model_name}"))
    client = Client()
    client.force_login(clerk)
    assert client.get(address(kind)).status_code == 200
    assert issue(client, kind).status_code == 403
    revoke(client, kind)
    assert kind.objects.get().revoked_at is None


def test_the_list_opens_no_launch_secret(
    client: Client, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    LaunchSecret.issue(installation)

    def refuse(_token: str) -> str:
        raise AssertionError("decrypted")

    monkeypatch.setattr("database.encryption.decrypt", refuse)
    assert client.get(address(LaunchSecret)).status_code == 200
