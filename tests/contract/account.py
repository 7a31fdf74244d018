"""An engine to be called, and what a caller sees of it."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from sandbox.control import Sandbox

SECONDS = 30


@dataclass(frozen=True)
class Account:
    """The engine under test. `sandbox` is None for a real account."""

    base_url: str
    headers: dict[str, str]
    email: str = field(repr=False)
    phone: str | None = field(repr=False)
    writable: bool
    sandbox: Sandbox | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def call(
        self, method: str, path: str, params: Any = None, more: dict[str, Any] | None = None
    ) -> requests.Response:
        """Parameters go in the query of a GET and in the JSON of a POST; `more` as in requests."""
        how = {"params": params} if method == "GET" else {"json": params}
        given = {"headers": self.headers, "timeout": SECONDS, **how, **(more or {})}
        return self.session.request(method, self.base_url + path, **given)

    def balance(self) -> int:
        answer = self.call("GET", "/customers", {"customer_email": self.email})
        return int(answer.json()["points_balance"])


@dataclass(frozen=True)
class Seen:
    """What a caller got, without a library that hides the details."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    connection: http.client.HTTPConnection,
    headers: dict[str, str],
    method: str,
    path: str,
    params: Any = None,
) -> Seen:
    target, body = f"/api/v2{path}", None
    if method == "GET":
        target += f"?{urlencode(params or {})}"
    else:
        body, headers = json.dumps(params or {}), {**headers, "Content-Type": "application/json"}
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Seen(answer.status, named, answer.read())
