"""The admin of a deployment in which nothing has happened yet."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_its_list_opens(model: type[models.Model]) -> None:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert client.get(page).status_code == 200
