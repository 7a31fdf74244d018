from collections.abc import Callable
from threading import Event

import pytest

from audit.record import By, Who
from backfill.keeping import begin, keep
from backfill.models import Backfill
from backfill.states import WORKING
from backfill.working import work
from stores.models import Installation
from tests.sales.conftest import deliveries, sell

__all__ = ["deliveries", "sell"]

BY = By(Who.machine("a test"))
TITLES = "id,completed_at,total,email"


def csv_of(*rows: str, titles: str = TITLES) -> bytes:
    return "\n".join([titles, *rows, ""]).encode()


def run(backfill: Backfill) -> Backfill:
    """Until a person is asked, or it waits for the engine."""
    while backfill.state in WORKING and work(backfill, 60, Event()):
        pass
    return backfill


@pytest.fixture
def check(installation: Installation) -> Callable[..., Backfill]:
    """Upload these rows and have them looked at."""

    def upload(*rows: str, titles: str = TITLES, tells_engine: bool = True) -> Backfill:
        raw = csv_of(*rows, titles=titles)
        return run(keep(installation, "sales.csv", raw, tells_engine=tells_engine, by=BY))

    return upload


@pytest.fixture
def fill(check) -> Callable[..., Backfill]:
    """And record them, as far as the engine lets us."""

    def record(*rows: str, **options) -> Backfill:
        backfill = check(*rows, **options)
        begin(backfill, BY)
        return run(backfill)

    return record


def counts(backfill: Backfill) -> tuple[int, int, int]:
    backfill.refresh_from_db()
    return backfill.new, backfill.already_there, backfill.not_taken


def reasons(backfill: Backfill) -> dict[int, str]:
    return dict(backfill.left_over.values_list("line", "why"))
