"""Many workers at one row: one wins, and the others do nothing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from connectors.errors import ReplyLost
from outbox.claims import claim_to_read, claim_to_send, free_the_dead
from outbox.ledger import find, withdraw
from outbox.models import Attempt, Delivery
from outbox.periodic import begin
from outbox.states import State
from outbox.worker import deliver
from tests.outbox.conftest import Promise, Work, outcomes
from tests.outbox.other_side import OtherSide

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MANY = 8
TIMES = 12


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, begun together."""
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        together.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_one_of_many_workers_gets_it(promise: Promise, side: OtherSide):
    for number in range(TIMES):
        delivery = promise(key=str(number))
        at_once(*[lambda pk=delivery.pk: deliver(pk)] * MANY)
    assert side.calls == side.done == [str(number) for number in range(TIMES)]
    assert Attempt.objects.count() == TIMES


def test_one_of_many_workers_reads_it(promise: Promise, work: Work, side: OtherSide):
    side.says = [ReplyLost("shop", "POST", "/orders")]
    delivery = work(promise())
    Delivery.objects.update(due_at=Now())

    claims = at_once(*[lambda: claim_to_read(delivery.pk)] * MANY)

    assert sum(claim is not None for claim in claims) == 1


def test_of_one_member_one_sets_out(promise: Promise, side: OtherSide):
    for number in range(TIMES):
        mine = [
            promise("adjustment", payload={"member": str(number), "part": part}).pk
            for part in range(MANY)
        ]
        claims = at_once(*[lambda pk=pk: claim_to_send(pk) for pk in mine])
        assert sum(claim is not None for claim in claims) == 1
    assert Attempt.objects.count() == TIMES


def test_of_one_order_one_sets_out_though_one_of_them_is_urgent(promise: Promise):
    for number in range(TIMES):
        order = {"order_by": f"sale:{number}"}
        first = promise(**order)
        claims = at_once(
            lambda pk=first.pk: claim_to_send(pk),
            lambda order=order: claim_to_send(promise("blind", **order, urgent=True).pk),
        )
        assert sum(claim is not None for claim in claims) == 1


def test_a_promise_made_many_times_at_once_is_one_row(promise: Promise):
    for number in range(TIMES):
        made = at_once(*[lambda key=str(number): promise(key=key)] * MANY)
        assert len({delivery.pk for delivery in made}) == 1
    assert Delivery.objects.count() == TIMES


def test_it_is_either_withdrawn_or_attempted(promise: Promise, side: OtherSide):
    ends = set()
    for number in range(2 * TIMES):
        key = str(number)
        delivery = promise(key=key)
        first, second = (
            lambda pk=delivery.pk: deliver(pk),
            lambda key=key: withdraw("order", key),
        )
        told = at_once(*((first, second) if number % 2 else (second, first)))
        withdrawn = True in told
        assert (key in side.calls) is not withdrawn
        assert find("order", key).state == (State.WITHDRAWN if withdrawn else State.DONE)
        assert bool(outcomes(delivery)) is not withdrawn
        ends.add(withdrawn)


def test_the_dead_are_freed_once(promise: Promise):
    delivery = promise()
    claim_to_send(delivery.pk)
    Delivery.objects.update(lease_until=Now())

    assert sum(at_once(*[free_the_dead] * MANY)) == 1
    delivery.refresh_from_db()
    assert delivery.fence == 2


def test_a_slot_is_begun_once():
    name = "outbox.sweeper.sweep"
    assert sum(at_once(*[lambda: begin(name, 10**9)] * MANY)) == 1
