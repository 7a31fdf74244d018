"""Sends what the engine tells to the merchant's addresses: over real sockets, and tried again."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from sandbox.switches import Switches
from sandbox.yotpo.telling import CREATE, WEBHOOK, Message

ANSWER_SECONDS = 5
TRIES = 5
PAUSE_SECONDS = 0.2
KEPT = 1_000
FORGED = "lpw_forged"


@dataclass(frozen=True)
class Addresses:
    """Where the merchant wants to be told. An empty one is told nothing."""

    webhook: str = ""
    create_coupon: str = ""
    cancel_coupon: str = ""
    secret: str = field(default="", repr=False)


class Sent(NamedTuple):
    """`status` is None where nobody answered."""

    to: str
    topic: str
    status: int | None
    tries: int
    forged: bool


class Messenger:
    """Events go out by a thread of its own; a coupon to create is waited for."""

    def __init__(self, switches: Callable[[], Switches]) -> None:
        self.addresses = Addresses()
        self._switches = switches
        self._waiting: queue.Queue[Message] = queue.Queue()
        self._sent: deque[Sent] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._count = 0
        self._http = requests.Session()
        self._http.trust_env = False

    def configure(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def send(self, told: Iterable[Message]) -> None:
        """Once the transaction is over. Nothing is held meanwhile."""
        for message in told:
            if not self._address(message):
                continue
            if message.to == CREATE:
                self._deliver(message)
            else:
                self._waiting.put(message)
                self._start()

    def log(self) -> list[dict[str, Any]]:
        """What was sent, oldest first."""
        return [sent._asdict() for sent in list(self._sent)]

    def clear(self) -> None:
        self._sent.clear()

    def _address(self, message: Message) -> str:
        return str(getattr(self.addresses, message.to))

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            switches = self._switches()
            time.sleep(switches.webhook_delay_seconds)
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            if switches.webhook_order == "reversed":
                batch.reverse()
            for message in batch:
                self._tell(message, switches)

    def _tell(self, message: Message, switches: Switches) -> None:
        self._count += 1
        every_other = switches.webhook_loss == "half" and self._count % 2 == 0
        if switches.webhook_loss == "all" or every_other:
            return
        event_id = str(uuid.uuid4())
        if switches.webhook_forged:
            self._deliver(message, forged=True)
        for _ in range(switches.webhook_copies):
            self._deliver(message, event_id=event_id)

    def _deliver(self, message: Message, *, event_id: str = "", forged: bool = False) -> None:
        url, secret = self._address(message), self.addresses.secret
        headers, body = {}, message.body
        if message.to == WEBHOOK:
            headers = {"eventid": event_id} if event_id else {}
        else:
            shown = FORGED if forged else secret
            headers, body = {"X-Api-Secret": shown}, {**body, "secret": shown}
        if forged:
            url = url.replace(secret, FORGED)
        status, tries = None, 0
        while tries < (1 if forged or message.to == CREATE else TRIES):
            tries += 1
            status = self._post(url, body, headers)
            if status is not None and status < 500 and status != 429:
                break
            time.sleep(PAUSE_SECONDS * tries)
        topic = str(message.body.get("topic", ""))
        self._sent.append(Sent(message.to, topic, status, tries, forged))

    def _post(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> int | None:
        try:
            answer = self._http.post(url, json=body, headers=headers, timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return None
        return answer.status_code
