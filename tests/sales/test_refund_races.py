"""Two at once on PostgreSQL, where they don't queue up by themselves as SQLite's writers do."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from audit.record import Who
from sales import claims, record, refunds
from sales.errors import MoreThanLeft, SaleWasVoided
from sales.models import Refund, Sale
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def _side_by_side() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time")


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch):
    """Have `act` begun by another till right after `name` was done here, before the commit.

    Gives what the other's act came to.
    """
    told: list[Any] = []

    def run(act: Callable[[], Any]) -> None:
        try:
            told.append(act())
        except Exception as error:  # noqa: BLE001 - told to the test
            told.append(error)
        finally:
            connection.close()

    def begin(module: Any, name: str, act: Callable[[], Any]) -> list[Any]:
        real, other = getattr(module, name), threading.Thread(target=run, args=(act,))

        def done_and_others_come(*args: Any) -> None:
            real(*args)
            if threading.current_thread() is other or other.ident is not None:
                return
            other.start()
            until(lambda: bool(told) or is_somebody_waiting(), "the other is done, or waits")

        monkeypatch.setattr(module, name, done_and_others_come)
        threads.append(other)
        return told

    threads: list[threading.Thread] = []
    yield begin
    for thread in threads:
        thread.join(20)


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_refund_told_while_its_sale_is_recorded_is_not_left_waiting(
    mara, sell, bring_back, beside
):
    told = beside(record, "release_waiting", bring_back)
    sell()
    until(lambda: bool(told), "the other is done")
    assert Refund.objects.get().state == "promised"


def test_a_sale_told_while_its_refund_is_recorded_releases_it(mara, sell, bring_back, beside):
    told = beside(refunds, "promise_to_tell", sell)
    bring_back()
    until(lambda: bool(told), "the other is done")
    assert Refund.objects.get().state == "promised"


def test_two_refunds_together_are_not_more_than_their_sale(mara, sell, bring_back, beside):
    sell()
    told = beside(refunds, "promise_to_tell", lambda: bring_back("R-2", total_cents=3000))
    bring_back("R-1", total_cents=3000)
    until(lambda: bool(told), "the other is done")
    assert isinstance(told[0], MoreThanLeft)
    assert (Sale.objects.get().refunded_cents, Refund.objects.count()) == (3000, 1)


@pytest.fixture
def blind(mara, sell, bring_back, deliveries) -> Refund:
    """Of 10 dollars, for a manager; the sale S-1 of 42 was told."""
    sell()
    deliveries()
    return bring_back("R-1", sale_id="").refund


def test_a_void_beside_a_managers_match_refunds_the_rest(
    sandbox, installation, blind, beside, deliveries
):
    told = beside(refunds, "promise_to_tell", lambda: record.void(installation, "S-1"))
    refunds.match(blind, Sale.objects.get(), Who.machine("a test"), "seen")
    until(lambda: bool(told), "the other is done")
    deliveries()
    assert told[0].refund
    assert Refund.objects.get(is_void=True).total_cents == 3200
    assert sandbox.balance("mara@example.com") == 640


def test_a_managers_match_beside_a_void_comes_too_late(
    sandbox, installation, blind, beside, deliveries
):
    sale = Sale.objects.get()
    match = partial(refunds.match, blind, sale, Who.machine("a test"), "seen")
    told = beside(record, "refund_what_is_left", match)
    record.void(installation, "S-1")
    until(lambda: bool(told), "the other is done")
    deliveries()
    blind.refresh_from_db()
    assert (type(told[0]), blind.state) == (SaleWasVoided, "kept")
    assert sandbox.balance("mara@example.com") == 640


@pytest.mark.parametrize("first", ["claim", "refund"])
def test_a_refund_beside_a_claim_is_told_behind_the_order(
    sandbox, mara, sell, bring_back, beside, deliveries, first
):
    sale = sell(email="never.seen@example.com").sale
    deliveries()
    sale.refresh_from_db()
    settle = partial(claims.claim, sale, mara, Who.machine("a test"), "has the receipt")
    if first == "claim":
        told = beside(claims, "promise_refunds", bring_back)
        settle()
    else:
        told = beside(refunds, "promise_to_tell", settle)
        bring_back()
    until(lambda: bool(told), "the other is done")
    assert not isinstance(told[0], Exception), told
    deliveries()
    assert sandbox.balance("mara@example.com") == 640 + 42 - 10
