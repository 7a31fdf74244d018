"""A slice of `make harness` with a fixed seed, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.harness import oracle
from tests.harness.history import History
from tests.harness.run import run
from tests.harness.settling import settle
from tests.harness.shop import Shop, running_shop
from tests.support.servers import postgres_database, sqlite_database

# On the database of the leg: the legs `sqlite` and `postgres` run it once each.
pytestmark = [pytest.mark.slow, pytest.mark.database]

SEED = 20261122
HISTORIES = 25


@pytest.fixture(scope="module")
def shop(output_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    is_sqlite = connection.vendor == "sqlite"
    made = sqlite_database(tmp_path_factory.mktemp("harness")) if is_sqlite else postgres_database()
    with made as database, running_shop(database, output_dir, name=connection.vendor) as shop:
        yield shop


def test_no_point_is_lost_whatever_breaks(shop: Shop) -> None:
    outcome = run(shop, SEED, range(HISTORIES), every=0.8)
    assert not outcome.wrong, outcome.report
    # What this is about did happen.
    assert outcome.blows["kill_web"] and outcome.blows["kill_worker"]
    assert any("reply_lost" in state for state in outcome.states)
    assert outcome.states["used sold"]


def test_a_point_too_few_is_found(shop: Shop) -> None:
    """The oracle itself: the engine takes a point that no row of ours knows of."""
    history = History(shop, SEED, HISTORIES)
    history.run()
    shop.sandbox.adjust(history.email, -1)
    assert any("our ledger says" in found for found in judged(shop, history))


def test_a_code_without_a_row_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 1)
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET engine_id = NULL WHERE act_key = ?",
        history.keys[0],
    )
    assert any("no row of ours has it" in found for found in judged(shop, history))


def test_a_row_left_open_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 2)
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'uncertain', next_check_at = ?"
        " WHERE act_key = ?",
        "2099-01-01 00:00:00+00:00",
        history.keys[0],
    )
    assert any("was left uncertain" in found for found in judged(shop, history))


def test_a_dispute_that_nobody_planted_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 3)
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'disputed', reason = 'two_candidates'"
        " WHERE act_key = ?",
        history.keys[0],
    )
    assert any("without a cause" in found for found in judged(shop, history))


def test_sales_told_never_or_twice_are_found(shop: Shop) -> None:
    never, twice = (customer_with_a_code(shop, HISTORIES + number) for number in (4, 5))
    shop.sandbox.switch(orders_idempotent=False)
    lie = {"match": {"order_id": never.new_sale(None)}, "status": 200, "body": {}}
    shop.sandbox.fault("POST /orders", "status", **lie)
    shop.sandbox.fault("POST /orders", "drop_after", match={"order_id": twice.new_sale(None)})
    for history in (never, twice):
        history.sell_one(next(iter(history.sales)))
    assert settle(shop) == []
    assert any("has 0 orders, not 1" in found for found in judged(shop, never))
    assert any("has 2 orders, not 1" in found for found in judged(shop, twice))


def customer_with_a_code(shop: Shop, number: int) -> History:
    """Who did nothing but redeem once."""
    history = History(shop, SEED, number)
    shop.sandbox.add_member(email=history.email, points=history.opening)
    found = history.pos.insist("members/lookup", {"email": history.email})
    history.member = found.body["id"]
    body = {"member": {"id": history.member}, "offer_id": 90121}
    answer = history.ask(body, history.new_key(), insist=True)
    assert history.codes, answer
    return history


def judged(shop: Shop, history: History) -> list[str]:
    return oracle.judge(shop, [history]).get(history.number, [])
