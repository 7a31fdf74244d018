"""Many tills, several processes, one member: points are spent once and given back once."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.control import Sandbox
from tests.support.servers import Database, Panel, running_panel
from tests.support.till import TillPage, code_of

# A real server with four processes, loaded from many sides.
pytestmark = pytest.mark.slow

TILLS = 24
MEMBER = re.compile(r"/members/([0-9a-f-]{36})/")


@pytest.fixture(scope="module")
def panel(
    _sandbox: Sandbox, each_database: Database, output_dir: Path, request: pytest.FixtureRequest
) -> Iterator[Panel]:
    log = output_dir / f"races-{each_database.url.partition(':')[0]}.log"
    with running_panel(_sandbox, each_database, log, workers=4) as panel:
        yield panel


@pytest.fixture
def someone(sandbox: Sandbox, panel: Panel) -> str:
    """A member with points for one redemption."""
    panel.database.clear()
    return str(sandbox.add_member(email="only.one@example.com", points=700)["email"])


def all_at_once(acts):
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(act) for act in acts]]


@pytest.fixture
def tills(panel: Panel) -> list[TillPage]:
    return all_at_once([lambda: TillPage(panel)] * TILLS)


def test_many_acts_for_one_redemptions_worth_make_one_code(sandbox, tills, someone):
    acts = [(till, till.ask(till.look_up(someone))) for till in tills]

    answers = all_at_once([lambda t=till, a=act: t.redeem(a) for till, act in acts])

    statuses = Counter(answer.status_code for answer in answers)
    assert sum(bool(code_of(answer)) for answer in answers) == 1
    assert statuses[200] == 1
    assert set(statuses) <= {200, 409, 422}
    assert sandbox.balance(someone) == 200


def test_one_act_sent_many_times_makes_one_code(sandbox, tills, someone):
    act = tills[0].ask(tills[0].look_up(someone))

    answers = all_at_once([lambda t=till: t.redeem(act) for till in tills])

    assert {answer.status_code for answer in answers} == {200}
    assert len({code for answer in answers if (code := code_of(answer))}) == 1
    assert len(sandbox.redemptions()) == 1
    assert sandbox.balance(someone) == 200


def test_many_undos_give_back_once(sandbox, tills, someone):
    page = tills[0].look_up(someone)
    coupon = tills[0].redeem(tills[0].ask(page)).text
    member_id = MEMBER.search(page)[1]

    answers = all_at_once([lambda t=till: t.undo(coupon, member_id) for till in tills])

    assert {answer.status_code for answer in answers} == {200}
    ledger = [row["kind"] for row in sandbox.ledger(someone)]
    assert (ledger.count("reversal"), sandbox.balance(someone)) == (1, 700)
    assert sandbox.call_counts()["POST /redemptions/*/cancellation_completed"] == 1


def test_members_do_not_wait_for_one_another(sandbox, tills, panel):
    panel.database.clear()
    people = [
        sandbox.add_member(email=f"queue.{n}@example.com", points=700)["email"]
        for n in range(TILLS)
    ]
    acts = [
        (till, till.ask(till.look_up(email))) for till, email in zip(tills, people, strict=True)
    ]

    answers = all_at_once([lambda t=till, a=act: t.redeem(a) for till, act in acts])

    assert {answer.status_code for answer in answers} == {200}
    assert len({code_of(answer) for answer in answers}) == TILLS
    assert {sandbox.balance(email) for email in people} == {200}
