from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models.functions import Now

from connectors.limits import Limits
from outbox import limits
from outbox.models import Delivery
from outbox.states import UNFINISHED
from outbox.worker import deliver
from sales.record import NewSale, Recorded, record
from sales.refunds import NewRefund, RecordedRefund, record_refund
from stores.models import Associate, Installation, Till
from stores.places import Place
from tests.redemptions.conftest import act, row

__all__ = ["act", "row"]

NOON = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


def new_sale(pos_id: str = "S-1", **facts: Any) -> NewSale:
    return NewSale(
        **{
            "pos_id": pos_id,
            "completed_at": NOON,
            "total_cents": 4200,
            "currency": "USD",
            "email": "mara@example.com",
        }
        | facts
    )


@pytest.fixture
def sell(installation: Installation, till: Till, ana: Associate) -> Callable[..., Recorded]:
    """Ana at till 1 reports a sale."""
    place = Place(till.store, till, ana)
    return lambda pos_id="S-1", **facts: record(installation, new_sale(pos_id, **facts), place)


@pytest.fixture
def bring_back(installation: Installation, till: Till, ana: Associate):
    """Ana at till 1 reports a refund of the sale S-1: 10 dollars, unless told otherwise."""
    place = Place(till.store, till, ana)
    usual = {"total_cents": 1000, "currency": "USD", "sale_id": "S-1"}

    def report(pos_id: str = "R-1", **facts: Any) -> RecordedRefund:
        return record_refund(installation, NewRefund(pos_id, **usual | facts), place)

    return report


@pytest.fixture
def deliveries(engine) -> Callable[[], list[str]]:
    """Work off what is promised, until nothing more can be done at once; the states."""
    limits._limits["yotpo"] = Limits(rate_per_second=100_000)

    def work() -> list[str]:
        for _ in range(8):
            open_ones = Delivery.objects.filter(state__in=UNFINISHED)
            open_ones.update(due_at=Now())
            for pk in open_ones.order_by("pk").values_list("pk", flat=True):
                deliver(pk)
        return list(Delivery.objects.order_by("pk").values_list("state", flat=True))

    yield work
    limits._limits.clear()
