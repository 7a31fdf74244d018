"""Speaking to the sandbox (or to a real test account) over a real socket.

No test here needs a database. To point `test_yotpo_contract.py` at a real account, set
CONTRACT_YOTPO_BASE_URL, _GUID, _API_KEY, _EMAIL and, where there is one, _PHONE, and let pytest out
with `--allow-hosts` or `--force-enable-socket`. What changes things is skipped there unless
CONTRACT_YOTPO_WRITE=1.
"""

import http.client
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.control import Sandbox
from tests.contract.account import SECONDS, Account, Seen, ask

NAMES = ("BASE_URL", "GUID", "API_KEY", "EMAIL", "PHONE", "WRITE")
Speak = Callable[..., Seen]


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    told = {name: os.environ.get(f"CONTRACT_YOTPO_{name}", "") for name in NAMES}
    real = told["BASE_URL"] and told["EMAIL"]
    found = _told(told) if real else _seeded(request.getfixturevalue("sandbox"))
    with found.session:
        yield found


def _told(told: dict[str, str]) -> Account:
    keys = {"x-guid": told["GUID"], "x-api-key": told["API_KEY"]}
    phone, writable = told["PHONE"] or None, told["WRITE"] == "1"
    return Account(told["BASE_URL"], keys, told["EMAIL"], phone, writable)


def _seeded(sandbox: Sandbox) -> Account:
    sandbox.switch(new_customer_delay_seconds=0)
    phone = "+14155550123"
    known = (sandbox.base_url, sandbox.headers, "mara@example.com", phone)
    return Account(*known, writable=True, sandbox=sandbox)


@pytest.fixture
def speak(sandbox: Sandbox) -> Speak:
    """`speak("POST", "/redemptions", {...}, timeout=...)` over a connection of its own."""

    def speak(method: str, path: str, params: Any = None, timeout: float = SECONDS) -> Seen:
        host = urlsplit(sandbox.root_url).netloc
        connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            return ask(connection, sandbox.headers, method, path, params)
        finally:
            connection.close()

    return speak
