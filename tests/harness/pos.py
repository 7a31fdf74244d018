"""A POS's server: sends, is not answered, sends again. The JSON API is its only way in."""

import time
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.harness.shop import Shop

ANSWER_SECONDS = 40
INSIST_SECONDS = 90
PAUSE_SECONDS = 0.2
NOT_NOW = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection ended without an answer."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Its kind, without the prefix."""
        return str(self.body.get("type", "")).rpartition(":")[2]

    @property
    def is_definite(self) -> bool:
        again = self.status in NOT_NOW or self.problem == "still-running"
        return self.status != 0 and not again

    def __str__(self) -> str:
        said = self.body.get("state") or self.problem or ""
        return f"{self.status or 'no answer'} {said}".strip()


class Pos:
    def __init__(self, shop: Shop, *, delayed: bool = False) -> None:
        self._url = f"{shop.panel.url}/api/v1/"
        # A connection for each request: a kept one would be to a process that was killed.
        key = shop.delayed_api_key if delayed else shop.api_key
        self._headers = {"Authorization": f"Bearer {key}", "Connection": "close"}

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Answer:
        keyed = {"Idempotency-Key": key} if key else {}
        return self._send("POST", path, json=body, headers={**self._headers, **keyed})

    def get(self, path: str) -> Answer:
        return self._send("GET", path, headers=self._headers)

    def insist(self, path: str, body: dict[str, Any], key: str = "") -> Answer:
        """Send the same until the answer says something: what a POS does with a sale."""
        until = time.monotonic() + INSIST_SECONDS
        while not (answer := self.post(path, body, key)).is_definite:
            if time.monotonic() > until:
                break
            time.sleep(PAUSE_SECONDS)
        return answer

    def _send(self, method: str, path: str, **how: Any) -> Answer:
        try:
            reply = requests.request(method, self._url + path, timeout=ANSWER_SECONDS, **how)
            return Answer(reply.status_code, reply.json())
        except (requests.RequestException, ValueError):
            return Answer(0)
