"""When the engine is out of reach, what it said last is shown, with its age."""

import pytest
from django.core.management import call_command
from django.db import connection

from connectors.errors import NotFound, Unavailable
from members.identity import Email, Phone
from members.last_known import batch, find_or_recall, recall
from members.models import LastKnown

pytestmark = [pytest.mark.django_db, pytest.mark.database]
MARA = Email("mara@example.com")
MARAS_PHONE = Phone("+14155550123")
FAMILY_PHONE = Phone("+19195550111")


@pytest.fixture(autouse=True)
def _empty_batch(monkeypatch):
    """Without what other tests of this process left: their members are gone."""
    monkeypatch.setattr(batch, "_noted", {})


def break_down(sandbox) -> None:
    sandbox.fault("*", "drop_before", times=None)


@pytest.mark.parametrize("identity", [MARA, MARAS_PHONE], ids=["email", "phone"])
def test_the_last_known_figures_are_recalled(engine, sandbox, identity):
    before = find_or_recall(engine, MARA)
    batch.write()
    break_down(sandbox)

    known = find_or_recall(engine, identity)

    assert (known.live, known.points_balance, known.id) == (False, 640, before.id)
    assert known.as_of == before.as_of
    assert (known.name, known.tier, known.expiring) == (before.name, before.tier, before.expiring)
    assert known.why_not == "engine_down"


def test_the_newest_figures_win(engine, sandbox):
    find_or_recall(engine, MARA)
    batch.write()
    sandbox.adjust(MARA.address, 10)
    find_or_recall(engine, MARA)
    batch.write()

    assert recall(MARA).points_balance == 650
    assert LastKnown.objects.count() == 1


def test_a_family_phone_recalls_one_person(engine, sandbox):
    shown = find_or_recall(engine, FAMILY_PHONE)
    batch.write()
    break_down(sandbox)

    assert find_or_recall(engine, FAMILY_PHONE).id == shown.id


def test_nothing_known_is_told_as_unavailable(engine, sandbox):
    break_down(sandbox)

    with pytest.raises(Unavailable):
        find_or_recall(engine, MARA)


def test_someone_whom_the_engine_does_not_know_is_not_recalled(engine, sandbox, monkeypatch):
    find_or_recall(engine, MARA)
    batch.write()

    def unknown(**_asked):
        raise NotFound("yotpo", "GET", "/customers")

    monkeypatch.setattr(engine, "customer", unknown)
    with pytest.raises(NotFound):
        find_or_recall(engine, MARA)


def test_a_look_up_writes_no_figures_by_itself(engine, django_assert_num_queries):
    find_or_recall(engine, MARA)

    assert not LastKnown.objects.exists()
    assert batch.write() == 1
    assert LastKnown.objects.exists()


def test_the_figures_are_encrypted_at_rest(engine):
    find_or_recall(engine, MARA)
    batch.write()

    with connection.cursor() as cursor:
        cursor.execute("SELECT figures, phone_index FROM members_lastknown")
        row = cursor.fetchone()
    assert not any(secret in str(row) for secret in ("Mara", "Quill", "mara@", "5550123"))


def test_new_keys_keep_the_figures(engine, settings):
    from database.encryption import keys

    find_or_recall(engine, MARA)
    batch.write()
    new = "bmV3LWtleS1mb3ItdGhlLXRlc3RzLW9mLXJvdGF0aW8="
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    settings.BLIND_INDEX_KEY = "another-blind-index-key-of-enough-length"
    call_command("rotate_keys")
    settings.ENCRYPTION_KEYS = [new]
    keys.cache_clear()

    assert recall(MARAS_PHONE).points_balance == 640


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_written_by_itself_after_a_while(engine, settings):
    from tests.support.waiting import until

    settings.LAST_KNOWN_SECONDS = 0.01
    find_or_recall(engine, MARA)

    until(LastKnown.objects.exists, "the batch is written")
