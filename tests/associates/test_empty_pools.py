"""An offer whose codes are gone is not offered at the till, and no look-up asks for that."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from offers.models import Pool
from offers.pools import empties
from redemptions.models import PendingRedemption
from tests.associates.panel import TOTE_BAG, Panel, buttons

TOTE = "Tote bag voucher"


@pytest.fixture
def pool(db: None) -> Pool:
    return Pool.objects.create(option_id=TOTE_BAG, name=TOTE, confirmed=50, ours_alone=True)


@pytest.mark.database
def test_an_empty_pool_is_not_offered_and_costs_a_look_up_nothing(
    panel: Panel, mara, pool: Pool, settings, monkeypatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(empties, "_aside", asked.append)
    settings.EMPTY_POOLS_SECONDS = 60.0
    assert TOTE in buttons(panel.look_up(mara.email))
    Pool.objects.update(taken=50)
    empties.read()
    with CaptureQueriesContext(connection) as queries:
        answer = panel.look_up(mara.email)

    assert TOTE not in buttons(answer)
    assert len([query for query in queries if query["sql"].startswith("SELECT")]) == 3
    assert len(asked) == 1


def test_a_redemption_takes_one_of_the_pool(panel: Panel, mara, pool: Pool) -> None:
    panel.redeem(panel.act(mara, TOTE_BAG))
    pool.refresh_from_db()
    assert PendingRedemption.objects.get().state == "issued"
    assert (pool.taken, pool.uses.get().count) == (1, 1)


def test_a_refusal_for_want_of_codes_marks_it_empty(
    panel: Panel, sandbox, mara, pool: Pool, settings, monkeypatch
) -> None:
    monkeypatch.setattr(empties, "_aside", lambda _reading: None)
    settings.EMPTY_POOLS_SECONDS = 60.0
    act = panel.act(mara, TOTE_BAG)
    for _ in range(5):
        sandbox.redeem_online("ruth@example.com", TOTE_BAG)
    panel.redeem(act)

    pool.refresh_from_db()
    assert pool.empty_since is not None
    assert pool.taken == 0
    assert TOTE not in buttons(panel.look_up(mara.email))


def test_another_refusal_does_not(panel: Panel, sandbox, mara, pool: Pool) -> None:
    act = panel.act(mara, TOTE_BAG)
    sandbox.fault("POST /redemptions", "status", status=422, body={"error": "Not today"})
    panel.redeem(act)
    pool.refresh_from_db()
    assert pool.empty_since is None
