"""The API as a POS meets it: real processes, real sockets, on each database."""

import json
import signal
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.control import Sandbox
from tests.support.marks import mainly_on
from tests.support.servers import Database, Panel, manage, running_panel
from tests.support.waiting import until

# A real server with four processes, loaded from many sides.
pytestmark = [pytest.mark.slow, mainly_on("postgres")]

CALLERS = 24
CONNECTIONS = 50
FIVE_OFF = 90121


class Caller:
    """A POS's server, with a connection for each request."""

    def __init__(self, panel: Panel, api_key: str) -> None:
        self.panel = panel
        self.headers = {"Authorization": f"Bearer {api_key}", "Connection": "close"}

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.send("GET", path, params=query)

    def post(self, path: str, body: Any, key: str | None = None) -> requests.Response:
        keyed = {"Idempotency-Key": key} if key else {}
        return self.send("POST", path, json=body, headers=keyed)

    def send(self, method: str, path: str, *, headers: Any = (), **what: Any) -> requests.Response:
        headers = {**self.headers, **dict(headers)}
        return requests.request(method, self.url(path), headers=headers, timeout=60, **what)

    def redeem(self, key: str, email: str, **more: str) -> requests.Response:
        body = {"member": {"email": email}, "offer_id": FIVE_OFF, "store": "boston", "till": "1"}
        return self.post("redemptions", body | more, key)

    def url(self, path: str) -> str:
        return f"{self.panel.url}/api/v1/{path}"


class KeptCaller(Caller):
    """With a connection of its own for each thread, which is kept."""

    def __init__(self, panel: Panel, api_key: str) -> None:
        super().__init__(panel, api_key)
        del self.headers["Connection"]
        self._mine = threading.local()
        self._all: list[requests.Session] = []

    def send(self, method: str, path: str, *, headers: Any = (), **what: Any) -> requests.Response:
        if not hasattr(self._mine, "session"):
            self._mine.session = requests.Session()
            self._all.append(self._mine.session)
        headers = {**self.headers, **dict(headers)}
        return self._mine.session.request(
            method, self.url(path), headers=headers, timeout=60, **what
        )

    def close(self) -> None:
        for session in self._all:
            session.close()


@pytest.fixture(scope="module")
def panel(_sandbox: Sandbox, each_database: Database, output_dir: Path) -> Iterator[Panel]:
    log = output_dir / f"api-{each_database.url.partition(':')[0]}.log"
    # A key may ask a hundred times a second; a thousand at once are more than any shop sends.
    no_limit = {"API_RATE_PER_SECOND": "1000000", "API_BURST": "1000000"}
    # Fifty at once may wait long for an engine on a machine as busy as that.
    patient = {"ENGINE_DEADLINE_SECONDS": "15"}
    with running_panel(_sandbox, each_database, log, workers=4, **no_limit, **patient) as panel:
        yield panel


@pytest.fixture(scope="module")
def api_key(panel: Panel) -> str:
    words = ["--pos", "generic", "--origin", "http://127.0.0.1", "--json"]
    return str(json.loads(manage(panel.env, "create_installation", "Shop", *words))["api_key"])


@pytest.fixture
def caller(sandbox: Sandbox, panel: Panel, api_key: str) -> Caller:
    panel.database.clear()
    return Caller(panel, api_key)


@pytest.fixture
def someone(sandbox: Sandbox, caller: Caller) -> str:
    """A member with points for one redemption, whom the engine can be asked about."""
    email = str(sandbox.add_member(email="only.one@example.com", points=700)["email"])
    until(
        lambda: caller.post("members/lookup", {"email": email}).ok,
        "the breaker that a test before opened is closed",
    )
    return email


def all_at_once(act: Callable[[int], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(act, range(CALLERS)))


def test_one_sale_from_look_up_to_reversal(caller: Caller, sandbox: Sandbox, someone: str) -> None:
    member = caller.post("members/lookup", {"email": someone}).json()
    [best, *_] = caller.get(f"members/{member['id']}/offers").json()["items"]
    assert best["affordable"]
    asked = {"member": {"id": member["id"]}, "offer_id": FIVE_OFF, "ticket": "T-1"}
    made = caller.post("redemptions", asked, uuid.uuid4().hex)
    assert (made.status_code, made.json()["state"]) == (201, "issued")
    redemption = f"redemptions/{made.json()['id']}"
    assert caller.post(f"{redemption}/hold", {"ticket": "T-1"}).status_code == 200
    assert [one["id"] for one in caller.get("redemptions", ticket="T-1").json()["items"]] == [
        made.json()["id"]
    ]
    assert sandbox.balance(someone) == 200
    assert caller.post(f"{redemption}/reverse", {"withdrawn": True}).status_code == 200
    assert caller.get(redemption).json()["state"] == "reversed"
    assert sandbox.balance(someone) == 700


def test_somebody_joins(caller: Caller, sandbox: Sandbox, someone: str) -> None:
    body = {"email": "ida@example.com", "first_name": "Ida"}
    answers = all_at_once(lambda _number: caller.post("members", body, "join"))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert [person["email"] for person in sandbox.customers()].count("ida@example.com") == 1


def test_one_key_from_many_sides_makes_one_code(
    caller: Caller, sandbox: Sandbox, someone: str
) -> None:
    answers = all_at_once(lambda _number: caller.redeem("one", someone))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {200, 201, 409}
    codes = {answer.json()["code"] for answer in answers if answer.ok}
    assert len(codes) == len(sandbox.redemptions()) == 1
    assert sandbox.balance(someone) == 200


def test_many_keys_for_one_redemptions_worth_make_one_code(
    caller: Caller, sandbox: Sandbox, someone: str
) -> None:
    answers = all_at_once(lambda number: caller.redeem(f"many-{number}", someone))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {201, 409, 422}
    assert sandbox.balance(someone) == 200


@pytest.mark.parametrize("keys", [200, pytest.param(1_000, marks=pytest.mark.long)])
def test_hundreds_of_keys_for_one_redemptions_worth_make_one_code(
    caller: Caller, sandbox: Sandbox, someone: str, panel: Panel, api_key: str, keys: int
) -> None:
    """Each with a ticket of its own, so that no open code answers for the others."""
    kept = KeptCaller(panel, api_key)
    with closing(kept), ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = list(
            pool.map(
                lambda number: kept.redeem(f"key-{number}", someone, ticket=f"T-{number}"),
                range(keys),
            )
        )
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert statuses[409] + statuses[422] == keys - 1, statuses
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 201}
    assert codes == {made["code"] for made in sandbox.redemptions()}
    assert sandbox.balance(someone) == 200


def test_a_process_that_died_is_succeeded_and_nothing_is_taken_twice(
    caller: Caller, sandbox: Sandbox, someone: str, panel: Panel
) -> None:
    sandbox.fault("POST /redemptions", "late", seconds=1.5)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(caller.redeem, "dies", someone)
        until(lambda: sandbox.balance(someone) == 200, "the engine took the points")
        panel.signal(signal.SIGKILL)
        panel.stop()
        with pytest.raises(requests.RequestException):
            first.result()
    panel.start(workers=4)
    running = caller.redeem("dies", someone)
    assert (running.status_code, running.json()["type"].rpartition(":")[2]) == (
        409,
        "still-running",
    )
    past = "2026-01-01 00:00:00"
    panel.database.execute("UPDATE api_keyedcall SET started_at = ?", past)
    # Where the start took long, it was settled meanwhile.
    assert caller.redeem("dies", someone).status_code in {200, 202}
    panel.database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'uncertain' WHERE state = 'requested'"
    )
    until(lambda: caller.redeem("dies", someone).status_code == 200, "it is found in the history")
    assert len(sandbox.redemptions()) == 1
    assert sandbox.balance(someone) == 200


def test_a_body_too_large_is_refused_and_the_next_is_read(caller: Caller, someone: str) -> None:
    large = caller.post("members/lookup", {"email": "x" * 300_000})
    assert (large.status_code, large.headers["Content-Type"]) == (413, "application/problem+json")
    assert caller.post("members/lookup", {"email": someone}).status_code == 200


def test_a_body_in_chunks_is_not_taken_for_an_empty_one(caller: Caller, someone: str) -> None:
    answer = requests.post(
        caller.url("members/lookup"), data=iter([b'{"email": "', b'x"}']), headers=caller.headers,
        timeout=60,
    )  # fmt: skip
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        411,
        "application/problem+json",
    )


def test_what_broke_off_is_not_done(caller: Caller, sandbox: Sandbox, someone: str) -> None:
    """A void may come without a body: one that lost it is none."""
    ticket = {"member": {"email": someone}, "offer_id": FIVE_OFF, "ticket": "T-broken"}
    assert caller.post("redemptions", ticket, uuid.uuid4().hex).status_code == 201
    address = urlsplit(caller.url("sales/T-broken/void"))
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}", "Content-Length: 30"]
    lines += [f"{name}: {value}" for name, value in caller.headers.items()]
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ") and b":bad-request" in answer
    assert caller.get("redemptions", ticket="T-broken").json()["items"][0]["state"] == "issued"


def test_nobody_is_named_in_the_servers_log(caller: Caller, someone: str, panel: Panel) -> None:
    caller.post("members/lookup", {"email": someone, "surprise": someone})
    caller.get(f"redemptions/{someone}", email=someone)
    until(lambda: "api/v1/members/lookup" in panel.log.read_text(), "the request is logged")
    written = panel.log.read_text()
    assert "only.one" not in written and "ida@" not in written
