"""Who may use the panel's addresses: those with a bearer that is good at this installation."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from access.models import LIFE, Bearer
from stores.models import Associate, Installation, Store, Till

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(till: Till, ana: Associate) -> str:
    return Bearer.issue(till, ana)


def session(authorization: str | None, installation: str = "shop") -> HttpResponse:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client().get(f"/panel/{installation}/session", headers=headers)


def enter(token: str, installation: str = "shop") -> int:
    return session(f"Bearer {token}", installation).status_code


def test_a_bearer_lets_its_associate_in_at_its_till(token: str) -> None:
    answer = session(f"Bearer {token}")
    assert answer.status_code == 200
    assert answer.content.decode().strip() == "Ana Pardo · Till 1, Boston"


@pytest.mark.database
def test_only_the_tokens_hash_is_kept(token: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM access_bearer")
        row = str(cursor.fetchone())
    assert Bearer.objects.get().token_sha256 in row
    assert token not in row


@pytest.mark.database
def test_the_database_keeps_one_bearer_of_a_token(till: Till, ana: Associate, token: str) -> None:
    first = Bearer.objects.get()
    Bearer.issue(till, ana)
    copy = Bearer(
        token_sha256=first.token_sha256,
        installation=first.installation,
        till=till,
        associate=ana,
        expires_at=first.expires_at,
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save()
    assert Bearer.objects.count() == 2


def test_every_token_is_another(till: Till, ana: Associate) -> None:
    tokens = {Bearer.issue(till, ana) for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 43  # 256 bits


# What stands in the header -> whether it opens.
HEADERS: dict[str, tuple[str | None, int]] = {
    "none": (None, 401),
    "empty": ("", 401),
    "the scheme alone": ("Bearer", 401),
    "no token": ("Bearer ", 401),
    "a token alone": ("{token}", 401),
    "another scheme": ("Basic {token}", 401),
    "another token": ("Bearer made-up", 401),
    "half a token": ("Bearer {half}", 401),
    "a longer token": ("Bearer {token}x", 401),
    "two tokens": ("Bearer {token} {token}", 401),
    "a tab for the space": ("Bearer\t{token}", 401),
    "quotes": ('Bearer "{token}"', 401),
    "the token's hash": ("Bearer {hash}", 401),
    "10,000 characters": ("Bearer " + "a" * 10_000, 401),
    "SQL": ("Bearer ' OR 1=1 --", 401),
    "beyond ASCII": ("Bearer é", 401),
    "NUL": ("Bearer \0", 401),
    "as it should be": ("Bearer {token}", 200),
    "the scheme in small letters": ("bearer {token}", 200),
    "more spaces": ("Bearer   {token} ", 200),
}


@pytest.mark.parametrize(("header", "status"), HEADERS.values(), ids=HEADERS.keys())
def test_only_a_whole_header_opens(token: str, header: str | None, status: int) -> None:
    values = {"token": token, "half": token[:20], "hash": Bearer.objects.get().token_sha256}
    given = header and header.format(**values)
    assert session(given).status_code == status


def test_a_bearer_lives_for_five_minutes(till: Till, ana: Associate) -> None:
    now = timezone.now()
    assert timedelta(minutes=5) == LIFE
    assert enter(Bearer.issue(till, ana, now - LIFE + timedelta(seconds=20))) == 200
    assert enter(Bearer.issue(till, ana, now - LIFE - timedelta(seconds=1))) == 401


def switch_off(row: Installation | Store | Till | Associate) -> None:
    row.is_active = False
    row.save()


def move_away(associate: Associate) -> None:
    associate.installation = Installation.objects.create(id="other", name="Other shop")
    associate.save()


ENDS: dict[str, Callable[[Bearer], object]] = {
    "revoked": lambda bearer: Bearer.objects.update(revoked_at=timezone.now()),
    "expired": lambda bearer: Bearer.objects.update(expires_at=timezone.now()),
    "its installation is disabled": lambda bearer: switch_off(bearer.installation),
    "its store is disabled": lambda bearer: switch_off(bearer.till.store),
    "its till is disabled": lambda bearer: switch_off(bearer.till),
    "its associate is disabled": lambda bearer: switch_off(bearer.associate),
    "its associate has moved to another shop": lambda bearer: move_away(bearer.associate),
    "deleted": lambda bearer: bearer.delete(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_bearer_ends(token: str, end: Callable[[Bearer], object]) -> None:
    assert enter(token) == 200
    end(Bearer.objects.get())
    assert enter(token) == 401


def test_a_bearer_is_good_at_its_own_installation_only(token: str) -> None:
    Installation.objects.create(id="other", name="Other shop")
    assert enter(token, "other") == 401
    assert enter(token, "nowhere") == 401
    assert enter(token) == 200


def test_others_bearers_go_on_when_one_is_revoked(till: Till, ana: Associate, token: str) -> None:
    other = Bearer.issue(till, ana)
    Bearer.objects.order_by("id").last().delete()
    assert (enter(token), enter(other)) == (200, 401)


def test_a_new_bearer_clears_away_those_of_yesterday(till: Till, ana: Associate) -> None:
    now = timezone.now()
    for days in (0, 0.5, 1.1, 30):
        Bearer.issue(till, ana, now - timedelta(days=days))
    Bearer.issue(till, ana, now)
    assert Bearer.objects.filter(expires_at__lt=now - timedelta(days=1)).count() == 0
    assert Bearer.objects.count() == 3


def test_a_bearer_is_shown_by_who_and_where(token: str) -> None:
    assert str(Bearer.objects.get()) == "Ana Pardo at Till 1, Boston"


def test_the_answer_without_a_bearer_is_a_part_of_the_page(db: None) -> None:
    answer = session(None)
    assert answer.content.decode().startswith('<p class="alert">')
