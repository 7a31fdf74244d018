"""The trail is only ever added to: not through a model, not through a query, not through SQL."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client

from audit import append_only
from audit.models import AppendOnly, Entry
from tests.support.servers import manage, sqlite_database

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def entry(db: None) -> Entry:
    return Entry.objects.create(
        act="till.changed", outcome="done", who_kind="machine", who="worker"
    )


def changed(entry: Entry) -> Entry:
    entry.who = "somebody else"
    return entry


WAYS: dict[str, Callable[[Entry], object]] = {
    "save": lambda entry: changed(entry).save(),
    "save of some fields": lambda entry: changed(entry).save(update_fields=["who"]),
    "delete": lambda entry: entry.delete(),
    "update": lambda entry: Entry.objects.update(who="somebody else"),
    "update of some": lambda entry: Entry.objects.filter(pk=entry.pk).update(who="x"),
    "bulk update": lambda entry: Entry.objects.bulk_update([changed(entry)], ["who"]),
    "bulk delete": lambda entry: Entry.objects.all().delete(),
    "delete of some": lambda entry: Entry.objects.filter(pk=entry.pk).delete(),
    "raw delete": lambda entry: Entry.objects.all()._raw_delete("default"),
    "update or create": lambda entry: Entry.objects.update_or_create(
        pk=entry.pk, defaults={"who": "x"}
    ),
    "upsert": lambda entry: Entry.objects.bulk_create(
        [changed(entry)], update_conflicts=True, unique_fields=["id"], update_fields=["who"]
    ),
    "the base manager": lambda entry: Entry._base_manager.update(who="x"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_no_way_of_the_orm_changes_or_deletes_an_entry(
    entry: Entry, way: Callable[[Entry], object]
) -> None:
    with pytest.raises(AppendOnly, match="Record another one"):
        way(entry)
    assert Entry.objects.get().who == "worker"


def test_an_entry_in_the_place_of_another_is_refused(entry: Entry) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Entry(id=entry.id, act="a.b", outcome="done", who_kind="machine", who="x").save()
    assert Entry.objects.get().who == "worker"


def test_more_entries_are_welcome(entry: Entry) -> None:
    fields = {"act": "a.b", "outcome": "done", "who_kind": "machine", "who": "x"}
    Entry.objects.bulk_create([Entry(**fields), Entry(**fields)])
    assert Entry.objects.count() == 3


# The database's own guard


@pytest.fixture
def _guarded(db: None) -> None:
    """As in every database but the tests' own (tests/conftest.py)."""
    append_only.run(append_only.remove_sql(connection.vendor), connection)
    append_only.run(append_only.install_sql(connection.vendor), connection)


COLUMNS = ", ".join(field.column for field in Entry._meta.concrete_fields)
STATEMENTS = {
    "update": "UPDATE audit_entry SET who = 'somebody else'",
    "delete": "DELETE FROM audit_entry",
    "replace": f"INSERT OR REPLACE INTO audit_entry ({COLUMNS}) SELECT {COLUMNS} FROM audit_entry",
    "upsert": f"INSERT INTO audit_entry ({COLUMNS}) SELECT {COLUMNS} FROM audit_entry WHERE true "
    "ON CONFLICT (id) DO UPDATE SET who = 'somebody else'",
    "truncate": "TRUNCATE audit_entry",
}
UNKNOWN = {"sqlite": {"truncate"}, "postgresql": {"replace"}}


@pytest.mark.usefixtures("_guarded")
@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_refuses_it_too(entry: Entry, statement: str) -> None:
    if statement in UNKNOWN[connection.vendor]:
        return
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(STATEMENTS[statement])
    assert Entry.objects.get().who == "worker"


def guards(cursor: Any) -> set[str]:
    cursor.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    # The task engine has triggers of its own.
    return {name for (name,) in cursor.fetchall() if name.startswith("audit_")}


GUARDS = {"sqlite": set(append_only.SQLITE), "postgresql": set(append_only.POSTGRES)}


def test_the_guards_can_be_taken_away_and_put_back() -> None:
    with connection.cursor() as cursor:
        append_only.run(append_only.remove_sql(connection.vendor), connection)
        assert guards(cursor) == set()
        append_only.run(append_only.install_sql(connection.vendor), connection)
        assert guards(cursor) == GUARDS[connection.vendor]


def test_all_migrations_leave_the_guards_in_place(tmp_path) -> None:
    """On SQLite in a database of its own: this one's were taken away."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            assert guards(cursor) == GUARDS["postgresql"]
        return
    with sqlite_database(tmp_path, seeded=False) as database:
        manage({**os.environ, "DATABASE_URL": database.url}, "migrate")
        named = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    assert {name for (name,) in named} == GUARDS["sqlite"]


# The admin


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def test_the_admin_finds_entries_by_what_they_are_about(client: Client, entry: Entry) -> None:
    fields = {"act": "till.changed", "outcome": "refused", "who_kind": "user", "who": "boss"}
    Entry.objects.create(**fields, subject_type="stores.till", subject_id="17", request_id="r-1")
    found = {
        term: client.get("/admin/audit/entry/", {"q": term}).context["cl"].result_count
        for term in ("17", "1", "r-1", "bos", "till.", "nothing")
    }
    assert found == {"17": 1, "1": 0, "r-1": 1, "bos": 1, "till.": 2, "nothing": 0}


@pytest.mark.parametrize("query", ["outcome__exact=refused", "act=till.changed", "q=17"])
def test_the_admin_opens_with_filters(client: Client, entry: Entry, query: str) -> None:
    assert client.get(f"/admin/audit/entry/?{query}").status_code == 200


def test_the_admin_shows_before_and_after(client: Client) -> None:
    entry = Entry.objects.create(
        act="till.changed",
        outcome="done",
        who_kind="machine",
        who="worker",
        before={"name": "Till 1"},
        after={"name": "Front door"},
    )
    page = client.get(f"/admin/audit/entry/{entry.pk}/change/").content.decode()
    assert "Till 1" in page
    assert "Front door" in page
    assert 'name="_save"' not in page
