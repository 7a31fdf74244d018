"""Who may log in, and what they may do there, only a superuser decides."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(db: None) -> User:
    """May do all to users and groups that a permission can grant."""
    clerk = User.objects.create(username="clerk", is_staff=True)
    models = {"user", "group"}
    granted = Permission.objects.filter(content_type__model__in=models)
    clerk.user_permissions.set(granted)
    return clerk


@pytest.fixture
def client(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def form_of(user: User, **more: Any) -> dict[str, Any]:
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    return {"username": user.username, "is_staff": "on", "is_active": "on", **joined, **more}


def test_nobody_makes_themselves_superuser(client: Client, clerk: User) -> None:
    page = f"/admin/auth/user/{clerk.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, form_of(clerk, is_superuser="on")).status_code == 403
    clerk.refresh_from_db()
    assert not clerk.is_superuser


def test_nobody_takes_over_another_account(client: Client) -> None:
    boss = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    page = f"/admin/auth/user/{boss.pk}/password/"
    new = {"password1": "Quill-and-Thread-7", "password2": "Quill-and-Thread-7"}
    assert client.post(page, {**new, "usable_password": "true"}).status_code == 403
    boss.refresh_from_db()
    assert not boss.has_usable_password() or not boss.check_password("Quill-and-Thread-7")


def test_nobody_gives_their_group_more_rights(client: Client, clerk: User) -> None:
    group = Group.objects.create(name="Clerks")
    clerk.groups.add(group)
    some = Permission.objects.get(codename="delete_installation")
    page = f"/admin/auth/group/{group.pk}/change/"
    assert client.post(page, {"name": "Clerks", "permissions": [some.pk]}).status_code == 403
    assert not group.permissions.exists()


@pytest.mark.parametrize("kind", ["user", "group"])
def test_nobody_adds_or_deletes_any(client: Client, clerk: User, kind: str) -> None:
    group = Group.objects.create(name="Clerks")
    row = clerk.pk if kind == "user" else group.pk
    assert client.get(f"/admin/auth/{kind}/add/").status_code == 403
    assert client.post(f"/admin/auth/{kind}/{row}/delete/", {"post": "yes"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [row], "post": "yes"}
    client.post(f"/admin/auth/{kind}/", selected)
    assert User.objects.exists() and Group.objects.exists()
