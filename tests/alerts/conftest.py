from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.models.functions import Now

from alerts.watching import watch
from connectors.limits import Limits
from database.conditions import Condition
from outbox import limits
from outbox.models import Delivery
from outbox.worker import deliver

PRESENT: list[Condition] = []


def present() -> list[Condition]:
    """A watch that gives what the test says."""
    return list(PRESENT)


def broken() -> list[Condition]:
    raise RuntimeError("a bug")


def misasked() -> list[Condition]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM nowhere")
    return []


@pytest.fixture
def seen(db: None, settings) -> Iterator[list[Condition]]:
    """What the one watch gives. Nothing is calm for long here, and nobody is told."""
    settings.ALERT_WATCHES = ["tests.alerts.conftest.present"]
    settings.ALERT_CALM_SECONDS = 0.0
    for system in ("mail", "alert_webhook"):
        limits._limits[system] = Limits(rate_per_second=100_000)
    yield PRESENT
    PRESENT.clear()
    limits._limits.clear()


@pytest.fixture
def look(seen: list[Condition]) -> Callable[..., list[Delivery]]:
    """Let the watches look at these conditions. Returns the deliveries that were promised."""

    def run(*conditions: Condition) -> list[Delivery]:
        last = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        seen[:] = conditions
        watch()
        return list(Delivery.objects.filter(pk__gt=last).order_by("pk"))

    return run


@pytest.fixture
def work() -> Callable[[Delivery], Delivery]:
    def step(delivery: Delivery) -> Delivery:
        Delivery.objects.filter(pk=delivery.pk).update(due_at=Now())
        deliver(delivery.pk)
        delivery.refresh_from_db()
        return delivery

    return step


def low(subject: str = "7", count: int = 1, **facts) -> Condition:
    return Condition(
        kind="pool.low", subject=subject, words=f"Pool {subject} is low.", count=count, **facts
    )
