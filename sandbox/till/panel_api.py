"""The panel's JSON API, as this till calls it: server to server, over and over until it is told."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.till.book import Book
from sandbox.till.keys import Keys, NoKeys, read_keys

ANSWERS_WITHIN_SECONDS = 5
# While somebody stands at the till.
HOLDS_WITHIN_SECONDS = 2
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 30.0
# It may go better with the same words later; every other 4xx is a refusal.
LATER = {401, 403, 408, 425, 429}
STILL_RUNNING = "urn:loyalty-panel:problem:still-running"


class NotTold(Exception):
    """It is not known whether it arrived, or it may go better later."""


class RefusedByPanel(Exception):
    """A person must look; the message is the panel's."""


def post(keys: Keys, path: str, body: str, act_key: str, *, seconds: float) -> dict[str, Any]:
    """Without a proxy that the environment may name. Raises NotTold or RefusedByPanel."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {
        "Authorization": f"Bearer {keys.api_key}",
        "Content-Type": "application/json",
        "Idempotency-Key": act_key,
    }
    url = f"{keys.panel_origin}/api/v1/{path}"
    request = urllib.request.Request(url, body.encode(), headers, method="POST")  # noqa: S310
    try:
        with opener.open(request, timeout=seconds) as answer:
            said: dict[str, Any] = json.load(answer)
            return said
    except urllib.error.HTTPError as error:
        raise _failure(error) from None
    except (OSError, ValueError):
        raise NotTold from None


def _failure(error: urllib.error.HTTPError) -> Exception:
    problem: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        problem = json.load(error)
    if error.code >= 500 or error.code in LATER or problem.get("type") == STILL_RUNNING:
        return NotTold()
    return RefusedByPanel(str(problem.get("detail") or f"The panel answered {error.code}."))


def hold(keys: Keys, redemption: str, ticket: str) -> bool:
    """Whether a code still counts as payment starts. A panel that can't be asked stops no sale."""
    body = json.dumps({"ticket": ticket})
    path = f"redemptions/{redemption}/hold"
    try:
        # A new key each time: a refusal would be answered as it was.
        post(keys, path, body, uuid.uuid4().hex, seconds=HOLDS_WITHIN_SECONDS)
    except NotTold:
        return True
    except RefusedByPanel:
        return False
    return True


class Reporter:
    """Tells the panel of sales, in a thread of its own, until each is told or refused."""

    def __init__(self, book: Book, keys_file: Path | None) -> None:
        self._book = book
        self._keys_file = keys_file
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something new to tell."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join(ANSWERS_WITHIN_SECONDS + 1)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            self._wake.clear()
            is_all_told = self.tell_what_is_due()
            pause = FIRST_PAUSE_SECONDS if is_all_told else min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._wake.wait(None if is_all_told else pause)

    def tell_what_is_due(self) -> bool:
        """One try for each. A sale's return waits for the sale. Returns whether all is told."""
        waiting: set[str] = set()
        for report in self._book.due_reports():
            if report["ticket"] in waiting or self._stopping.is_set():
                continue
            settled = self._tell(report["path"], report["body"], report["act_key"])
            if settled is None:
                waiting.add(report["ticket"])
            else:
                self._book.settle_report(report["id"], *settled)
        return not waiting

    def _tell(self, path: str, body: str, act_key: str) -> tuple[str, str] | None:
        try:
            keys = read_keys(self._keys_file)
            post(keys, path, body, act_key, seconds=ANSWERS_WITHIN_SECONDS)
        except (NoKeys, NotTold):
            return None
        except RefusedByPanel as refused:
            return "refused", str(refused)
        return "told", ""
