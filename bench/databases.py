"""The databases of a benchmark: SQLite files, or a PostgreSQL server whose commits are durable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from needs import POSTGRES
from with_postgres import temporary_postgres

NAMES = ("sqlite", "postgres")
NewDatabase = Callable[[str], str]


@contextmanager
def new_databases(kind: str, folder: Path) -> Iterator[NewDatabase]:
    """Makes an empty database of that name and gives its URL.

    Raises RuntimeError where PostgreSQL is not there and could not be installed.
    """
    if kind == "sqlite":
        yield lambda name: f"sqlite:///{folder / name}.sqlite3"
        return
    programs = POSTGRES.provide()
    if programs is None:
        raise RuntimeError("PostgreSQL is needed for this benchmark.")
    with temporary_postgres(programs, folder / "postgres.log", durable=True) as server:
        yield lambda name: made(server, name)


def made(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
