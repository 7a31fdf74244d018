"""SQLite's writers queue up for their turn, of one process and of several."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from database.turns import Turn, turn_of
from stores.models import Installation

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="PostgreSQL lets many write side by side"
    ),
]

HOLD = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """Another thread with a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(lambda: connection.close()).result()  # noqa: PLW0108 - that thread's


def rename(name: str) -> None:
    Installation.objects.filter(pk="shop").update(name=name)


def name_now() -> str:
    return Installation.objects.get(pk="shop").name


def is_waiting(done: "Future[None]") -> bool:
    try:
        done.result(0.2)
    except TimeoutError:
        return True
    return False


def test_who_writes_waits_for_the_end_of_a_transaction(installation, other):
    with transaction.atomic():
        rename("first")
        done = other.submit(rename, "second")
        assert is_waiting(done)
        assert name_now() == "first"
    done.result(10)
    assert name_now() == "second"


def test_who_reads_waits_for_nobody(installation, other):
    with transaction.atomic():
        rename("not yet")
        assert other.submit(name_now).result(10) == installation.name


def test_a_turn_ends_with_a_transaction_ended_by_a_statement(installation, other):
    for last in ("COMMIT", "ROLLBACK"):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute(last)
        other.submit(rename, last).result(10)


def test_a_turn_ends_with_what_failed(installation, other):
    with pytest.raises(IntegrityError):
        Installation.objects.create(id="shop", name="again")
    with transaction.atomic():
        rename("rolled back")
        transaction.set_rollback(True)
    other.submit(rename, "after").result(10)
    assert name_now() == "after"


def test_a_turn_ends_with_its_connection(installation, other):
    def break_off() -> None:
        with transaction.atomic():
            rename("lost")
            connection.close()

    other.submit(break_off).result(10)
    rename("kept")
    assert name_now() == "kept"


def test_who_waits_too_long_is_told_as_by_sqlite(installation, other):
    def impatient() -> None:
        connection.ensure_connection()
        connection.connection.longest_wait = 0.05
        rename("never")

    with transaction.atomic():
        rename("first")
        with pytest.raises(OperationalError, match="locked"):
            other.submit(impatient).result(10)


def test_other_processes_are_waited_for(installation, other):
    beside = f"{connection.settings_dict['NAME']}-turn"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, beside],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    done = other.submit(rename, "after the other")
    assert is_waiting(done)
    holder.communicate()
    done.result(10)


def test_a_forked_process_has_a_turn_of_its_own(tmp_path: Path):
    turn = turn_of(str(tmp_path / "file.sqlite3"))
    turn.take(1)
    child = os.fork()
    if child == 0:
        turn.take(20)  # which comes when the parent has given its own back
        os._exit(0)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    turn.give_back()
    assert os.waitpid(child, 0)[1] == 0


def test_nobody_is_overtaken_for_ever(tmp_path: Path):
    """Each of many who come again and again gets its turns, in the time that a writer waits."""
    turn, taken = Turn(tmp_path / "turn"), [0] * 8
    until = time.monotonic() + 20

    def come_again(number: int) -> None:
        while min(taken) < 5 and time.monotonic() < until:
            turn.take(20)
            taken[number] += 1
            turn.give_back()
            # As who has something else to do before the next one.
            sqlite3.connect(":memory:").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_again, range(8)))
    assert min(taken) >= 5
