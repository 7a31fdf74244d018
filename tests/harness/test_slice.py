"""A slice of `make harness` with a fixed seed, on each database: scripts, then random histories."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.harness import oracle
from tests.harness.bringing_back import refund_one
from tests.harness.history import History
from tests.harness.run import Outcome, run
from tests.harness.scripts import PLAYS, Script, play, scripts_of
from tests.harness.settling import settle
from tests.harness.shop import Shop, running_shop
from tests.support.servers import postgres_database, sqlite_database

# On the database of the leg: the legs `sqlite` and `postgres` run it once each.
pytestmark = [pytest.mark.slow, pytest.mark.database]

SEED = 20261122
HISTORIES = 20
# In seconds. What a broken rule leaves open is not waited for any longer.
ENDS_IN = {"patience": 20.0, "longest": 45.0}


@pytest.fixture(scope="module")
def shop(
    output_dir: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    """Where the engine takes no keys, so that what is told twice is there twice."""
    is_sqlite = connection.vendor == "sqlite"
    folder = tmp_path_factory.mktemp("harness")
    made = sqlite_database(folder, seeded=False) if is_sqlite else postgres_database()
    count = 2 if wants_random_ones(request) else 1
    facts = {"keyed_orders": False, "web_processes": count, "worker_processes": count}
    with made as db, running_shop(db, output_dir, name=connection.vendor, **facts) as shop:
        yield shop


def wants_random_ones(request: pytest.FixtureRequest) -> bool:
    names = {item.originalname for item in request.session.items if item.path == Path(__file__)}
    return test_no_point_is_lost_whatever_breaks.__name__ in names


@pytest.fixture(scope="module")
def played(shop: Shop, request: pytest.FixtureRequest) -> dict[str, Script]:
    """The scripts of the chosen tests, side by side. What they leave open ends later."""
    chosen = [item.callspec.params.get("name") for item in request.session.items if of_a_rule(item)]
    scripts = scripts_of(shop, SEED, chosen)
    play(scripts)
    return {script.name: script for script in scripts}


def of_a_rule(item: pytest.Item) -> bool:
    return item.path == Path(__file__) and hasattr(item, "callspec")


@pytest.fixture(scope="module")
def outcome(shop: Shop, played: dict[str, Script], request: pytest.FixtureRequest) -> Outcome:
    """The random histories, where a test asks for them, and then the end of all."""
    if wants_random_ones(request):
        return run(shop, SEED, range(HISTORIES), every=4, **ENDS_IN)
    outcome = Outcome()
    left = settle(shop, **ENDS_IN)
    outcome.wrong = {0: left} if left else {}
    return outcome


@pytest.fixture(scope="module")
def wrong(shop: Shop, played: dict[str, Script], outcome: Outcome) -> dict[str, str]:
    found = oracle.judge(shop, played.values())
    return {
        name: oracle.report(shop, [script], found)
        for name, script in played.items()
        if script.number in found
    }


# On the server of the leg `postgres` the random histories meet them anyway.
@pytest.mark.long(on="postgresql")
@pytest.mark.parametrize("name", PLAYS)
def test_a_rule(name: str, wrong: dict[str, str]) -> None:
    assert name not in wrong, wrong[name]


MADE_LATER = "SELECT COUNT(*) FROM redemptions_pendingredemption WHERE delayed AND code <> ''"


def test_no_point_is_lost_whatever_breaks(outcome: Outcome, shop: Shop) -> None:
    assert not outcome.wrong, outcome.report
    # What this is about did happen.
    assert outcome.blows["kill_web"] and outcome.blows["kill_worker"]
    assert any("reply_lost" in state for state in outcome.states)
    assert outcome.states["used sold"]
    # Codes whose points go with the order, however each of them ended.
    [(made_later,)] = shop.database.execute(MADE_LATER)
    assert made_later


def test_a_point_too_few_is_found(shop: Shop) -> None:
    """The oracle itself: the engine takes a point that no row of ours knows of."""
    history = customer_with_a_code(shop, HISTORIES)
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


def test_what_went_back_unasked_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 4)
    [code] = history.codes.values()
    history.reverse_one(code)
    history.may_go_back.clear()
    assert any("nobody had given it up" in found for found in judged(shop, history))


def test_points_that_only_we_think_have_gone_are_found(shop: Shop) -> None:
    """Of a till whose points go with the order."""
    history = History(shop, SEED, HISTORIES + 9, delayed=True)
    assert history.begin()
    body = {"member": {"id": history.member}, "offer_id": 90121}
    assert history.ask(body, history.new_key(), insist=True).body["delayed"]
    assert judged(shop, history) == []
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'used', deduction = 'gone', sold_at = ?"
        " WHERE act_key = ?",
        shop.moment(),
        history.keys[0],
    )
    assert any("did not take its points" in found for found in judged(shop, history))


def test_sales_told_never_or_twice_are_found(shop: Shop) -> None:
    never, twice = (customer_with_a_code(shop, HISTORIES + number) for number in (5, 6))
    lie = {"match": {"order_id": never.new_sale(None)}, "status": 200, "body": {}}
    shop.sandbox.fault("POST /orders", "status", **lie)
    for history in (never, twice):
        history.sell_one(next(iter(history.sales), None) or history.new_sale(None))
    assert settle(shop) == []
    twice.send_order(next(iter(twice.sales)))
    assert any("has 0 orders, not 1" in found for found in judged(shop, never))
    assert any("has 2 orders, not 1" in found for found in judged(shop, twice))


def test_a_delivery_parked_without_a_cause_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 7)
    sale = history.new_sale(None)
    history.sell_one(sale)
    assert settle(shop) == []
    shop.database.execute(
        "UPDATE outbox_delivery SET state = 'parked', parked_reason = 'cannot_tell' WHERE key = ?",
        sale,
    )
    assert any("is parked cannot_tell" in found for found in judged(shop, history))


def test_a_refund_that_the_engine_never_got_is_found(shop: Shop) -> None:
    history = customer_with_a_code(shop, HISTORIES + 8)
    sale = history.new_sale(None)
    history.sell_one(sale)
    told = refund_one(history, sale, history.sales[sale].body["total_cents"])
    assert settle(shop) == []
    assert judged(shop, history) == []
    told.body["total_cents"] += 125 * 100
    assert any("refunded" in found for found in judged(shop, history))


def customer_with_a_code(shop: Shop, number: int) -> History:
    """Who did nothing but redeem once."""
    history = History(shop, SEED, number, delayed=False)
    assert history.begin()
    body = {"member": {"id": history.member}, "offer_id": 90121}
    answer = history.ask(body, history.new_key(), insist=True)
    assert history.codes, answer
    return history


def judged(shop: Shop, history: History) -> list[str]:
    return oracle.judge(shop, [history]).get(history.number, [])
