from datetime import timedelta

import pytest
from django.db import transaction

from outbox.engines import engine
from outbox.errors import PayloadDiffers
from outbox.ledger import enqueue, find, withdraw
from outbox.models import Delivery
from outbox.states import State
from tests.outbox.conftest import Promise

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_a_promise_is_a_row_that_is_due(promise: Promise):
    delivery = promise(key="1", payload={"total_cents": 500, "codes": ["LP-1"]}, order_by="sale:1")

    assert find("order", "1") == delivery
    assert (delivery.state, delivery.attempts) == (State.PENDING, 0)
    assert delivery.payload == {"total_cents": 500, "codes": ["LP-1"]}
    assert Delivery.objects.ready().get() == delivery


def test_one_for_later_is_not_due_yet(promise: Promise):
    delivery = promise(due_in=timedelta(minutes=5))

    assert delivery.due_at - delivery.created_at >= timedelta(minutes=4, seconds=59)
    assert not Delivery.objects.ready().exists()


def test_the_same_again_gives_the_row_that_is_there(promise: Promise):
    assert promise(key="1") == promise(key="1")
    assert Delivery.objects.count() == 1


def test_the_same_key_of_another_kind_is_another(promise: Promise):
    assert promise("order", key="1") != promise("blind", key="1")


def test_another_payload_under_the_same_key_is_refused(promise: Promise):
    promise(key="1", payload={"total_cents": 500})
    with pytest.raises(PayloadDiffers, match="key of its own"):
        promise(key="1", payload={"total_cents": 501})


def test_a_promise_outside_of_a_transaction_is_refused(side):
    with pytest.raises(RuntimeError, match=r"one transaction\.atomic"):
        enqueue(kind="order", key="1", installation_id="shop", payload={})


def test_a_kind_without_a_route_is_refused(promise: Promise):
    with pytest.raises(LookupError, match="no route"):
        promise("greeting")


@pytest.mark.parametrize(
    "payload", [{"email": "ada@example.com"}, {"to": [{"who": "Ada <ada@example.com>"}]}]
)
def test_a_payload_names_nobody(promise: Promise, payload):
    with pytest.raises(ValueError, match="member's id"):
        promise(payload=payload)


def test_what_is_rolled_back_was_never_promised(side):
    with transaction.atomic():
        enqueue(kind="order", key="1", installation_id="shop", payload={})
        assert engine().waiting(10) == 1
        transaction.set_rollback(True)
    assert find("order", "1") is None
    assert engine().waiting(10) == 0


def test_what_was_not_attempted_can_be_withdrawn(promise: Promise):
    promise(key="1")

    assert withdraw("order", "1")
    assert find("order", "1").state == State.WITHDRAWN
    assert not withdraw("order", "1")


def test_what_was_never_promised_can_not_be_withdrawn(db):
    assert not withdraw("order", "1")
