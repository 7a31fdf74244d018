"""Start a sandbox from Python and steer it: for tests, benchmarks and the demo.

with Sandbox.start() as sandbox:
    sandbox.fault("POST /redemptions", "drop_after")
    ...
"""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

PROJECT = Path(__file__).resolve().parent.parent
READY = "sandbox ready on "
ANSWER_SECONDS = 30
STOP_SECONDS = 10
READY_SECONDS = 30
GUID, API_KEY = "sandbox-guid", "sandbox-key"


class SandboxError(Exception):
    """The sandbox did not start, or refused what it was told."""


@dataclass(frozen=True)
class Tls:
    """PEM files: a certificate for 127.0.0.1, its key, and the authority that vouches for it."""

    cert: Path
    key: Path
    authority: Path


class Sandbox:
    """A sandbox process (or, without `process`, one that somebody else started)."""

    def __init__(
        self,
        root_url: str,
        process: subprocess.Popen[str] | None = None,
        *,
        guid: str = GUID,
        api_key: str = API_KEY,
        tls: Tls | None = None,
    ) -> None:
        self.root_url = root_url
        self.base_url = f"{root_url}/api/v2"
        self.guid = guid
        self.api_key = api_key
        self._process = process
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the machine has no business on loopback
        if tls is not None:
            self._http.verify = str(tls.authority)

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        db: str | Path | None = None,
        rate: int | None = None,
        seed: bool = True,
        guid: str = GUID,
        api_key: str = API_KEY,
        tls: Tls | None = None,
        till: Path | None = None,
    ) -> Self:
        """Return once it listens; over https where `tls` is given.

        `rate` is calls a second (10 or 5), None for no limit; `till` the file with the till's keys.
        """
        words = ["--port", port, "--rate", rate or "off", "--guid", guid, "--api-key", api_key]
        words += ["--db", db] if db else []
        words += [] if seed else ["--no-seed"]
        words += ["--tls-cert", tls.cert, "--tls-key", tls.key] if tls else []
        words += ["--till", till] if till else []
        process = _spawn([str(word) for word in words])
        url = _ready_url(process, READY_SECONDS)
        return cls(url, process, guid=guid, api_key=api_key, tls=tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def headers(self) -> dict[str, str]:
        """What a caller of the API must send."""
        return {"x-guid": self.guid, "x-api-key": self.api_key}

    def fault(self, endpoint: str, kind: str, **details: Any) -> int:
        """Set a fault, once unless `times` says otherwise; returns its id."""
        wanted = {"endpoint": endpoint, "kind": kind, **details}
        return int(self._call("POST", "faults", wanted)["id"])

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def clear_fault(self, fault_id: int) -> None:
        self._call("DELETE", f"faults/{fault_id}")

    def switch(self, **changes: Any) -> dict[str, Any]:
        """Change switches; returns all of them."""
        return dict(self._call("PATCH", "switches", changes))

    def state(self) -> dict[str, Any]:
        return dict(self._call("GET", "state"))

    def reset(self) -> None:
        """Fresh seed, no faults, no calls, switches as at the start."""
        self._call("POST", "reset")

    def ledger(self, email: str) -> list[dict[str, Any]]:
        """Movements of points, oldest first."""
        return list(self._call("POST", "ledger", {"email": email})["rows"])

    def balance(self, email: str) -> int:
        return int(self._call("POST", "ledger", {"email": email})["balance"])

    def customers(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "customers"))

    def redemptions(self) -> list[dict[str, Any]]:
        """Those made since the seed, oldest first."""
        return list(self._call("GET", "redemptions"))

    def calls(self) -> list[dict[str, Any]]:
        """API calls since the start or the last reset, oldest first."""
        return list(self._call("GET", "calls")["calls"])

    def call_counts(self) -> dict[str, int]:
        return dict(self._call("GET", "calls")["counts"])

    def redeem_online(
        self, email: str, option_id: int, points: int | None = None
    ) -> dict[str, Any]:
        """The member redeems in the web shop; returns id, code and points."""
        wanted = {"email": email, "option_id": option_id, "points": points}
        return dict(self._call("POST", "online-redemption", wanted))

    def add_member(self, **fields: Any) -> dict[str, Any]:
        """A member who can be read at once: email, first_name, ..., points, opted_in, tags."""
        return dict(self._call("POST", "members", fields))

    def adjust(self, email: str, points: int) -> int:
        """Move points by hand; returns the new balance."""
        return int(self._call("POST", "adjust", {"email": email, "points": points})["balance"])

    def tell(self, webhook: str = "", secret: str = "", *, coupons: bool = True) -> None:
        """Where the merchant wants to be told: `webhook` is the address that ends in /all."""
        base = webhook.removesuffix("all")
        told = {"webhook": webhook, "secret": secret}
        if webhook and coupons:
            told |= {
                "create_coupon": f"{base}create_coupon",
                "cancel_coupon": f"{base}cancel_coupon",
            }
        self._call("PUT", "addresses", told)

    def told(self) -> list[dict[str, Any]]:
        """What was sent to those addresses, oldest first: to, topic, status, tries, forged."""
        return list(self._call("GET", "told"))

    def ask_to_cancel(self, redemption_id: int) -> None:
        """The shopper asks for the points of a redemption back."""
        self._call("POST", f"ask-to-cancel/{redemption_id}")

    def cancel_coupon(self, redemption_id: int) -> None:
        """The engine ends a coupon of its own accord, and calls the merchant."""
        self._call("POST", f"cancel-coupon/{redemption_id}")

    def plant(self, acts: list[dict[str, Any]]) -> list[Any]:
        """Many acts in one call, also in the past (`sandbox.planting`); what each answered."""
        return list(self._call("POST", "plant", {"acts": acts})["answers"])

    def stop(self) -> None:
        """End the process that `start` began; again does nothing."""
        self._http.close()
        if self._process is not None:
            self._process.terminate()
            self._wait(self._process)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._wait(self._process)

    @staticmethod
    def _wait(process: subprocess.Popen[str]) -> None:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.root_url}/_sandbox/{path}"
        answer = self._http.request(method, url, json=body, timeout=ANSWER_SECONDS)
        if not answer.ok:
            raise SandboxError(f"{method} /_sandbox/{path}: {answer.status_code} {answer.text}")
        return answer.json()


def _spawn(words: list[str]) -> subprocess.Popen[str]:
    # Its stdin is our end of a pipe: should we die without a word, it ends too.
    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-m", "sandbox", "--until-eof", *words],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ready_url(process: subprocess.Popen[str], seconds: float) -> str:
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    line = process.stdout.readline().strip() if process.stdout else ""
    watchdog.cancel()
    if not line.startswith(READY):
        process.kill()
        process.communicate()
        raise SandboxError("the sandbox did not start")
    return line.removeprefix(READY)
