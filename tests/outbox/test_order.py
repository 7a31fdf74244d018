"""What goes before what, and what is taken back."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from connectors.errors import Refused, ReplyLost, Unavailable
from outbox.claims import claim_to_send
from outbox.engines import engine
from outbox.ledger import find, send_again, withdraw
from outbox.models import Delivery
from outbox.states import State
from outbox.worker import deliver
from tests.outbox.conftest import Promise, Work
from tests.outbox.other_side import OtherSide

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CALL = ("shop", "POST", "/orders")
SALE = {"order_by": "sale:1"}


def ready() -> set[str]:
    return set(Delivery.objects.ready().values_list("key", flat=True))


class TestOfOneOrder:
    def test_the_oldest_goes_first(self, promise: Promise, work: Work, side: OtherSide):
        first, second = promise(key="1", **SALE), promise(key="2", **SALE)

        work(second)
        assert side.calls == []
        work(first)
        work(second)
        assert side.calls == ["1", "2"]

    def test_the_next_waits_while_the_first_is_tried_again(self, promise, work, side):
        side.says = [Unavailable(*CALL)]
        work(promise(key="1", **SALE))
        work(promise(key="2", **SALE))
        assert side.calls == ["1"]

    def test_the_next_waits_while_the_first_is_verified(self, promise, work, side):
        side.says = [ReplyLost(*CALL)]
        work(promise(key="1", **SALE))
        work(promise(key="2", **SALE))
        assert side.calls == ["1"]

    def test_a_parked_one_holds_back_what_names_it_and_nothing_else(self, promise, work, side):
        side.says = [Refused(*CALL)]
        work(promise(key="1", **SALE))
        promise(key="2", **SALE)
        promise(key="3", order_by="sale:2")
        promise(key="4")
        assert ready() == {"3", "4"}

    def test_an_urgent_one_overtakes(self, promise, work, side):
        work(promise(key="late", **SALE, due_in=timedelta(hours=1)))
        promise(key="1", **SALE)
        promise(key="cancel", **SALE, urgent=True)
        assert ready() == {"cancel"}

    def test_an_urgent_one_overtakes_what_is_parked(self, promise, work, side):
        side.says = [Refused(*CALL)]
        work(promise(key="1", **SALE))
        promise(key="cancel", **SALE, urgent=True)
        assert ready() == {"cancel"}

    def test_urgent_ones_keep_their_own_order(self, promise):
        promise(key="1", **SALE, urgent=True)
        promise(key="2", **SALE, urgent=True)
        assert ready() == {"1"}

    def test_no_urgent_one_sets_out_while_another_is_under_way(self, promise):
        claim_to_send(promise(key="1", **SALE).pk)
        promise(key="cancel", **SALE, urgent=True)
        assert ready() == set()

    @pytest.mark.parametrize("end", ["done", "withdrawn"])
    def test_the_end_of_the_first_wakes_the_next(self, promise, work, side, end):
        promise(key="1", **SALE)
        promise(key="2", **SALE)
        before = engine().waiting(10)

        if end == "done":
            deliver(find("order", "1").pk)
        else:
            withdraw("order", "1")

        assert engine().waiting(10) == before + 1


class TestOfOneMember:
    MARA = {"payload": {"member": "mara"}}

    def test_one_is_under_way_at_a_time(self, promise: Promise):
        claim_to_send(promise("adjustment", key="1", **self.MARA).pk)
        promise("adjustment", key="2", **self.MARA)
        promise("adjustment", key="3", payload={"member": "noah"})
        assert ready() == {"3"}

    def test_the_next_waits_until_the_first_is_verified(self, promise, work, side):
        side.says, side.reads = [ReplyLost(*CALL)], [True]
        first = work(promise("adjustment", key="1", **self.MARA))
        second = promise("adjustment", key="2", **self.MARA)

        assert ready() == set()
        assert work(second).state == State.PENDING
        work(first)
        assert ready() == {"2"}

    def test_one_that_waits_to_be_tried_again_holds_nobody_back(self, promise, work, side):
        side.says = [Unavailable(*CALL)]
        work(promise("adjustment", key="1", **self.MARA))
        Delivery.objects.update(due_at=Now() + timedelta(minutes=1))  # chance may have said at once
        promise("adjustment", key="2", **self.MARA)
        assert ready() == {"2"}

    def test_one_that_a_person_sends_again_waits_for_who_is_under_way(
        self, promise, work, side, settings
    ):
        settings.ENGINE_SETTLE_SECONDS = 0.0
        side.says, side.reads = [ReplyLost(*CALL)], [None, None]
        parked = promise("adjustment", key="1", **self.MARA)
        for _ in range(3):
            work(parked)
        claim_to_send(promise("adjustment", key="2", **self.MARA).pk)

        assert not send_again(parked)
        assert parked.state == State.PARKED
