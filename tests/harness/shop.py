"""A whole deployment to be maltreated: sandbox, web processes, workers, one database."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.control import Sandbox
from tests.support.servers import ROOT, Database, Panel, environment

# Short, so that a lost answer is settled in seconds; a till's real ones are 10 and 120.
DEADLINE_SECONDS = 1.5
SETTLE_SECONDS = 4.0
WEB_PROCESSES = 4
WORKERS = 2
# Longer than a run: a lease ends where a history says so.
UNASKED = timedelta(hours=1)
INSTALLATION = "harness"
# Another, whose points go with the order. Its orders bear this before the sales' ids.
DELAYED, DELAYED_PREFIX = "later", "D-"
SETTINGS = {
    "ENGINE_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
    "ENGINE_SETTLE_SECONDS": str(SETTLE_SECONDS),
    # What is limited here is the machine.
    "YOTPO_RATE_PER_SECOND": "1000",
    "API_RATE_PER_SECOND": "10000",
    "API_BURST": "10000",
    "WEBHOOK_RATE_PER_SECOND": "10000",
    "WEBHOOK_BURST": "10000",
}
# A folder made by `make_ready`, in the environment.
READY_MADE = "HARNESS_READY_MADE"
# In one process: starting one costs more than either. Orders bear the sales' own ids.
SET_UP = """
import sys, django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
from stores.models import Installation
Installation.objects.filter(order_prefix="").update(order_prefix="demo-")
for number in range(2):
    call_command("create_installation", *sys.argv[1 + number].split("|"))
Installation.objects.filter(pk="later").update(delayed_deduction=True)
"""
# One that did not end in this time is run again; nobody waits for a killed one that long here.
JOB_IS_DEAD_AFTER = timedelta(seconds=60)


class Worker:
    """`manage.py run_worker`, in a process of its own."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._env, self.log = env, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "run_worker"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0


class Shop:
    """What a history and the oracle can reach of the deployment."""

    def __init__(
        self,
        sandbox: Sandbox,
        database: Database,
        panel: Panel,
        workers: list[Worker],
        *,
        keys: list[str],
        keyed_orders: bool,
    ) -> None:
        self.sandbox, self.database, self.panel = sandbox, database, panel
        self.workers, self.keyed_orders = workers, keyed_orders
        self.api_key, self.delayed_api_key, secret = keys
        # What the engine tells comes to one address, whichever till it is about.
        sandbox.tell(f"{panel.url}/webhooks/yotpo/{INSTALLATION}/{secret}/all", secret)
        self.worker_log = workers[0].log
        self.workers_died_at: list[datetime] = []

    def web_pids(self) -> list[int]:
        """gunicorn's workers; it starts another for one that dies."""
        process = self.panel._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill_web(self, *pids: int) -> None:
        """These, or else all."""
        for pid in pids or self.web_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_worker(self, worker: Worker) -> None:
        """Another takes its place at once."""
        self.workers_died_at.append(datetime.now(UTC))
        worker.kill()
        worker.start()
        self.free_dead_jobs()

    def moment(self, ahead: timedelta = timedelta(0)) -> object:
        return self.database.moment(ahead)

    @property
    def is_sqlite(self) -> bool:
        return self.database.is_sqlite

    def free_dead_jobs(self) -> None:
        """A killed worker's periodic jobs count as dead now, not in a minute."""
        self.database.execute(
            "UPDATE outbox_periodicjob SET began_at = ? WHERE ended_slot <> slot AND began_at < ?",
            self.moment(-JOB_IS_DEAD_AFTER),
            self.moment(timedelta(seconds=-5)),
        )


@contextmanager
def running_shop(
    database: Database,
    folder: Path,
    *,
    name: str,
    keyed_orders: bool = True,
    web_processes: int = WEB_PROCESSES,
    worker_processes: int = WORKERS,
) -> Iterator[Shop]:
    """Migrated and serving. Logs go to `folder`.

    Without `keyed_orders` the engine takes an order or a refund twice, and our settings say so.
    """
    with Sandbox.start(rate=None) as sandbox:
        sandbox.switch(orders_idempotent=keyed_orders, refunds_idempotent=keyed_orders)
        keys = {"ENGINE_KEYS_ORDERS": str(int(keyed_orders))}
        env = environment(sandbox, database.url, **SETTINGS, **keys)
        keys_of = set_up(env)
        panel = Panel(env, database, folder / f"harness-web-{name}.log")
        workers = [
            Worker(env, folder / f"harness-worker-{name}.log") for _ in range(worker_processes)
        ]
        try:
            for worker in workers:
                worker.start()
            panel.start(workers=web_processes)
            yield Shop(sandbox, database, panel, workers, keys=keys_of, keyed_orders=keyed_orders)
        finally:
            for worker in workers:
                worker.kill()  # all has ended, or will not
            panel.stop()


def set_up(env: dict[str, str]) -> list[str]:
    """Tables and two installations; gives their API keys and the first one's webhook secret."""
    ready = os.environ.get(READY_MADE)
    if ready:
        shutil.copy(Path(ready, "db.sqlite3"), env["DATABASE_URL"].removeprefix("sqlite:///"))
        return Path(ready, "key").read_text().split()
    return set_up_anew(env)


def make_ready(folder: Path) -> None:
    """A SQLite database for many shops, made once: name the folder in READY_MADE."""
    with Sandbox.start(rate=None) as sandbox:
        env = environment(sandbox, f"sqlite:///{folder / 'db.sqlite3'}", **SETTINGS)
        (folder / "key").write_text("\n".join(set_up_anew(env)))


def set_up_anew(env: dict[str, str]) -> list[str]:
    words = ["Harness", "--pos", "generic", "--origin", "http://127.0.0.1", "--json"]
    words += ["--unasked-reverse-minutes", str(UNASKED.seconds // 60), "--id"]
    made = [[*words, INSTALLATION], [*words, DELAYED, "--order-prefix", DELAYED_PREFIX]]
    done = subprocess.run(
        [sys.executable, "-c", SET_UP, *map("|".join, made)],
        cwd=ROOT,
        env={**env, "DJANGO_SETTINGS_MODULE": "loyalty_panel.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    return [first["api_key"], second["api_key"], first["webhook_secret"]]


def output_folder() -> Path:
    folder = Path(os.environ.get("TEST_OUTPUT_DIR", ROOT / "var" / "harness"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
