import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import signing
from django.db.models import F

from connectors.yotpo.client import Yotpo
from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Associate, Till
from tests.associates.panel import FIVE_OFF, Panel


@pytest.fixture
def panel(engine: Yotpo, till: Till, ana: Associate) -> Panel:
    """Ana's panel at the till."""
    return Panel(till, ana)


@pytest.fixture
def bens_panel(engine: Yotpo, till: Till, ben: Associate) -> Panel:
    return Panel(till, ben)


@pytest.fixture
def nothing_moves(sandbox: Sandbox, engine: Yotpo) -> Iterator[None]:
    """At the end no points of anybody have moved, and nobody was made or redeemed for."""
    before = sandbox.state()["counts"]
    yield
    after = sandbox.state()["counts"]
    assert {name: after[name] for name in before if name != "calls"} == {
        name: before[name] for name in before if name != "calls"
    }


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass for what is signed and for redemptions."""

    passed = 0.0

    def pass_by(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: time.time() + passed))
        span = timedelta(seconds=seconds)
        moments = ("requested_at", "next_check_at", "first_readable_read_at")
        PendingRedemption.objects.update(**{name: F(name) - span for name in moments})

    return pass_by


@pytest.fixture
def bea(db: None) -> Member:
    """Bea Bronson of the sandbox: 510 points."""
    return Member.objects.seen("bea@example.com")


@pytest.fixture
def redeemed(panel: Panel, mara: Member) -> PendingRedemption:
    """Ana's, of Mara's 500 points."""
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    assert redemption.state == State.ISSUED
    return redemption
