"""Real server processes for tests: the web server with a database of its own."""

import fcntl
import functools
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

from sandbox.control import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 60
KEPT = ("PATH", "HOME", "LANG")
# Short, so that tests of lost answers take seconds.
ENGINE = {"ENGINE_DEADLINE_SECONDS": "2", "ENGINE_SETTLE_SECONDS": "3"}


def environment(sandbox: Sandbox, database_url: str, **extra: str) -> dict[str, str]:
    """A demo installation whose engine is the sandbox."""
    keep = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **keep,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOYALTY_MODE": "demo",
        # A test that empties a pool is followed by others, for which the sandbox fills it again.
        "EMPTY_POOLS_SECONDS": "0",
        "DATABASE_URL": database_url,
        "YOTPO_BASE_URL": sandbox.base_url,
        "YOTPO_GUID": sandbox.guid,
        "YOTPO_API_KEY": sandbox.api_key,
        **ENGINE,
        **extra,
    }


def manage(env: Mapping[str, str], *words: str) -> str:
    """Run a management command to its end; its output, or an error with it."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Database:
    """A database of its own for a server: a SQLite file, or one on the PostgreSQL of the tests."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement with `?` for its values; its rows, if it has any."""
        if self.is_sqlite:
            path = self.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
                return connection.execute(statement, values).fetchall()
        with psycopg.connect(self.url) as server:
            cursor = server.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def moment(self, ahead: timedelta = timedelta(0)) -> object:
        """So far from now, as the database stores it."""
        at = datetime.now(UTC) + ahead
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self.is_sqlite else at

    def clear(self) -> None:
        """No redemption is left over from another test, and points go at once."""
        self.execute("DELETE FROM redemptions_pendingredemption")
        self.delay_points(False)

    def delay_points(self, delayed: bool) -> None:
        """Whether points go with the order, everywhere."""
        self.execute("UPDATE stores_installation SET delayed_deduction = ?", delayed)

    def states(self) -> list[str]:
        rows = self.execute("SELECT state FROM redemptions_pendingredemption ORDER BY requested_at")
        return [str(row[0]) for row in rows]


@contextmanager
def sqlite_database(folder: Path, *, seeded: bool = True) -> Iterator[Database]:
    """A file of its own, as `seed_demo` leaves it; not there yet unless `seeded`."""
    file = folder / f"{uuid.uuid4().hex}.sqlite3"
    if seeded:
        shutil.copy(seeded_file(), file)
    yield Database(f"sqlite:///{file}")


@contextmanager
def postgres_database() -> Iterator[Database]:
    """One with a name of its own, as `seed_demo` leaves it; POSTGRES_URL names the server."""
    server = os.environ["POSTGRES_URL"]
    name = f"panel_{uuid.uuid4().hex[:12]}"
    on_server(server, "CREATE DATABASE {} TEMPLATE {}", name, seeded_name(server))
    yield Database(urlunsplit(urlsplit(server)._replace(path=f"/{name}")))
    on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


# Making all tables takes seconds, copying them none: whoever needs one first makes it for all.


@functools.cache
def shared_folder() -> tuple[Path, object]:
    """Of all processes of a run, which `make test` names; else this one's. What keeps it beside."""
    told = os.environ.get("TESTS_SHARED_DIR")
    if told:
        return Path(told), None
    own = TemporaryDirectory()
    return Path(own.name), own


@contextmanager
def one_at_a_time(what: str) -> Iterator[Path]:
    """Of all processes of a run; the others wait. Yields a file that is there once it is made."""
    folder, _ = shared_folder()
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield folder / what


@functools.cache
def seeded_file() -> Path:
    with one_at_a_time("seeded.sqlite3") as made:
        if not made.exists():
            being_made = made.with_suffix(".new")
            seed(f"sqlite:///{being_made}")
            being_made.rename(made)
    return made


@functools.cache
def seeded_name(server: str) -> str:
    with one_at_a_time("seeded-postgres") as made:
        if not made.exists():
            name = f"seeded_{uuid.uuid4().hex[:12]}"
            on_server(server, "CREATE DATABASE {}", name)
            seed(urlunsplit(urlsplit(server)._replace(path=f"/{name}")))
            made.write_text(name)
        return made.read_text()


def seed(url: str) -> None:
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    manage({**env, "LOYALTY_MODE": "demo", "DATABASE_URL": url}, "seed_demo", "--migrate")


def on_server(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Panel:
    """gunicorn with the panel, on a free port of loopback."""

    def __init__(self, env: dict[str, str], database: Database, log: Path) -> None:
        self.env = env
        self.database = database
        self.log = log
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, workers: int = 1, threads: int = 16, port: int = 0) -> None:
        # gunicorn picks the port itself (0) and tells it in its log: no gap for another process.
        words = ["-m", "gunicorn", "loyalty_panel.wsgi", "--worker-class", "gthread"]
        words += ["--workers", str(workers), "--threads", str(threads), "--no-control-socket"]
        words += ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "3", "--keep-alive", "75"]
        already = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.url = self._await_ready(already)

    def _await_ready(self, already: int) -> str:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            assert self._process and self._process.poll() is None, self.log.read_text()
            told = self.log.read_bytes()[already:].decode()
            url = told.partition("Listening at: ")[2].partition(" ")[0]
            if url and self._answers(url):
                return url
            time.sleep(0.05)
        raise AssertionError(f"The panel did not start: {self.log.read_text()}")

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            return requests.get(f"{url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def signal(self, number: int) -> None:
        """To the server and all its workers."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def address(self) -> str:
        return f"{self.url}/panel/demo/"


@contextmanager
def running_panel(
    sandbox: Sandbox, database: Database, log: Path, *, workers: int = 1, **extra: str
) -> Iterator[Panel]:
    """Serving a demo."""
    env = environment(sandbox, database.url, **extra)
    panel = Panel(env, database, log)
    try:
        panel.start(workers=workers)
        yield panel
    finally:
        panel.stop()
