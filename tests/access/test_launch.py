"""Launch: how the panel's own page comes by its bearer, in the demo."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from access.models import Bearer
from stores.models import Associate, Installation, Store, Till

pytestmark = pytest.mark.django_db

LAUNCH = "/panel/demo/launch"


@pytest.fixture
def demo(settings) -> None:
    settings.DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    call_command("seed_demo", stdout=StringIO())


def launch(path: str = LAUNCH, **extra: Any) -> HttpResponse:
    return Client(enforce_csrf_checks=True).post(path, "{}", "application/json", **extra)


def test_the_demos_page_gets_a_bearer_that_works(demo: None) -> None:
    answer = launch()
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 300
    bearer = {"Authorization": f"Bearer {answer.json()['bearer']}"}
    assert "Ana Pardo" in Client().get("/panel/demo/session", headers=bearer).content.decode()


def test_a_launch_may_be_repeated(demo: None) -> None:
    assert launch().json()["bearer"] != launch().json()["bearer"]
    assert Bearer.objects.count() == 2


def test_a_launch_is_kept_by_no_cache(demo: None) -> None:
    assert "no-store" in launch()["Cache-Control"]


# Who asks -> what they are told.
ASKERS: dict[str, tuple[dict[str, Any], int]] = {
    "the page itself": (
        {"headers": {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}},
        200,
    ),
    "a browser that sends no such headers": ({}, 200),
    "a foreign page": ({"headers": {"Origin": "https://evil.example"}}, 403),
    "a foreign port": ({"headers": {"Origin": "http://testserver:81"}}, 403),
    "the same host over TLS": ({"headers": {"Origin": "https://testserver"}}, 403),
    "a sandboxed frame": ({"headers": {"Origin": "null"}}, 403),
    "an empty origin": ({"headers": {"Origin": ""}}, 403),
    "cross-site": ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
    "same-site": ({"headers": {"Sec-Fetch-Site": "same-site"}}, 403),
    "an address typed": ({"headers": {"Sec-Fetch-Site": "none"}}, 403),
    "cross-site with our origin": (
        {"headers": {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}},
        403,
    ),
    "another machine": ({"REMOTE_ADDR": "192.0.2.7"}, 401),
    "another machine over IPv6": ({"REMOTE_ADDR": "2001:db8::7"}, 401),
    "nobody knows who": ({"REMOTE_ADDR": ""}, 401),
    "this machine over IPv6": ({"REMOTE_ADDR": "::1"}, 200),
    "another machine by our name": (
        {"REMOTE_ADDR": "192.0.2.7", "headers": {"X-Forwarded-For": "127.0.0.1"}},
        401,
    ),
}


@pytest.mark.parametrize(("asker", "status"), ASKERS.values(), ids=ASKERS.keys())
def test_only_the_panels_own_page_on_this_machine_gets_a_bearer(
    demo: None, asker: dict[str, Any], status: int
) -> None:
    answer = launch(**asker)
    assert answer.status_code == status
    assert ("bearer" in answer.json()) is (status == 200)
    assert Bearer.objects.count() == (status == 200)


def test_a_refusal_has_words_and_opens_nothing(demo: None) -> None:
    answer = launch(headers={"Origin": "https://evil.example"})
    assert answer.json() == {"detail": "Only the panel's own page may ask for a bearer."}


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_a_launch_is_posted(demo: None, method: str) -> None:
    assert getattr(Client(), method)(LAUNCH).status_code == 405
    assert Bearer.objects.count() == 0


@pytest.mark.parametrize(
    "name", ["nowhere", "Demo", "a" * 1_000], ids=["nowhere", "capitals", "long"]
)
def test_an_unknown_installation_is_as_one_whose_tills_are_not_paired(
    demo: None, name: str, till: Till
) -> None:
    Installation.objects.filter(id="shop").update(pairing=False)
    answer = launch(f"/panel/{name}/launch")
    assert answer.status_code == 403
    assert answer.json() == launch("/panel/shop/launch").json()


def test_outside_the_demo_there_is_no_log_in_without_a_token(
    till: Till, ana: Associate, settings
) -> None:
    assert settings.DEMO is False
    answer = launch("/panel/shop/launch")
    assert (answer.status_code, answer.json()) == (401, {"next": "pair"})
    assert Bearer.objects.count() == 0


def switch_all_off(*models: type) -> Callable[[], None]:
    def switch() -> None:
        for model in models:
            model.objects.update(is_active=False)

    return switch


CLOSED = {
    "installation": switch_all_off(Installation),
    "stores": switch_all_off(Store),
    "tills": switch_all_off(Till),
    "associates": switch_all_off(Associate),
}


@pytest.mark.parametrize("close", CLOSED.values(), ids=CLOSED.keys())
def test_what_is_disabled_is_not_launched(demo: None, close: Callable[[], None]) -> None:
    close()
    assert launch().status_code == 404


def test_a_till_that_is_closed_is_passed_over(demo: None) -> None:
    Till.objects.filter(code="1", store__code="boston").update(is_active=False)
    Associate.objects.filter(code="ana").update(is_active=False)
    launch()
    bearer = Bearer.objects.get()
    assert (bearer.till.name, bearer.associate.name) == ("Till 2", "Ben Okafor")


def test_a_launch_never_crosses_installations(demo: None, till: Till) -> None:
    """The demo's log-in is for the demo's own panel."""
    assert launch("/panel/shop/launch").json() == {"next": "pair"}


@pytest.mark.parametrize("body", ["null", "[]", "{", "\0", '"token"'])
def test_what_cannot_be_read_is_refused_in_words(demo: None, body: str) -> None:
    answer = Client().post(LAUNCH, body, "application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"] == 'Send {"token": "..."} as JSON.'
