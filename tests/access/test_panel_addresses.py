"""A habit of the house: every address of the panel is behind a bearer. New ones are found here."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter
from django.utils import timezone

from access.models import LIFE, Bearer
from stores.models import Associate, Till

pytestmark = pytest.mark.django_db

# The page before it has launched, and the launch itself; what a till asks before somebody has
# signed in, which proves itself by the till's key or by what it polls with (test_pairing.py).
OPEN = {"panel", "launch", "pair", "pair-poll", "pair-leave", "sign-in", "people-lock"}
METHODS = ("get", "post", "head", "put", "patch", "delete", "options")


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, route)
        else:
            yield route, pattern


PANEL = {
    pattern.name: pattern
    for route, pattern in patterns(get_resolver())
    if route.startswith("panel/")
}
GUARDED = sorted(PANEL.keys() - OPEN)


def address(name: str, installation: str = "shop") -> str:
    wanted = PANEL[name].pattern.converters
    ids = {
        word: 7 if isinstance(kind, IntConverter) else uuid.uuid4()
        for word, kind in wanted.items()
        if word != "installation"
    }
    return reverse(name, kwargs={"installation": installation, **ids})


def test_the_panels_addresses_are_found() -> None:
    assert PANEL.keys() >= OPEN
    assert len(GUARDED) >= 12


@pytest.mark.parametrize("name", GUARDED)
def test_every_view_is_marked(name: str) -> None:
    assert PANEL[name].callback.bearer_required is True


@pytest.mark.parametrize("name", sorted(OPEN))
def test_no_open_view_is_marked_by_mistake(name: str) -> None:
    assert not hasattr(PANEL[name].callback, "bearer_required")


@pytest.mark.parametrize("name", GUARDED)
def test_without_a_bearer_every_address_answers_401(name: str, till: Till) -> None:
    client = Client(enforce_csrf_checks=True)
    answers = {method: getattr(client, method)(address(name)).status_code for method in METHODS}
    assert answers == dict.fromkeys(METHODS, 401)


@pytest.mark.parametrize("name", GUARDED)
def test_a_stale_bearer_is_answered_401_so_that_the_page_renews_it(
    name: str, till: Till, ana: Associate
) -> None:
    token = Bearer.issue(till, ana, timezone.now() - LIFE - timedelta(seconds=1))
    client = Client(enforce_csrf_checks=True)
    answer = client.post(address(name), headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("name", GUARDED)
def test_a_good_bearer_needs_no_csrf_token(name: str, till: Till, ana: Associate) -> None:
    client = Client(enforce_csrf_checks=True)
    headers = {"Authorization": f"Bearer {Bearer.issue(till, ana)}"}
    answer = client.post(address(name), headers=headers)
    assert answer.status_code not in {401, 403}
    assert answer.status_code < 500


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("launched", [True, False], ids=["with bearer", "without"])
def test_no_answer_sets_a_cookie_or_stays_in_a_cache(
    name: str, method: str, launched: bool, till: Till, ana: Associate
) -> None:
    headers = {"Authorization": f"Bearer {Bearer.issue(till, ana)}"} if launched else {}
    answer = getattr(Client(), method)(address(name), headers=headers)
    assert "Set-Cookie" not in answer
    assert not answer.cookies
    if launched and answer.status_code != 405:
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(OPEN - {"pair"}))  # whose cookie tells whether one is kept
def test_the_open_addresses_set_no_cookie(name: str, method: str, till: Till) -> None:
    answer = getattr(Client(), method)(address(name))
    assert "Set-Cookie" not in answer
    assert not answer.cookies


def test_the_page_of_an_unknown_installation_is_not_there(till: Till) -> None:
    assert Client().get("/panel/shop/").status_code == 200
    assert Client().get("/panel/nowhere/").status_code == 404


def test_the_page_of_a_disabled_installation_is_not_there(till: Till) -> None:
    till.store.installation.is_active = False
    till.store.installation.save()
    assert Client().get("/panel/shop/").status_code == 404


def test_the_page_holds_nobody_and_nothing(till: Till, ana: Associate) -> None:
    page = Client().get("/panel/shop/").content.decode()
    assert not {"Ana", "Till 1", "Boston"} & set(page.replace("<", " ").split())


@pytest.mark.parametrize("method", ["put", "patch", "delete", "head", "options"])
def test_the_page_is_only_got_or_posted_to(till: Till, method: str) -> None:
    assert getattr(Client(), method)("/panel/shop/").status_code == 405
