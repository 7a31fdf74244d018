"""A PostgreSQL of its own for the tests: a new cluster in a temporary folder, gone afterwards.

Also for one command by hand: python scripts/with_postgres.py pytest -m database
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from needs import POSTGRES
from ports import LOOPBACK, any_free

USER = "postgres"
DATABASE = "loyalty_panel"
READY_WITHIN_SECONDS = 30

# The server and its folder go when the pipe on standard input closes, which it does however its
# owner ends. On SIGINT PostgreSQL drops its sessions and stops.
SUPERVISE = 'folder=$1; shift; "$@" & read -r _; kill -INT $!; wait $!; rm -rf "$folder"'

# The data is thrown away: nothing has to survive a crash.
CARELESS = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]

# Rows that tests offer to a constraint hold names, and no log of ours may hold one.
DISCREET = ["-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse"]


@contextmanager
def temporary_postgres(programs: Path, log: Path, *, durable: bool = False) -> Iterator[str]:
    """The URL of a running server's empty database; `programs` is the folder of initdb.

    `durable`: its commits wait for the disk, as in production.
    """
    password = secrets.token_hex(16)
    port = any_free()
    settings = DISCREET if durable else [*CARELESS, *DISCREET]
    with log.open("a") as output, supervised(programs, port, password, settings, output.fileno()):
        create_database(programs, port, password)
        yield f"postgres://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}"


@contextmanager
def supervised(
    programs: Path, port: int, password: str, settings: list[str], output: int
) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="loyalty-panel-postgres-"))
    try:
        make_cluster(programs, folder, password, output)
    except BaseException:
        shutil.rmtree(folder)
        raise
    supervisor = subprocess.Popen(
        ["sh", "-c", SUPERVISE, "sh", folder, *server(programs, folder, port), *settings],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C is for the tests; the server goes after them
        **as_server_user(),
    )
    try:
        yield
    finally:
        supervisor.communicate()


def make_cluster(programs: Path, folder: Path, password: str, output: int) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
        shutil.chown(password_file, USER)
    place = ["-D", str(folder / "data"), "--encoding", "UTF8", "--locale", "C"]
    access = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", str(password_file)]
    subprocess.run(
        [programs / "initdb", "--no-sync", *place, *access],
        check=True,
        stdout=output,
        stderr=output,
        **as_server_user(),
    )


def server(programs: Path, folder: Path, port: int) -> list[str]:
    place = ["-D", str(folder / "data"), "-h", LOOPBACK, "-p", str(port), "-k", ""]
    return [str(programs / "postgres"), *place, "-c", "max_connections=200"]


def as_server_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    if os.geteuid() != 0:
        return {}
    return {"user": USER, "group": USER, "extra_groups": [], "cwd": "/"}


def create_database(programs: Path, port: int, password: str) -> None:
    """Succeeds as soon as the server answers."""
    createdb = [str(programs / "createdb"), "-h", LOOPBACK, "-p", str(port), "-U", USER, DATABASE]
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        tried = subprocess.run(
            createdb, check=False, capture_output=True, text=True, env={"PGPASSWORD": password}
        )
        if tried.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not start: {tried.stderr.strip()}")
        time.sleep(0.1)


def main() -> int:
    programs = POSTGRES.provide()
    if programs is None:
        return 1
    with temporary_postgres(programs, Path(os.devnull)) as url:
        env = {**os.environ, "DATABASE_URL": url, "POSTGRES_URL": url}
        return subprocess.run(sys.argv[1:], check=False, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
