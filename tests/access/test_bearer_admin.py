"""Managers look at bearers; who may change them may throw somebody out."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from access.models import Bearer
from stores.models import Associate, Till

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("may", "is_revoked"), [("view", False), ("change", True)])
def test_who_may_only_look_cannot_revoke(
    till: Till, ana: Associate, may: str, is_revoked: bool
) -> None:
    Bearer.issue(till, ana)
    clerk = User.objects.create(username="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename=f"{may}_bearer"))
    client = Client()
    client.force_login(clerk)
    asked = {"action": "revoke", "_selected_action": [Bearer.objects.get().pk]}
    client.post("/admin/access/bearer/", asked)
    assert (Bearer.objects.get().revoked_at is not None) is is_revoked
