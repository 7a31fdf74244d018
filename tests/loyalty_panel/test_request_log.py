"""One line a request: its route, never its path, and an id that the answer carries too."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from loyalty_panel import health
from stores.models import Till

pytestmark = pytest.mark.django_db

SECRET = "somebody-secret"
REQUEST_ID = "till-7_request-0001"


def client(**extra: Any) -> Client:
    return Client(raise_request_exception=False, **extra)


def parsed(log_lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_lines()]


def test_a_request_is_one_line(log_lines, till: Till) -> None:
    client().get("/panel/shop/")
    [line] = parsed(log_lines)
    assert (line["event"], line["method"], line["status"]) == ("request", "GET", 200)
    assert line["route"] == "panel/<slug:installation>/"
    assert 0 <= line["ms"] < 60_000


# What is asked for -> the route that the log shows.
ROUTES = {
    "a part of a path": (
        f"/panel/{SECRET}/members/{uuid.uuid4()}",
        "panel/<slug:installation>/members/<uuid:member_id>",
    ),
    "a query string": (f"/panel/shop/?query={SECRET}", "panel/<slug:installation>/"),
    "no route": (f"/{SECRET}/ada@example.com", "(no route)"),
    "the admin": (f"/admin/stores/till/{SECRET}/change/", None),
}


@pytest.mark.parametrize(("path", "route"), ROUTES.values(), ids=ROUTES.keys())
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_line_has_the_route_and_not_the_path(
    log_lines, till: Till, method: str, path: str, route: str | None
) -> None:
    getattr(client(), method)(path)
    lines = parsed(log_lines)
    assert lines[-1]["event"] == "request"
    assert route is None or lines[-1]["route"] == route
    assert SECRET not in json.dumps(lines)


def test_a_form_without_its_csrf_token_leaves_no_path(log_lines) -> None:
    answer = client(enforce_csrf_checks=True).post(f"/admin/{SECRET}/")
    assert answer.status_code == 403
    assert [line["status"] for line in parsed(log_lines)] == [403]
    assert SECRET not in "".join(log_lines())


def test_what_was_posted_is_not_logged(log_lines, till: Till) -> None:
    client().post("/panel/shop/lookup", {"query": SECRET})
    assert len(log_lines()) == 1
    assert SECRET not in log_lines()[0]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address whose view fails with a text that quotes a customer."""

    def fail() -> bool:
        try:
            raise KeyError("ada@example.com")
        except KeyError as error:
            raise RuntimeError("Nobody is ada@example.com or +14155550199") from error

    monkeypatch.setattr(health, "is_migrated", fail)


def test_a_failure_leaves_its_traceback_and_no_customer(log_lines, broken: None) -> None:
    assert client().get("/readyz").status_code == 500
    failed, request = parsed(log_lines)
    assert (failed["event"], failed["route"], failed["level"]) == (
        "request.failed",
        "readyz",
        "error",
    )
    assert "Nobody is [email] or [phone]" in failed["exception"]
    assert "in is_migrated" in failed["exception"] or "in fail" in failed["exception"]
    assert request["status"] == 500
    assert failed["request_id"] == request["request_id"]
    assert "ada@" not in "".join(log_lines())


def test_on_a_terminal_it_leaves_no_customer_either(terminal_lines, broken: None) -> None:
    client().get("/readyz")
    written = "\n".join(terminal_lines())
    assert "Nobody is [email] or [phone]" in written
    assert "ada@" not in written


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_that_go_well_are_not_logged(log_lines, path: str) -> None:
    assert client().get(path).status_code == 200
    assert log_lines() == []


def test_a_probe_that_goes_wrong_is_logged(log_lines, broken: None) -> None:
    client().get("/readyz")
    assert parsed(log_lines)[-1]["status"] == 500


def test_the_id_of_the_caller_is_kept(log_lines, till: Till) -> None:
    answer = client().get("/panel/shop/", headers={"X-Request-Id": REQUEST_ID})
    assert answer["X-Request-Id"] == REQUEST_ID
    assert parsed(log_lines)[0]["request_id"] == REQUEST_ID


NO_IDS = {
    "none": None,
    "empty": "",
    "too short": "abc",
    "too long": "a" * 65,
    "spaces": "till 7 request",
    "a line break": "till-0001\r\nX-Evil: 1",
    "a line break at its end": "till-0001\n",
    "an email": "ada@example.com",
    "beyond ASCII": "tíll-0001",
    "HTML": "<b>12345678</b>",
}


@pytest.mark.parametrize("given", NO_IDS.values(), ids=NO_IDS.keys())
def test_any_other_id_is_replaced_by_our_own(log_lines, till: Till, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}
    answer = client().get("/panel/shop/", headers=headers)
    made = answer["X-Request-Id"]
    assert uuid.UUID(made).hex == made
    assert parsed(log_lines)[0]["request_id"] == made


def test_every_request_has_another_id(till: Till) -> None:
    ids = {client().get("/panel/shop/")["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
