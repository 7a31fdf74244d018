import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from members.models import Member
from redemptions.actions import Act
from redemptions.models import PendingRedemption
from redemptions.states import HAS_CODE, Reason, State
from stores.models import Associate, Installation, Till

FIVE_OFF, TEN_OFF, BY_POINTS, TOTE = 90121, 90122, 90130, 90140


@pytest.fixture
def act(installation: Installation, till: Till, ana: Associate, key: str) -> Act:
    """Ana at till 1 with a key that nobody used yet."""
    return Act(key=key, installation=installation, till=till, associate=ana)


@pytest.fixture
def another_act(installation: Installation, till: Till, ana: Associate) -> Callable[[], Act]:
    return lambda: Act(uuid.uuid4().hex, installation, till, ana)


@pytest.fixture
def row(installation: Installation, mara: Member) -> Callable[..., PendingRedemption]:
    """Makes a row of the ledger as it would stand in a state, saved unless `save=False`."""

    def make(state: State = State.REQUESTED, *, save: bool = True, **fields: Any):
        code = f"LP-{uuid.uuid4().hex[:8]}" if state in HAS_CODE else ""
        facts = {
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
            "reason": Reason.ENGINE_SAID_NO if state == State.REFUSED else "",
            "code": code,
        }
        if state == State.ISSUED:
            facts["lease_until"] = facts["next_check_at"] = timezone.now() + timedelta(minutes=15)
        if state == State.USED:
            facts["sold_at"] = timezone.now()
        if state == State.REVERSED:
            facts["reason"] = Reason.LET_GO
        redemption = PendingRedemption(**{**facts, **fields})
        if save:
            redemption.save(force_insert=True)
            redemption.refresh_from_db()
        return redemption

    return make


def make_due(redemption: PendingRedemption) -> PendingRedemption:
    """As if the pause between two looks had passed."""
    from django.db.models.functions import Now

    PendingRedemption.objects.filter(pk=redemption.pk).update(next_check_at=Now())
    redemption.refresh_from_db()
    return redemption


@pytest.fixture
def due() -> Callable[[PendingRedemption], PendingRedemption]:
    return make_due
