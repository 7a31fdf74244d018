"""What every answer carries, and the pages of last resort."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.template.loader import get_template
from django.test import Client

from associates import views
from loyalty_panel import health
from stores.models import Installation

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}

# What is asked for -> method, address, headers, status.
ANSWERS: dict[str, tuple[str, str, dict[str, str], int]] = {
    "the panel": ("get", "/panel/shop/", {}, 200),
    "a part of the panel without bearer": ("get", "/panel/shop/session", {}, 401),
    "a launch": ("put", "/panel/shop/launch", {}, 405),
    "a wrong method": ("put", "/panel/shop/", {}, 405),
    "the admin's log-in": ("get", "/admin/login/", {}, 200),
    "the admin without log-in": ("get", "/admin/", {}, 302),
    "the front door": ("get", "/", {}, 302),
    "health": ("get", "/healthz", {}, 200),
    "no such page": ("get", "/nowhere", {}, 404),
    "no such panel": ("get", "/panel/nowhere/", {}, 404),
    "no such host": ("get", "/panel/shop/", {"Host": "evil.example"}, 400),
    "a failure": ("get", "/readyz", {}, 500),
}


@pytest.fixture
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(health, "is_migrated", fail)


def ask(method: str, path: str, headers: dict[str, str]) -> HttpResponse:
    client = Client(raise_request_exception=False)
    answer: HttpResponse = getattr(client, method)(path, headers=headers)
    return answer


@pytest.mark.usefixtures("_failing", "installation")
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_every_answer_is_guarded(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = ask(method, path, headers)
    assert answer.status_code == status
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Request-Id"]
    if status != 400:  # refused before it gets that far; the policy forbids frames as well
        assert answer["X-Frame-Options"] == "DENY"


PAGES: dict[str, tuple[str, str]] = {
    "no such page": ("404.html", "There is nothing here"),
    "no such host": ("400.html", "That request could not be read"),
    "a failure": ("500.html", "Something went wrong"),
}


@pytest.mark.usefixtures("_failing", "installation")
@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES.keys())
def test_a_page_of_last_resort_says_what_to_do(name: str, page: tuple[str, str]) -> None:
    answer = ask(*ANSWERS[name][:3])
    template, heading = page
    assert answer.content.decode() == get_template(template).render()
    assert f"<h1>{heading}</h1>" in answer.content.decode()


def test_a_page_of_last_resort_does_not_repeat_the_address() -> None:
    answer = ask("get", "/ada@example.com/?q=<script>", {})
    assert answer.status_code == 404
    assert "ada@" not in answer.content.decode()


def test_a_form_without_its_token_is_told_to_reload() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert answer.status_code == 403
    assert "<h1>This page is too old</h1>" in answer.content.decode()


@pytest.mark.parametrize("template", ["400", "403", "403_csrf", "404", "500"])
def test_a_page_of_last_resort_needs_nothing_else(template: str) -> None:
    page = get_template(f"{template}.html").render()
    assert len(page) < 1_000
    for word in ("<link", "<script", "<img", "<style", "static", "{{", "{%"):
        assert word not in page


@pytest.mark.usefixtures("installation")
def test_where_the_panel_asked_a_failure_is_told_in_its_alert_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(views, "get_object_or_404", fail)
    answer = ask("get", "/panel/shop/", {"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Retarget"]) == (500, "#alert")
    assert answer.content.decode().startswith('<p class="alert">Something went wrong')
    assert "ada@" not in answer.content.decode()


TEMPLATES = sorted(
    path
    for folder in (Path(django_settings.BASE_DIR) / "templates",)
    for path in folder.rglob("*.html")
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_template_breaks_the_policy(path: Path) -> None:
    """No inline script, style or handler: the browser would refuse them silently."""
    page = path.read_text().lower()
    for word in (
        " style=",
        "<style",
        "<script>",
        "javascript:",
        "hx-on",
        "hx-vals='js",
        " onclick",
    ):
        assert word not in page


def test_the_front_door_leads_to_the_admin() -> None:
    assert Client().get("/").headers["Location"] == "/admin/"


@pytest.mark.parametrize("path", ["/static/panel/panel.js", "/static/panel/panel.css"])
def test_static_files_are_served(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)
    answer.close()


def test_the_installation_is_named_in_the_page(installation: Installation) -> None:
    page = ask("get", "/panel/shop/", {}).content.decode()
    assert 'data-launch="/panel/shop/launch"' in page
