"""No point appears or goes without a movement, and no movement is ever changed."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.control import Sandbox, SandboxError
from sandbox.world import World
from sandbox.yotpo.store import Store
from tests.contract.conftest import Speak

MARA, ADA, RUTH = "mara@example.com", "ada@example.com", "ruth@example.com"
FIVE_OFF, CHOSEN, TOTE = 90121, 90130, 90140
Start = Callable[[], Sandbox]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The state file; nothing to do with the application's database."""
    return tmp_path / "sandbox.sqlite3"


@pytest.fixture
def start(db: Path) -> Iterator[Start]:
    """Start a sandbox on the same file as before."""
    started: list[Sandbox] = []

    def start() -> Sandbox:
        started.append(Sandbox.start(db=db))
        return started[-1]

    yield start
    for sandbox in started:
        sandbox.stop()


def post(sandbox: Sandbox, path: str, params: dict[str, object]) -> requests.Response:
    url = sandbox.base_url + path
    return requests.post(url, json=params, headers=sandbox.headers, timeout=30)


def test_seeded_balances_are_the_sums_of_their_movements(sandbox: Sandbox) -> None:
    for member in sandbox.customers():
        if member["email"] is not None:
            rows = sandbox.ledger(member["email"])
            assert sum(row["points"] for row in rows) == member["points_balance"]
            assert sum(row["earned"] for row in rows) == member["points_earned"]


def test_history_adds_up_to_the_balance(sandbox: Sandbox, speak: Speak) -> None:
    for member in sandbox.customers():
        if member["email"] is not None:
            asked = {"customer_email": member["email"], "with_history": "true"}
            seen = speak("GET", "/customers", asked).json
            assert sum(item["points"] for item in seen["history_items"]) == seen["points_balance"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET points = 1",
        "DELETE FROM ledger",
        "INSERT INTO ledger (at, customer_id, points, kind, ref, title, balance)"
        " SELECT at, customer_id, 5, 'adjust', '', '', balance + 6 FROM ledger LIMIT 1",
    ],
    ids=["change", "delete", "wrong sum"],
)
def test_database_refuses(start: Start, db: Path, statement: str) -> None:
    start().stop()
    connection = sqlite3.connect(db)

    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|not the sum"):
        connection.execute(statement)

    connection.close()


def test_state_survives_a_crash(start: Start) -> None:
    before = start()
    made = post(before, "/redemptions", {"customer_email": MARA, "redemption_option_id": FIVE_OFF})
    rows, balance = before.ledger(MARA), before.balance(MARA)

    before.kill()
    after = start()

    assert (after.balance(MARA), after.ledger(MARA)) == (balance, rows)
    asked = {"code": made.json()["code"]}
    record = requests.get(
        f"{after.base_url}/redemption_codes", asked, headers=after.headers, timeout=30
    )
    assert record.json()["point_redemption_id"] == made.json()["id"]


def test_put_off_order_survives_a_crash(start: Start) -> None:
    before = start()
    before.switch(order_delay_seconds=3600)
    order = {"order_id": "A1", "total_amount_cents": 4299, "currency_code": "USD"}
    post(before, "/orders", {"customer_email": MARA, **order})
    before.kill()

    after = start()

    assert after.balance(MARA) == 640
    post(after, "/orders", {"customer_email": MARA, **order})
    assert after.balance(MARA) == 640, "its job is still to come, and comes once"


def test_order_that_fell_due_while_nothing_ran_earns(start: Start, db: Path) -> None:
    before = start()
    before.switch(order_delay_seconds=3600)
    order = {"order_id": "A1", "total_amount_cents": 4299, "currency_code": "USD"}
    post(before, "/orders", {"customer_email": MARA, **order})
    before.kill()
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE jobs SET due = due - 3600")

    assert start().balance(MARA) == 640 + 42


def test_foreign_database_is_left_alone(db: Path, start: Start) -> None:
    connection = sqlite3.connect(db)
    connection.execute("CREATE TABLE treasure (gold INTEGER)")
    connection.commit()

    with pytest.raises(SandboxError):
        start()

    assert connection.execute("SELECT count(*) FROM treasure").fetchone() == (0,)
    connection.close()


def at_once(act: Callable[[], requests.Response], times: int = 20) -> list[int]:
    with ThreadPoolExecutor(times) as pool:
        acts = [pool.submit(act) for _ in range(times)]
        return sorted(each.result().status_code for each in acts)


def test_points_for_one_redemption_make_one_however_many_ask(sandbox: Sandbox) -> None:
    asked = {"customer_email": ADA, "redemption_option_id": FIVE_OFF}

    statuses = at_once(lambda: post(sandbox, "/redemptions", asked))

    assert statuses == [200] + [422] * 19
    assert sandbox.balance(ADA) == 0
    assert len(sandbox.redemptions()) == 1


def test_five_codes_go_to_five(sandbox: Sandbox) -> None:
    asked = {"customer_email": "ruth@example.com", "redemption_option_id": TOTE}

    statuses = at_once(lambda: post(sandbox, "/redemptions", asked))

    assert statuses == [200] * 5 + [422] * 15
    assert len({row["code"] for row in sandbox.redemptions()}) == 5
    assert sandbox.balance("ruth@example.com") == 25_000 - 5 * 300


def test_cancelled_many_times_at_once_gives_back_once(sandbox: Sandbox) -> None:
    made = sandbox.redeem_online(MARA, FIVE_OFF)
    path = f"/redemptions/{made['id']}/cancellation_completed"

    statuses = at_once(lambda: post(sandbox, path, {"reward_text": made["code"]}))

    assert statuses == [200] * 20
    assert sandbox.balance(MARA) == 640


def test_one_order_sent_many_times_at_once_earns_once(sandbox: Sandbox) -> None:
    order = {"order_id": "A1", "total_amount_cents": 4299, "currency_code": "USD"}

    at_once(lambda: post(sandbox, "/orders", {"customer_email": MARA, **order}))

    assert sandbox.balance(MARA) == 640 + 42


def test_read_sees_whole_redemptions_only(sandbox: Sandbox) -> None:
    asked = {"customer_email": RUTH, "redemption_option_id": FIVE_OFF}

    def redeem_and_read(_turn: int) -> dict[str, Any]:
        assert post(sandbox, "/redemptions", asked).status_code == 200
        read = {"customer_email": RUTH, "with_history": "true"}
        url = f"{sandbox.base_url}/customers"
        return dict(requests.get(url, read, headers=sandbox.headers, timeout=30).json())

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(redeem_and_read, range(40)))

    spent_in_sum = {each["points_balance"] + 500 * each["perks_redeemed"] for each in seen}
    assert len(spent_in_sum) == 1, "points and redemptions never disagree"
    for each in seen:
        assert sum(item["points"] for item in each["history_items"]) == each["points_balance"]
    assert sandbox.balance(RUTH) == 25_000 - 40 * 500


def test_refused_redemption_leaves_nothing(sandbox: Sandbox, speak: Speak) -> None:
    before = sandbox.state()["counts"]

    speak("POST", "/redemptions", {"customer_email": ADA, "redemption_option_id": 90123})

    after = sandbox.state()["counts"]
    assert {**after, "calls": 0} == {**before, "calls": 0}
    assert sandbox.calls()[-1]["made"] is False


def test_reset_gives_a_fresh_shop(sandbox: Sandbox) -> None:
    sandbox.redeem_online(MARA, FIVE_OFF)
    sandbox.adjust(ADA, -700)
    assert sandbox.balance(ADA) == -200

    sandbox.reset()

    assert (sandbox.balance(MARA), sandbox.balance(ADA)) == (640, 500)
    assert sandbox.redemptions() == []


def test_a_fresh_shop_is_sown_anew_when_its_days_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def joined() -> str:
        [first] = world.run(lambda work: work.all("SELECT min(created_at) FROM customers"))[0]
        return str(first[0])

    store = Store(str(tmp_path / "engine.sqlite3"))
    world = World(store, guid="", api_key="", rate=None, seeded=True)
    then = joined()
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr("sandbox.yotpo.store.now_with_skew", lambda _: later)
    world.reset()
    assert joined() == then
    world._fresh_until = time.monotonic()
    world.reset()
    assert joined() > then
    store.close()


def test_added_member_can_be_read_at_once(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.add_member(email="Iris@example.com", first_name="Iris", points=90)

    seen = speak("GET", "/customers", {"customer_email": "iris@example.com"}).json

    assert (seen["first_name"], seen["points_balance"]) == ("Iris", 90)


def test_online_redemption_is_no_call_but_real(sandbox: Sandbox, speak: Speak) -> None:
    made = sandbox.redeem_online(MARA, CHOSEN, 120)

    record = speak("GET", "/redemption_codes", {"code": made["code"]}).json

    assert (record["email"], record["point_redemption_id"]) == (MARA, made["id"])
    assert sandbox.balance(MARA) == 520
    assert sandbox.call_counts() == {"GET /redemption_codes": 1}


def test_redeeming_online_obeys_the_same_rules(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="422"):
        sandbox.redeem_online(ADA, 90123)
