"""Who may show the panel in a frame: its installation's pages, on every answer. Nobody else."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from access.models import Bearer
from stores.models import Associate, Installation, Till

pytestmark = pytest.mark.django_db

ORIGINS = ["https://till.example.com", "https://till.example.com:8443"]
PANEL = {
    "the page": ("get", "/panel/shop/", 200),
    "without a bearer": ("get", "/panel/shop/session", 401),
    "no such address": ("get", "/panel/shop/nothing", 404),
    "the wrong method": ("get", "/panel/shop/launch", 405),
    "a refused launch": ("post", "/panel/shop/launch", 400),
}
ELSEWHERE = ["/admin/login/", "/api/v1/docs", "/api/v1/offers", "/healthz", "/nothing"]


@pytest.fixture
def shop(installation: Installation) -> Installation:
    installation.origins = ORIGINS
    installation.save()
    return installation


def ancestors(answer: HttpResponse) -> str:
    return re.search(r"frame-ancestors ([^;]+)", answer["Content-Security-Policy"])[1]


@pytest.mark.parametrize(("method", "path", "status"), PANEL.values(), ids=PANEL.keys())
def test_every_answer_of_a_panel_names_its_own_pages(
    shop: Installation, method: str, path: str, status: int
) -> None:
    answer = getattr(Client(), method)(path)
    assert answer.status_code == status
    assert ancestors(answer) == " ".join(ORIGINS)
    assert "X-Frame-Options" not in answer


def test_an_answer_to_a_bearer_does_too(shop: Installation, till: Till, ana: Associate) -> None:
    headers = {"Authorization": f"Bearer {Bearer.issue(till, ana)}"}
    assert ancestors(Client().get("/panel/shop/session", headers=headers)) == " ".join(ORIGINS)


def test_an_error_of_ours_does_too(shop: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("associates.views.render", fail)
    answer = Client(raise_request_exception=False).get("/panel/shop/")
    assert answer.status_code == 500
    assert ancestors(answer) == " ".join(ORIGINS)


def test_an_installation_without_pages_is_shown_in_no_frame(installation: Installation) -> None:
    assert ancestors(Client().get("/panel/shop/")) == "'none'"


def test_a_panel_that_is_not_there_is_shown_in_no_frame(shop: Installation) -> None:
    assert ancestors(Client().get("/panel/nowhere/")) == "'none'"
    Installation.objects.update(is_active=False)
    answer = Client().get("/panel/shop/")
    assert ancestors(answer) == "'none'"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ELSEWHERE)
def test_elsewhere_nobody_may(shop: Installation, path: str) -> None:
    answer = Client().get(path)
    assert ancestors(answer) == "'none'"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/panel/shop/", *ELSEWHERE])
def test_no_page_may_run_what_is_written_into_it(shop: Installation, path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_a_pos_that_is_isolated_can_show_it(shop: Installation) -> None:
    assert "Cross-Origin-Embedder-Policy" not in Client().get("/panel/shop/")
    Installation.objects.update(sends_coep=True)
    for path in ("/panel/shop/", "/panel/shop/session"):
        answer = Client().get(path)
        assert answer["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_browser_lends_nothing_but_the_clipboard(shop: Installation) -> None:
    told = Client().get("/panel/shop/")["Permissions-Policy"]
    assert "clipboard-write=(self)" in told
    assert "camera=()" in told and "geolocation=()" in told


def test_the_page_is_kept_by_no_cache(shop: Installation) -> None:
    assert "no-store" in Client().get("/panel/shop/")["Cache-Control"]
