"""The admin's pages of stores and tills."""

import pytest
from django.test import Client

from stores.models import Installation, Store

pytestmark = pytest.mark.django_db

CHOICES = ["Quill: Boston", "Quill: Salem", "Thread: Boston", "Thread: Salem"]


def test_a_tills_store_is_chosen_with_its_installation(
    admin_client: Client, django_assert_max_num_queries
) -> None:
    for name in ("Quill", "Thread"):
        installation = Installation.objects.create(id=name.lower(), name=name)
        for city in ("Boston", "Salem"):
            Store.objects.create(installation=installation, code=city.lower(), name=city)
    with django_assert_max_num_queries(4):
        page = admin_client.get("/admin/stores/till/add/").content.decode()
    places = [page.index(f">{shown}<") for shown in CHOICES]
    assert places == sorted(places)


def test_the_admin_says_whose_it_is(admin_client: Client) -> None:
    assert "Loyalty Panel" in admin_client.get("/admin/").content.decode()
