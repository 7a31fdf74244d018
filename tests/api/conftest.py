import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from api.rates import buckets
from connectors.yotpo.client import Yotpo
from members import last_known
from members.models import Member
from members.tiers import ladder
from redemptions.models import PendingRedemption
from redemptions.states import HAS_CODE, Reason, State
from stores.models import Installation
from tests.api.pos import FIVE_OFF, Pos


@pytest.fixture
def pos(
    engine: Yotpo, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pos]:
    """The POS of the shop; its engine is the sandbox."""
    monkeypatch.setattr(last_known, "batch", last_known.Batch())
    buckets.forget()
    ladder.forget()
    yield Pos(installation)
    buckets.forget()


@pytest.fixture
def row(installation: Installation, mara: Member) -> Callable[..., PendingRedemption]:
    """Makes a row of the ledger as it would stand in a state."""

    def make(state: State = State.NOT_MADE, **more: object) -> PendingRedemption:
        soon = timezone.now() + timedelta(minutes=15)
        facts: dict[str, object] = {
            "installation": installation,
            "member": mara,
            "act_key": uuid.uuid4().hex,
            "offer_id": FIVE_OFF,
            "offer_name": "$5 off",
            "offer_kind": "fixed",
            "points": 500,
            "value_cents": 500,
            "currency": "USD",
            "state": state,
            "code": f"LP-{uuid.uuid4().hex[:8]}" if state in HAS_CODE else "",
            "lease_until": soon if state == State.ISSUED else None,
            "sold_at": timezone.now() if state == State.USED else None,
            "reason": {
                State.REFUSED: Reason.ENGINE_SAID_NO,
                State.REVERSED: Reason.LET_GO,
            }.get(state, Reason.NONE),
        }
        made = PendingRedemption(**{**facts, **more})
        made.save(force_insert=True)
        made.refresh_from_db()
        return made

    return make
