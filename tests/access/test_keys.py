"""API keys, webhook secrets and launch secrets: told once, two live, revoked for good."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from access.keys import (
    ApiKey,
    Hashed,
    Issued,
    LaunchSecret,
    TwoAreLive,
    WebhookSecret,
    digest,
    last_used,
)
from database.encryption import DecryptionFailed
from stores.models import Installation
from tests.support.waiting import until

pytestmark = pytest.mark.django_db

KINDS = [ApiKey, WebhookSecret, LaunchSecret]
HASHED = [ApiKey, WebhookSecret]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_hashed_kind = pytest.mark.parametrize("kind", HASHED, ids=lambda kind: kind.__name__)


@pytest.fixture
def elsewhere(db: None) -> Installation:
    return Installation.objects.create(id="elsewhere", name="Elsewhere")


def raw_row(kind: type[Issued]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {kind._meta.db_table}")
        return str(cursor.fetchone())


# Telling


@pytest.mark.database
@every_hashed_kind
def test_only_its_hash_and_its_beginning_are_kept(
    installation: Installation, kind: type[Hashed]
) -> None:
    secret = kind.issue(installation, label="Front of house")
    row = kind.objects.get()
    assert secret.startswith(kind.SCHEME)
    assert len(secret) == len(kind.SCHEME) + 43  # 256 bits
    assert (row.sha256, row.prefix) == (digest(secret), secret[: len(kind.SCHEME) + 6])
    assert secret not in raw_row(kind)
    assert str(row) == f"{row.prefix}… Front of house"


@pytest.mark.database
def test_a_launch_secret_is_kept_encrypted(installation: Installation, settings) -> None:
    issued = LaunchSecret.issue(installation, label="Tills")
    assert len(issued.secret.encode()) >= 32
    assert LaunchSecret.objects.get().secret == issued.secret
    assert issued.secret not in raw_row(LaunchSecret)
    assert str(issued) == f"{issued.kid} Tills"
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(DecryptionFailed):
        LaunchSecret.objects.get()


def test_every_secret_is_another(installation: Installation, elsewhere: Installation) -> None:
    told = [kind.issue(place) for kind in HASHED for place in (installation, elsewhere)]
    launches = [LaunchSecret.issue(place) for place in (installation, elsewhere)]
    told += [launch.secret for launch in launches] + [launch.kid for launch in launches]
    assert len(set(told)) == 8


# Finding


@pytest.mark.database
@every_hashed_kind
def test_it_is_found_with_its_installation_by_one_read(
    installation: Installation, kind: Any, django_assert_num_queries: Callable[[int], Any]
) -> None:
    kind.issue(installation)
    secret = kind.issue(installation)
    with django_assert_num_queries(1) as asked:
        found = kind.of_secret(secret)
        assert found.installation.name == "Quill & Thread"
    assert found == kind.objects.get(slot=2)
    assert asked[0]["sql"].startswith("SELECT")


ASTRAY = ["", "lp_", "x", "{secret}x", "{half}", "{sha256}", "{prefix}", " {secret}", "é", "\0"]


@pytest.mark.database
@every_hashed_kind
@pytest.mark.parametrize("given", ASTRAY)
def test_nothing_else_finds_it(installation: Installation, kind: Any, given: str) -> None:
    secret = kind.issue(installation)
    row = kind.objects.get()
    given = given.format(secret=secret, half=secret[:20], sha256=row.sha256, prefix=row.prefix)
    assert kind.of_secret(given) is None
    assert kind.of_secret(secret) == row


def test_a_secret_of_one_kind_is_none_of_the_other(installation: Installation) -> None:
    assert ApiKey.of_secret(WebhookSecret.issue(installation)) is None
    assert WebhookSecret.of_secret(ApiKey.issue(installation)) is None


@every_hashed_kind
def test_none_is_found_of_a_disabled_installation(installation: Installation, kind: Any) -> None:
    secret = kind.issue(installation)
    assert kind.of_secret(secret)
    Installation.objects.update(is_active=False)
    assert kind.of_secret(secret) is None


@pytest.mark.database
def test_a_launch_secret_is_found_by_its_key_id_at_its_installation(
    installation: Installation,
    elsewhere: Installation,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    issued = LaunchSecret.issue(installation)
    with django_assert_num_queries(1):
        found = LaunchSecret.of_kid(issued.kid, "shop")
        assert found and found.installation == installation
    assert found.secret == issued.secret
    assert LaunchSecret.of_kid(issued.kid, elsewhere.id) is None
    assert LaunchSecret.of_kid("made-up", "shop") is None
    Installation.objects.update(is_active=False)
    assert LaunchSecret.of_kid(issued.kid, "shop") is None


# Two live ones


@pytest.mark.database
@every_kind
def test_a_third_is_refused_with_what_to_do(
    installation: Installation, elsewhere: Installation, kind: Any
) -> None:
    kind.issue(installation)
    kind.issue(installation)
    kind.issue(elsewhere)
    with pytest.raises(TwoAreLive, match=r"Quill & Thread has two live .* Revoke the one"):
        kind.issue(installation)
    assert kind.objects.filter(installation=installation).count() == 2


@pytest.mark.database
@every_kind
def test_a_revoked_one_makes_room_for_the_next(installation: Installation, kind: Any) -> None:
    for _ in range(3):
        kind.issue(installation)
        kind.issue(installation)
        for row in kind.objects.filter(revoked_at=None):
            assert row.revoke()
    assert list(kind.objects.values_list("slot", flat=True).order_by("id")) == [1, 2] * 3


@pytest.mark.database
@every_hashed_kind
def test_the_other_one_goes_on_when_one_is_revoked(installation: Installation, kind: Any) -> None:
    old, new = kind.issue(installation), kind.issue(installation)
    kind.of_secret(old).revoke()
    assert kind.of_secret(old) is None
    assert kind.of_secret(new)


def test_a_revoked_launch_secret_is_not_found(installation: Installation) -> None:
    issued = LaunchSecret.issue(installation)
    issued.revoke()
    assert LaunchSecret.of_kid(issued.kid, "shop") is None


@pytest.mark.database
def test_a_revoked_launch_secret_is_kept_no_longer(installation: Installation) -> None:
    issued, other = LaunchSecret.issue(installation), LaunchSecret.issue(installation)
    issued.revoke()
    assert LaunchSecret.objects.get(kid=issued.kid).secret == ""
    assert LaunchSecret.objects.get(kid=other.kid).secret == other.secret


@every_kind
def test_it_is_revoked_once(installation: Installation, kind: Any) -> None:
    kind.issue(installation)
    row = kind.objects.get()
    assert row.revoke()
    at = kind.objects.get().revoked_at
    assert not row.revoke()
    assert kind.objects.get().revoked_at == at


@pytest.mark.database
@every_kind
@pytest.mark.parametrize("slot", [1, 2])
def test_the_database_keeps_one_live_one_in_a_slot(
    installation: Installation, kind: Any, slot: int
) -> None:
    kind.issue(installation)
    kind.issue(installation)
    with pytest.raises(IntegrityError, match=r"a_slot_holds_one_live|UNIQUE.*slot"):
        insert(kind, installation, slot)


@pytest.mark.database
@every_kind
@pytest.mark.parametrize("slot", [0, 3])
def test_the_database_keeps_no_third_slot(installation: Installation, kind: Any, slot: int) -> None:
    with pytest.raises(IntegrityError, match="an_installation_has_two_slots_for"):
        insert(kind, installation, slot)
    insert(kind, installation, 1)
    assert kind.objects.count() == 1


def insert(kind: type[Issued], installation: Installation, slot: int) -> None:
    row = kind(installation=installation, slot=slot)
    row.make_secret()
    with transaction.atomic():
        row.save()


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
@every_kind
def test_of_many_issued_at_once_two_are_live(kind: Any) -> None:
    installation = Installation.objects.create(id="shop", name="Quill & Thread")
    start = Barrier(6, timeout=20)

    def issue(_number: int) -> bool:
        start.wait()
        try:
            return bool(kind.issue(installation))
        except TwoAreLive:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as managers:
        issued = list(managers.map(issue, range(6)))
    assert sum(issued) == 2
    assert set(kind.objects.values_list("slot", flat=True)) == {1, 2}
    assert kind.objects.count() == 2


# When it was last used


@pytest.fixture
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_used, "_noted", {})


@pytest.mark.database
@pytest.mark.usefixtures("_nothing_noted")
def test_uses_are_written_in_one_batch(
    installation: Installation, django_assert_num_queries: Callable[[int], Any]
) -> None:
    secrets = [kind.issue(installation) for kind in HASHED for _ in range(2)]
    used = [secrets[0], secrets[2], secrets[0]]
    with django_assert_num_queries(3) as asked:
        assert ApiKey.of_secret(used[0]) == ApiKey.of_secret(used[2])
        assert WebhookSecret.of_secret(used[1])
    assert {query["sql"][:6] for query in asked} == {"SELECT"}
    with django_assert_num_queries(2):
        assert last_used.write() == 2
    for kind in HASHED:
        first, second = kind.objects.order_by("slot")
        assert first.last_used_at >= first.created_at
        assert second.last_used_at is None


@pytest.mark.usefixtures("_nothing_noted")
def test_of_launches_the_last_is_noted_once_an_hour(installation: Installation) -> None:
    kid = LaunchSecret.issue(installation).kid
    written = []
    for ago in (timedelta(0), timedelta(minutes=59), timedelta(minutes=61)):
        LaunchSecret.objects.update(last_used_at=F("last_used_at") - ago)
        assert LaunchSecret.of_kid(kid, "shop")
        written.append(last_used.write())
    assert written == [1, 0, 1]
    assert LaunchSecret.objects.get().was_just_used()


@pytest.mark.usefixtures("_nothing_noted")
def test_what_opened_nothing_is_not_noted(installation: Installation) -> None:
    secret = ApiKey.issue(installation)
    ApiKey.of_secret("lp_made-up")
    ApiKey.objects.get().revoke()
    ApiKey.of_secret(secret)
    assert last_used.write() == 0


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_nothing_noted")
def test_uses_are_written_by_themselves_after_a_while(settings) -> None:
    settings.LAST_USED_SECONDS = 0.01
    secret = ApiKey.issue(Installation.objects.create(id="shop", name="Quill & Thread"))
    ApiKey.of_secret(secret)
    until(ApiKey.objects.exclude(last_used_at=None).exists, "the use is written")
