"""New connections: over TLS, and as slow to make as those to somebody far away."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.control import PROJECT, Sandbox, Tls
from tests.contract.account import ask
from tests.support.certificates import Certified, certify

IMPATIENT, LONG = 0.4, 60  # seconds: a caller's patience, and a wait that nobody sits out


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def _secure(certified: Certified) -> Iterator[Sandbox]:
    tls = Tls(certified.cert, certified.key, certified.authority)
    with Sandbox.start(rate=None, tls=tls) as sandbox:
        yield sandbox


@pytest.fixture
def secure(_secure: Sandbox) -> Sandbox:
    _secure.reset()
    return _secure


@pytest.fixture
def web(certified: Certified) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a machine may name authorities of its own
        session.verify = str(certified.authority)
        yield session


def connect(
    sandbox: Sandbox, certified: Certified | None, timeout: float
) -> http.client.HTTPConnection:
    host = urlsplit(sandbox.root_url).netloc
    if certified is None:
        return http.client.HTTPConnection(host, timeout=timeout)
    return http.client.HTTPSConnection(host, timeout=timeout, context=certified.client())


@pytest.fixture(params=["http", "https"])
def served(request: pytest.FixtureRequest) -> tuple[Sandbox, Certified | None]:
    """A sandbox, and what it takes to trust it."""
    if request.param == "http":
        return request.getfixturevalue("sandbox"), None
    return request.getfixturevalue("secure"), request.getfixturevalue("certified")


def test_api_page_and_steering_are_served_over_tls(secure: Sandbox, web: requests.Session) -> None:
    assert secure.root_url.startswith("https://127.0.0.1:")

    asked = {"customer_email": "mara@example.com"}
    seen = web.get(f"{secure.base_url}/customers", params=asked, headers=secure.headers, timeout=30)
    page = web.get(f"{secure.root_url}/", timeout=30)

    assert seen.json()["points_balance"] == 640
    assert "Mara Quill" in page.text
    assert secure.call_counts() == {"GET /customers": 1}


def test_caller_who_does_not_trust_the_authority_does_not_call(secure: Sandbox) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{secure.base_url}/vip_tiers", headers=secure.headers, timeout=30)

    assert secure.calls() == []


def test_caller_who_shakes_no_hands_holds_up_nobody(secure: Sandbox, web: requests.Session) -> None:
    address = urlsplit(secure.root_url)

    with socket.create_connection((address.hostname, address.port)):
        assert web.get(f"{secure.root_url}/", timeout=30).ok


def test_plain_call_of_a_secure_sandbox_gets_no_answer(secure: Sandbox) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(secure.root_url.replace("https:", "http:"), timeout=30)


@pytest.mark.parametrize(("scheme", "status"), [("https", 200), ("http", 403)])
def test_only_the_secure_page_steers_a_secure_sandbox(
    secure: Sandbox, web: requests.Session, scheme: str, status: int
) -> None:
    origin = {"Origin": f"{scheme}://{urlsplit(secure.root_url).netloc}"}

    answer = web.post(f"{secure.root_url}/_sandbox/reset", headers=origin, timeout=30)

    assert answer.status_code == status


@pytest.mark.parametrize("rst", [False, True], ids=["end", "reset"])
def test_answer_is_lost_over_tls_too(secure: Sandbox, web: requests.Session, rst: bool) -> None:
    secure.fault("POST /redemptions", "drop_after", rst=rst)
    asked = {"customer_email": "mara@example.com", "redemption_option_id": 90121}

    with pytest.raises(requests.ConnectionError):
        web.post(f"{secure.base_url}/redemptions", asked, headers=secure.headers, timeout=30)

    assert secure.balance("mara@example.com") == 140


@pytest.mark.parametrize("missing", ["--tls-cert", "--tls-key"])
def test_certificate_and_key_go_together(certified: Certified, missing: str) -> None:
    words = {"--tls-cert": certified.cert, "--tls-key": certified.key}
    del words[missing]

    assert "go together" in said_before_it_ended(*words.popitem())


def test_unreadable_certificate_is_told(certified: Certified, tmp_path: Path) -> None:
    words = ("--tls-cert", tmp_path / "none.pem", "--tls-key", certified.key)

    assert "--tls-cert" in said_before_it_ended(*words)


def said_before_it_ended(*words: object) -> str:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *map(str, words)]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        assert process.wait(20) == 2
        return process.stderr.read()


def test_new_connection_takes_longer_by_as_much_as_switched(
    served: tuple[Sandbox, Certified | None],
) -> None:
    sandbox, certified = served
    sandbox.switch(connection_seconds=0.2)
    connection = connect(sandbox, certified, timeout=30)
    began = time.monotonic()

    assert ask(connection, sandbox.headers, "GET", "/vip_tiers").status == 200

    assert time.monotonic() - began >= 0.2
    connection.close()


def test_connection_that_is_there_takes_no_longer(
    served: tuple[Sandbox, Certified | None],
) -> None:
    sandbox, certified = served
    there, new = (connect(sandbox, certified, timeout) for timeout in (LONG, IMPATIENT))
    assert ask(there, sandbox.headers, "GET", "/vip_tiers").status == 200
    sandbox.switch(connection_seconds=LONG)

    assert ask(there, sandbox.headers, "GET", "/vip_tiers").status == 200
    with pytest.raises(TimeoutError):
        ask(new, sandbox.headers, "GET", "/vip_tiers")

    sandbox.switch(connection_seconds=0)
    there.close()
    new.close()


ODD = {
    "an older version": (b"GET /vip_tiers HTTP/1.0\r\n\r\n", b"HTTP/1.1 401 "),
    "no header at all": (b"GET /vip_tiers HTTP/1.1\r\n\r\n", b"HTTP/1.1 401 "),
    "bare line ends": (b"GET /vip_tiers HTTP/1.1\nx-guid: nobody\n\n", b"HTTP/1.1 401 "),
    "a word awaited": (b"POST /orders HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", b"HTTP/1.1 100 "),
    "a header without a name": (b"GET /vip_tiers HTTP/1.1\r\n: x\r\n\r\n", b"HTTP/1.1 400 "),
    "a header without a colon": (b"GET /vip_tiers HTTP/1.1\r\nx\r\n\r\n", b"HTTP/1.1 400 "),
    "a folded header": (b"GET /vip_tiers HTTP/1.1\r\nx: 1\r\n y: 2\r\n\r\n", b"HTTP/1.1 400 "),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"x: 1\r\n" * 101, b"HTTP/1.1 431 "),
    "too long a header": (b"GET / HTTP/1.1\r\nx: " + b"1" * 65_534, b"HTTP/1.1 431 "),
    "another method": (b"BREW /vip_tiers HTTP/1.1\r\n\r\n", b"HTTP/1.1 501 "),
}


@pytest.mark.parametrize(("sent", "start"), ODD.values(), ids=ODD)
def test_odd_request_is_answered(sandbox: Sandbox, sent: bytes, start: bytes) -> None:
    address = urlsplit(sandbox.root_url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(sent.replace(b" /", b" /api/v2/", 1))

        assert connection.recv(len(start), socket.MSG_WAITALL) == start
