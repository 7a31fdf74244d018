"""A prepared question gives what its queryset gives, without being compiled again."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Bearer
from database.prepared import Prepared
from members.models import Member
from redemptions.models import PendingRedemption, open_for
from stores.models import Associate, Installation, Till

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def tills_of(code: str) -> QuerySet[Till]:
    return Till.objects.filter(code=code).select_related("store__installation")


def test_it_gives_the_rows_of_its_queryset(till: Till) -> None:
    prepared = Prepared(tills_of, blank="")
    for code in (till.code, "never", till.code):
        assert prepared.ask(code) == list(tills_of(code))


def test_related_rows_come_with_it(till: Till) -> None:
    prepared = Prepared(tills_of, blank="")
    with CaptureQueriesContext(connection) as queries:
        [found] = prepared.ask(till.code)
        assert found.store.installation.name == "Quill & Thread"
        assert found.store.installation.created_at.tzinfo is not None
    assert len(queries) == 1


def test_every_asking_reads_anew(till: Till) -> None:
    prepared = Prepared(tills_of, blank="")
    first, second = prepared.ask(till.code)[0], prepared.ask(till.code)[0]
    assert first is not second
    Till.objects.update(name="Till of old")
    assert prepared.ask(till.code)[0].name == "Till of old"
    Till.objects.all().delete()
    assert prepared.ask(till.code) == []


def test_it_is_compiled_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    as_sql = SQLCompiler.as_sql
    monkeypatch.setattr(
        SQLCompiler, "as_sql", lambda self, *a, **k: compiled.append(1) or as_sql(self, *a, **k)
    )
    prepared = Prepared(tills_of, blank="")
    for _ in range(3):
        assert prepared.ask(till.code) == [till]
    with ThreadPoolExecutor(1) as another_thread:
        another_thread.submit(prepared.ask, "never").result()
        another_thread.submit(connections.close_all).result()
    assert len(compiled) == 1


def test_a_uuid_is_asked_for_as_the_database_keeps_it(mara: Member, bea_and_ben: None) -> None:
    prepared = Prepared(
        lambda member_id: Member.objects.filter(id=member_id).values_list("id", flat=True),
        blank=uuid.UUID(int=0),
    )
    assert prepared.ask(mara.id) == [mara.id]
    assert prepared.ask(uuid.uuid4()) == []


@pytest.fixture
def bea_and_ben() -> None:
    for name in ("bea", "ben"):
        Member.objects.seen(f"{name}@example.com")


def test_what_only_looks_like_the_blank_stays(installation: Installation) -> None:
    """A value that stands in the question itself is none to be filled in."""
    Associate.objects.create(installation=installation, code="x", name="Ana", role="manager")
    prepared = Prepared(
        lambda code: Associate.objects.filter(role="manager", code=code), blank="(blank)"
    )
    assert [found.name for found in prepared.ask("x")] == ["Ana"]
    assert prepared.ask("manager") == []


def test_deferred_columns_are_read_when_they_are_needed(mara: Member, till: Till) -> None:
    row = PendingRedemption.objects.create(
        installation=till.store.installation,
        till=till,
        member=mara,
        act_key="k",
        offer_id=1,
        offer_name="$5 off",
        offer_kind="fixed",
        points=500,
        currency="USD",
    )
    [found] = Prepared(open_for, blank=uuid.UUID(int=0)).ask(mara.id)
    assert (found, found.points, found.act_key) == (row, 500, "k")


@pytest.mark.django_db(transaction=True)
def test_threads_ask_over_their_own_connections(till: Till, ana: Associate) -> None:
    tokens = [Bearer.issue(till, ana) for _ in range(20)]

    def associate_of(token: str) -> str:
        try:
            found = Bearer.of_token(token, till.store.installation_id, timezone.now())
            return found.associate.name if found else ""
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(associate_of, tokens * 5)) == ["Ana Pardo"] * 100
