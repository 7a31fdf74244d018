import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from connectors.limits import Limits
from outbox import limits
from outbox.engines import Engine, engine
from outbox.ledger import enqueue
from outbox.models import Attempt, Delivery
from outbox.worker import deliver, draining
from tests.outbox import other_side
from tests.outbox.other_side import OtherSide, routes_to

Promise = Callable[..., Delivery]
Work = Callable[[Delivery], Delivery]


@pytest.fixture(autouse=True)
def _nothing_waits(request: pytest.FixtureRequest) -> None:
    """No task of another file's tests: Django does not empty the tables of a task engine."""
    if connection.vendor == "postgresql" and request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def side(settings) -> Iterator[OtherSide]:
    """Where all deliveries of a test go; its breaker and quota are new, and hold nothing up."""
    settings.DELIVERY_ROUTES = "tests.outbox.other_side.DELIVERIES"
    side = OtherSide()
    other_side.DELIVERIES.update(routes_to(side))
    limits._limits["shop"] = Limits(rate_per_second=100_000)
    yield side
    other_side.DELIVERIES.clear()
    limits._limits.clear()
    draining.clear()


@pytest.fixture
def promise(side: OtherSide) -> Promise:
    """Promise something, in a transaction of its own."""
    numbers = itertools.count(1)

    def make(kind: str = "order", key: str = "", **facts: Any) -> Delivery:
        facts = {"installation_id": "shop", "payload": {"total_cents": 500}, **facts}
        with transaction.atomic():
            return enqueue(kind=kind, key=key or f"{kind}-{next(numbers)}", **facts)

    return make


@pytest.fixture
def work() -> Work:
    """Do a delivery's next step now, as if its time had come."""

    def step(delivery: Delivery) -> Delivery:
        Delivery.objects.filter(pk=delivery.pk).update(due_at=Now())
        deliver(delivery.pk)
        delivery.refresh_from_db()
        return delivery

    return step


def outcomes(delivery: Delivery) -> list[str]:
    return list(Attempt.objects.filter(delivery=delivery).values_list("outcome", flat=True))


BACKENDS = {
    "django-tasks-db": "django_tasks_db.DatabaseBackend",
    "procrastinate": "outbox.engines.procrastinate_backend.ProcrastinateBackend",
}


@pytest.fixture(params=["django-tasks-db"] if settings.SQLITE else list(BACKENDS))
def tasks_engine(request, settings) -> Engine:
    """Each engine that this database can have."""
    settings.TASKS_ENGINE = request.param
    settings.TASKS = {"default": {"BACKEND": BACKENDS[request.param]}}
    return engine()
