import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from access.keys import WebhookSecret
from outbox.models import Delivery
from outbox.states import State as Told
from outbox.worker import deliver
from stores.models import Installation
from webhooks.keeping import TOLD
from webhooks.views import buckets


@pytest.fixture(autouse=True)
def _full_buckets() -> Iterator[None]:
    buckets.forget()
    yield
    buckets.forget()


@pytest.fixture
def secret(installation: Installation) -> str:
    return WebhookSecret.issue(installation, "engine")


Post = Callable[..., Any]


@pytest.fixture
def post(secret: str, installation: Installation) -> Post:
    """Sends to a webhook's address, as the engine does."""
    client = Client(raise_request_exception=True)

    def send(body: Any, event: str = "all", *, to: str = "", kind="application/json", **headers):
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        address = to or f"/webhooks/yotpo/{installation.pk}/{secret}/{event}"
        return client.post(address, data, content_type=kind, headers=headers)

    return send


@pytest.fixture
def call(post: Post, secret: str) -> Post:
    """A Create or Cancel Coupon call, with the secret in its header."""
    return lambda event, body, **more: post(body, event, **{"X-Api-Secret": secret, **more})


def handle_all() -> None:
    """What the worker would do with everything that waits."""
    for _ in range(20):
        waiting = Delivery.objects.filter(kind=TOLD, state=Told.PENDING)
        if not waiting:
            return
        for delivery in waiting.order_by("pk"):
            deliver(delivery.pk)
    raise AssertionError("it never ends")
