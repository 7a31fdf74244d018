"""Run the demo: a sandbox engine with a till, the panel and its worker, until told to stop.

The first choice of ports is PORT (8000) and SANDBOX_PORT (8701). With YOTPO_BASE_URL set to a
loopback address that engine is used, and no sandbox is started. Data and logs are in DEMO_DATA
(var/demo).
"""

import fcntl
import html
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

from ports import LOOPBACK, next_free

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("DEMO_DATA") or "var/demo")
LOGS = DATA / "*.log"
TILL_KEYS = DATA / "till.json"
TOUR = ROOT / "sandbox" / "page" / "tour.json"
READY_WITHIN_SECONDS = 60
STOPPED_WITHIN_SECONDS = 10
LOG_LINES_SHOWN = 20
LOOK_EVERY_SECONDS = 0.05

MANAGE = (sys.executable, "manage.py")
SANDBOX = (
    *(sys.executable, "-m", "sandbox", "--db", str(ROOT / DATA / "sandbox.sqlite3")),
    *("--till", str(ROOT / TILL_KEYS)),
)
WEB_PROCESSES = "2"
WEB = (
    *(sys.executable, "-m", "gunicorn", "loyalty_panel.wsgi", "--worker-class", "gthread"),
    *("--workers", WEB_PROCESSES, "--threads", "16", "--no-control-socket"),
)
PortChoice = tuple[str, str]  # the variable that may name it, and what else to try first
WEB_PORT: PortChoice = ("PORT", "8000")
SANDBOX_PORT: PortChoice = ("SANDBOX_PORT", "8701")
SANDBOX_CREDENTIALS = {"YOTPO_GUID": "sandbox-guid", "YOTPO_API_KEY": "sandbox-key"}


class DemoError(Exception):
    """Why the demo cannot go on."""


class Stopped(Exception):
    """SIGINT, SIGTERM or SIGHUP arrived."""


class Child:
    """A program with a log of its own, in a process group of its own."""

    def __init__(self, name: str, command: tuple[str, ...], env: Mapping[str, str]) -> None:
        self.name = name
        self.log = ROOT / DATA / f"{name}.log"
        self.log.write_bytes(b"")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def obituary(self) -> DemoError:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        end = "\n".join(f"    {line}" for line in lines)
        what = f"{self.name} ended with code {self.process.returncode}"
        return DemoError(f"{what}. The end of {self.log}:\n{end}")


class Children:
    """All that this demo has started, watched together and stopped together."""

    def __init__(self) -> None:
        self.running: list[Child] = []
        self.stop_asked = False

    def ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        # Only noted here: an exception might lose a child that was started but not yet listed.
        self.stop_asked = True

    def start(self, name: str, command: tuple[str, ...], env: Mapping[str, str]) -> Child:
        child = Child(name, command, env)
        self.running.append(child)
        return child

    def finish(self, name: str, command: tuple[str, ...], env: Mapping[str, str]) -> None:
        child = self.start(name, command, env)
        while not child.has_ended:
            self.pause()
        if child.process.returncode != 0:
            raise child.obituary()
        self.running.remove(child)

    def wait_until(self, is_ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{what} was not ready in time. See {LOGS}")
            self.pause()

    def watch(self) -> None:
        while True:
            self.check()
            self.pause()

    def check(self) -> None:
        for child in self.running:
            if child.has_ended:
                raise child.obituary()

    def pause(self) -> None:
        if self.stop_asked:
            raise Stopped
        time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        for child in reversed(self.running):
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
        for child in self.running:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0, deadline - time.monotonic()))
            # Whatever is left of the group, even where its leader has gone.
            child.signal_group(signal.SIGKILL)
            child.process.wait()
        self.running.clear()


def main() -> int:
    (ROOT / DATA).mkdir(parents=True, exist_ok=True)
    children = Children()
    for number in stop_signals():
        signal.signal(number, children.ask_to_stop)
    try:
        run(children)
    except Stopped:
        say("Stopping.")
    except DemoError as error:
        say(f"\nThe demo stopped: {error}")
        return 1
    finally:
        children.stop()
    return 0


def stop_signals() -> list[signal.Signals]:
    """Closing the terminal is one, unless nohup was asked to outlive it."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def run(children: Children) -> None:
    started = time.monotonic()
    with start_lock(children):
        env = environment()
        sandbox = None if uses_own_engine() else start_sandbox(children, env)
        panel = start_panel(children, env, sandbox)
    introduce(panel, sandbox, time.monotonic() - started)
    children.watch()


@contextmanager
def start_lock(children: Children) -> Iterator[None]:
    """Held until the servers listen: two demos started at once would choose the same ports."""
    with (ROOT / DATA / "start.lock").open("w") as lock:
        children.wait_until(lambda: is_taken(lock), "Another demo's start")
        yield


def is_taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def environment() -> dict[str, str]:
    return {
        **SANDBOX_CREDENTIALS,
        **os.environ,
        "LOYALTY_MODE": "demo",
        "DATABASE_URL": f"sqlite:///{ROOT / DATA / 'panel.sqlite3'}",
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
        "PYTHONUNBUFFERED": "1",  # so that a log is complete when its program dies
    }


def uses_own_engine() -> bool:
    """Whether the caller names an engine on this machine: the demo never moves real points."""
    url = os.environ.get("YOTPO_BASE_URL")
    if not url:
        return False
    if urlsplit(url).hostname in {"localhost", LOOPBACK, "::1"}:
        return True
    say("YOTPO_BASE_URL is not on this machine. The demo uses its sandbox instead.")
    return False


@dataclass(frozen=True)
class SandboxPages:
    """Where it listens. The till is another site than the panel, as it is in a shop."""

    port: int

    @property
    def page(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/"

    @property
    def till_origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def till(self) -> str:
        return f"{self.till_origin}/till/"


def start_sandbox(children: Children, env: dict[str, str]) -> SandboxPages:
    """`env` is pointed at it."""
    port = choose_port("The sandbox", SANDBOX_PORT, but_not={wish(WEB_PORT)})
    sandbox = SandboxPages(port)
    env |= {"YOTPO_BASE_URL": f"{sandbox.page}api/v2", **SANDBOX_CREDENTIALS}
    children.start("sandbox", (*SANDBOX, "--port", str(port)), env)
    children.wait_until(lambda: is_listening(port), "The sandbox")
    return sandbox


def start_panel(children: Children, env: dict[str, str], sandbox: SandboxPages | None) -> str:
    """The address of it, when it is ready for tills, and the sandbox's till for it."""
    port = choose_port("The panel", WEB_PORT)
    address = f"http://{LOOPBACK}:{port}"
    env |= {"PORT": str(port), "PUBLIC_URL": address, "WEB_CONCURRENCY": WEB_PROCESSES}
    # Web begins meanwhile: it takes about as long as the tables do, and asks for them only later.
    children.start("web", (*WEB, "--bind", f"{LOOPBACK}:{port}"), env)
    keys = ("--till", str(ROOT / TILL_KEYS), "--till-origin")
    more = (
        (*keys, sandbox.till_origin, "--sandbox", sandbox.page, "--then", "seed_demo_pools")
        if sandbox
        else ()
    )
    children.finish("seed", (*MANAGE, "seed_demo", "--migrate", *more), env)
    children.start("worker", (*MANAGE, "run_worker"), env)
    children.wait_until(lambda: answers(f"{address}/readyz"), "The panel")
    if sandbox:
        children.wait_until(lambda: answers(sandbox.till), "The till")
    return address


def choose_port(who: str, choice: PortChoice, but_not: Collection[int] = ()) -> int:
    wished = wish(choice)
    port = next_free(wished, but_not)
    if port != wished:
        say(f"Port {wished} is busy. {who} takes {port}.")
    return port


def wish(choice: PortChoice) -> int:
    variable, default = choice
    wished = os.environ.get(variable) or default
    if not wished.isdecimal():
        raise DemoError(f"{variable} must be a port number, not {wished!r}")
    return int(wished)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    try:
        ask(url)
    except OSError:
        return False
    return True


def logged_in(panel: str) -> str:
    """Who the panel's page is when it opens: it is asked as the page itself asks."""
    launch = json.loads(ask(f"{panel}/panel/demo/launch", data=b"{}"))
    session = ask(f"{panel}/panel/demo/session", Authorization=f"Bearer {launch['bearer']}")
    return html.unescape(session).strip()


def ask(url: str, data: bytes | None = None, **headers: str) -> str:
    """Raises OSError unless the answer is good. Without the proxy that the environment may name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own servers
    with opener.open(request, timeout=10) as answer:
        return str(answer.read().decode())


def introduce(panel: str, sandbox: SandboxPages | None, seconds: float) -> None:
    say(f"\nLoyalty Panel demo, ready in {seconds:.0f} s")
    if sandbox:
        say(f"  Open       {sandbox.till}  (a till, with the panel beside the sale)")
    say(f"""\
  Panel      {panel}/panel/demo/  (alone)
  Logged in  {logged_in(panel)}
  Admin      {panel}/admin/  (manager / demo-manager)""")
    if sandbox:
        say(f"  Sandbox    {sandbox.page}  (the engine's stand-in: all members are invented)")
    say(f"  Logs       {LOGS}\n  Stop       Ctrl-C")
    if sandbox:
        say(f"\nA tour of the till; its button Tour tells what you will see:\n{tour()}\n")


def tour() -> str:
    steps = json.loads(TOUR.read_text())
    return "\n".join(f"  {number}. {step['do']}" for number, step in enumerate(steps, 1))


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
