"""The sandbox tells a running panel, over sockets, also twice, late, out of order and forged."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from sandbox.control import Sandbox
from tests.support.servers import Database, Panel, manage, running_panel
from tests.support.till import TillPage, code_of
from tests.support.waiting import until
from tests.webhooks.examples import EMAIL, OFFERS

pytestmark = pytest.mark.slow
ISSUE = "from access.keys import *; print(WebhookSecret.issue(Installation.objects.get(id='demo')))"


@pytest.fixture(scope="module")
def panel(
    _sandbox: Sandbox, each_database: Database, output_dir: Path
) -> Iterator[tuple[Panel, str]]:
    log = output_dir / f"webhooks-{each_database.url.partition(':')[0]}.log"
    with running_panel(_sandbox, each_database, log, workers=2) as panel:
        shown = manage(panel.env, "shell", "-v", "0", "-c", ISSUE)
        secret = shown.strip().splitlines()[-1]
        yield panel, f"{panel.url}/webhooks/yotpo/demo/{secret}/all"


@pytest.fixture
def told(sandbox: Sandbox, panel: tuple[Panel, str]) -> Iterator[Database]:
    """The panel's database, empty, while the sandbox tells it everything."""
    running, address = panel
    database = running.database
    database.clear()
    for table in ("redemptions_toldcode", "webhooks_webhook"):
        database.execute(f"DELETE FROM {table}")
    sandbox.tell(address, address.split("/")[-2])
    yield database
    sandbox.tell()


def states(database: Database) -> list[object]:
    return database.execute("SELECT state, times FROM webhooks_webhook WHERE event_id <> ''")


def test_a_coupon_is_created_while_our_own_call_is_open(sandbox, panel, told):
    till = TillPage(panel[0])

    answer = till.redeem(till.ask(till.look_up(EMAIL)))

    made = sandbox.redemptions()[-1]
    assert code_of(answer) == made["code"]
    rows = told.execute("SELECT code FROM redemptions_toldcode WHERE cost IS NULL")
    assert made["code"] in [row[0] for row in rows]
    create = next(one for one in sandbox.told() if one["to"] == "create_coupon")
    assert (create["status"], create["tries"]) == (200, 1)
    # It is told of the redemption as well, a little later: not while the next test counts.
    until(lambda: "webhook" in {one["to"] for one in sandbox.told()}, "the webhook is told")


def test_duplicates_are_counted_and_forged_ones_refused(sandbox, told):
    sandbox.switch(webhook_copies=3, webhook_forged=True)
    sandbox.redeem_online(EMAIL, OFFERS[0])

    until(lambda: len([one for one in sandbox.told() if one["to"] == "webhook"]) >= 4, "all told")

    sent = [one for one in sandbox.told() if one["to"] == "webhook"]
    assert [one["status"] for one in sent if one["forged"]] == [404]
    assert [one["status"] for one in sent if not one["forged"]] == [200, 200, 200]
    assert [times for _, times in states(told)] == [3]


def test_of_many_deliveries_at_once_one_is_kept(panel, told):
    body = {"topic": "loyalty/opt_in", "email": EMAIL}
    send = lambda _: requests.post(panel[1], json=body, headers={"eventid": "e-1"}, timeout=20)  # noqa: E731

    with ThreadPoolExecutor(12) as pool:
        answers = {answer.status_code for answer in pool.map(send, range(24))}

    assert answers == {200}
    assert [times for _, times in states(told)] == [24]


def test_an_ended_coupon_ends_at_the_till_within_the_call(sandbox, panel, told):
    till = TillPage(panel[0])
    till.redeem(till.ask(till.look_up(EMAIL)))

    sandbox.cancel_coupon(sandbox.redemptions()[-1]["id"])

    until(lambda: told.states() == ["reversing"], "the code counts no more")
