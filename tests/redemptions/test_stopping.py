"""A worker that is told to stop leaves the rest of a backlog to the next one."""

import threading

import pytest
from django.db.models.functions import Now

from connectors.yotpo.client import Yotpo
from loyalty_panel import jobs
from members.models import Member
from outbox.worker import draining
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import State
from sandbox.control import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def backlog(row) -> int:
    """Uncertain ones that are due, of five members."""
    for number in range(5):
        row(State.UNCERTAIN, member=Member.objects.seen(f"only.{number}@example.com"))
    PendingRedemption.objects.update(next_check_at=Now())
    return 5


def seen() -> int:
    """Whoever looks at one puts its next look off."""
    return PendingRedemption.objects.filter(next_check_at__gt=Now()).count()


def test_told_before_it_begins_nothing(engine: Yotpo, sandbox: Sandbox, backlog: int) -> None:
    stop = threading.Event()
    stop.set()
    assert (see_to_all(engine, stop), sandbox.calls()) == (0, [])


def test_told_in_the_middle_the_one_at_hand_is_the_last(
    engine: Yotpo, backlog: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    ask = engine.customer

    def told_meanwhile(**who):
        stop.set()
        return ask(**who)

    monkeypatch.setattr(engine, "customer", told_meanwhile)
    assert (see_to_all(engine, stop), seen()) == (1, 1)


def test_told_while_it_waits_for_its_turn(
    engine: Yotpo, sandbox: Sandbox, backlog: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def turn(longest: float) -> bool:
        stop.set()
        return True

    monkeypatch.setattr(engine.limits, "wait_for_background", turn)
    assert (see_to_all(engine, stop), sandbox.calls()) == (0, [])


def test_no_turn_is_waited_for_long(engine: Yotpo, sandbox: Sandbox, backlog: int) -> None:
    engine.limits.note_throttled(60)
    assert (see_to_all(engine), sandbox.calls()) == (0, [])


def test_the_job_hears_when_its_worker_is_told(
    engine: Yotpo, sandbox: Sandbox, backlog: int
) -> None:
    draining.set()
    try:
        jobs.settle()
    finally:
        draining.clear()
    assert sandbox.calls() == []
