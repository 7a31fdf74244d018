import json
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from loyalty_panel import health
from tests.loyalty_panel.processes import ask

NO_TABLES = {
    "status": "unready",
    "reason": "migrations",
    "do": "python manage.py migrate",
}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that just began."""
    monkeypatch.setattr(health, "_migrated", [])


def test_a_live_process_says_so_without_asking_the_database() -> None:
    # No mark for the database: pytest-django would refuse a query.
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_never_cached(db: None, path: str) -> None:
    assert "no-store" in Client().get(path)["Cache-Control"]


@pytest.mark.parametrize(
    "host", ["192.0.2.7", "192.0.2.7:8000", "[2001:db8::7]", "evil.example", "!"]
)
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_answered_whatever_the_host_is_called(db: None, path: str, host: str) -> None:
    assert Client().get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/x", "//healthz", "/"])
def test_no_other_address_answers_to_any_host(path: str) -> None:
    assert Client().get(path, headers={"Host": "192.0.2.7"}).status_code == 400


@pytest.mark.database
def test_a_migrated_database_is_ready(db: None) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.database
def test_a_migration_that_is_not_applied_is_not_ready(db: None) -> None:
    [newest] = MigrationExecutor(connection).loader.graph.leaf_nodes("redemptions")
    MigrationRecorder(connection).record_unapplied(*newest)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (503, NO_TABLES)
    MigrationRecorder(connection).record_applied(*newest)
    assert Client().get("/readyz").status_code == 200


def test_once_ready_the_migrations_are_not_looked_up_again(
    db: None, django_assert_num_queries
) -> None:
    Client().get("/readyz")
    with django_assert_num_queries(1):
        assert Client().get("/readyz").status_code == 200


def demo(url: str) -> dict[str, str]:
    return {"LOYALTY_MODE": "demo", "DATABASE_URL": url}


QUESTIONS = ({"path": "/readyz"}, {"path": "/healthz"})


def test_an_empty_database_is_not_ready(tmp_path: Path) -> None:
    ready, alive = ask(demo(f"sqlite:///{tmp_path / 'new.sqlite3'}"), *QUESTIONS)
    assert (ready[0], alive[0]) == (503, 200)
    assert json.loads(ready[2]) == NO_TABLES


def test_a_database_that_cannot_be_read_is_not_ready(tmp_path: Path) -> None:
    file = tmp_path / "torn.sqlite3"
    file.write_bytes(b"no database at all" * 100)
    ready, alive = ask(demo(f"sqlite:///{file}"), *QUESTIONS)
    assert (ready[0], alive[0]) == (503, 200)
    assert '"database"' in ready[2]
    assert str(file) not in ready[2]


@pytest.mark.slow
def test_a_database_server_that_is_away_is_not_ready() -> None:
    ready, alive = ask(demo("postgres://me:secret@127.0.0.1:1/panel"), *QUESTIONS)
    assert (ready[0], alive[0]) == (503, 200)
    assert "secret" not in ready[2]
