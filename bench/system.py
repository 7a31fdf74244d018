"""One whole system for a benchmark: a sandbox, the panel as in production, its workers."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.databases import new_databases
from bench.servers import Server, panel_env, prepare, run, web_command, worker_command
from bench.shop import INSTALLATION
from ports import any_free
from sandbox.control import Sandbox
from tests.support.servers import Database

MEMBERS = 200


class System:
    def __init__(self, sandbox: Sandbox, panel: Server, env: dict[str, str], folder: Path) -> None:
        self.sandbox = sandbox
        self.panel = panel
        self.mails = folder / "mails"
        self.bearers = folder / "bearers"
        self._env = env
        self._folder = folder
        self._bearers_until = 0.0
        self._database = Database(env["DATABASE_URL"])

    @property
    def look_up_url(self) -> str:
        return f"{self.panel.url}/panel/{INSTALLATION}/lookup"

    def fill(self) -> None:
        """Members, each known to the panel already."""
        mails = [f"member.{number}@example.com" for number in range(MEMBERS)]
        for mail in mails:
            self.sandbox.add_member(email=mail, points=600)
        self.mails.write_text("\n".join(mails) + "\n")

    def new_bearers(self, count: int) -> None:
        """A bearer lives for five minutes; they are made anew after four."""
        if time.monotonic() < self._bearers_until:
            return
        self.bearers.write_text(run(self._env, "-m", "bench.shop", "bearers", str(count)))
        self._bearers_until = time.monotonic() + 4 * 60

    def new_orders(self, count: int) -> None:
        run(self._env, "-m", "bench.shop", "orders", str(count), str(self.mails))

    def told(self) -> int:
        """How many orders the engine has been told of."""
        counted = "SELECT count(*) FROM outbox_delivery WHERE state = 'done'"
        return int(str(self._database.execute(counted)[0][0]))

    def start_worker(self, name: str = "worker") -> Server:
        return Server(name, worker_command(), self._env, "", self._folder)


@contextmanager
def running(kind: str, folder: Path, **settings: str) -> Iterator[System]:
    """On a database of that kind; `settings` are variables of the panel and its workers."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox.start(rate=None, db=folder / "engine.sqlite3"))
        url = stack.enter_context(new_databases(kind, folder))("panel")
        port = any_free()
        env = panel_env(sandbox, folder, port, more={"DATABASE_URL": url, **settings})
        prepare(env)
        panel = Server("panel", web_command(), env, f"http://127.0.0.1:{port}", folder)
        stack.callback(panel.stop)
        panel.wait("/readyz")
        system = System(sandbox, panel, env, folder)
        system.fill()
        yield system
