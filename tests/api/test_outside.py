"""What is around the calls: the key, the addresses, the body, the headers, the rate."""

import json
from typing import Any

import pytest
from django.test import Client

from access.models import ApiKey
from api.rates import BUCKETS_KEPT, Buckets
from stores.models import Installation
from tests.api.pos import FIVE_OFF, Pos, kind

pytestmark = pytest.mark.django_db

MARA = {"email": "mara@example.com"}


# The key


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer nobody", "Basic bWFyYQ==", "bearer\u00e9 x"],
)
def test_without_a_valid_key(pos: Pos, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = pos.client.get("/api/v1/redemptions", headers=headers)
    assert (answer.status_code, kind(answer)) == (401, "unauthorized")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_the_schemes_name_may_be_written_small(pos: Pos) -> None:
    headers = {"Authorization": f"bearer {pos.api_key}"}
    assert pos.client.get("/api/v1/redemptions", headers=headers).status_code == 200


def test_a_revoked_key_opens_nothing(pos: Pos) -> None:
    ApiKey.objects.get().revoke()
    assert pos.get("redemptions").status_code == 401


def test_a_closed_installations_key_opens_nothing(pos: Pos) -> None:
    Installation.objects.update(is_active=False)
    assert pos.get("redemptions").status_code == 401


def test_no_cookie_is_set(pos: Pos) -> None:
    answer = pos.post("members/lookup", MARA)
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


# The addresses


@pytest.mark.parametrize(
    "path", ["", "nothing", "members/7/offers", "redemptions/7", "members/lookup/", "a@b.example"]
)
def test_no_such_call(pos: Pos, path: str) -> None:
    for answer in (pos.get(path), pos.post(path, {})):
        assert (answer.status_code, kind(answer)) == (404, "no-such-call")


def test_no_such_method(pos: Pos) -> None:
    answer = pos.get("members/lookup")
    assert (answer.status_code, kind(answer)) == (405, "method-not-allowed")
    assert answer["Allow"] == "POST"


# The body


@pytest.mark.parametrize(
    "body", [b"{", b"email=a", b"\xff\xfe", b"[" * 100_000, b'{"a": 1} x'], ids=range(5)
)
def test_what_is_no_json(pos: Pos, body: bytes) -> None:
    answer = pos.send("members/lookup", body)
    assert (answer.status_code, kind(answer)) == (400, "malformed-json")


@pytest.mark.parametrize("body", [b"", b"null", b"7", b'"a"', b"[]", b"NaN"], ids=range(6))
def test_what_is_no_object(pos: Pos, body: bytes) -> None:
    answer = pos.send("members/lookup", body)
    assert (answer.status_code, kind(answer)) == (422, "invalid-fields")


def test_256_kib_are_read_and_no_more(pos: Pos) -> None:
    def padded(size: int) -> bytes:
        body = json.dumps(MARA).encode()
        return body + b" " * (size - len(body))

    assert pos.send("members/lookup", padded(256 * 1024)).status_code == 200
    answer = pos.send("members/lookup", padded(256 * 1024 + 1))
    assert (answer.status_code, kind(answer)) == (413, "too-large")


def test_no_problem_repeats_what_was_sent(pos: Pos) -> None:
    for body in ({"email": "secret-person"}, {"phone": "secret-person"}, {"email": 7.25}):
        answer = pos.post("members/lookup", body)
        assert answer.status_code == 422
        assert "secret" not in answer.content.decode() and "7.25" not in answer.content.decode()


# The rate


def test_every_answer_tells_what_is_left(pos: Pos) -> None:
    for answer in (pos.post("members/lookup", MARA), pos.post("members/lookup", {})):
        assert answer["RateLimit-Limit"] == "1000"
        assert 990 <= int(answer["RateLimit-Remaining"]) < 1000
        assert int(answer["RateLimit-Reset"]) >= 0


def test_too_many_are_told_to_wait(pos: Pos, settings: Any) -> None:
    settings.API_RATE_PER_SECOND, settings.API_BURST = 0.5, 3
    statuses = [pos.get("redemptions").status_code for _ in range(3)]
    answer = pos.get("redemptions")
    assert (statuses, answer.status_code, kind(answer)) == ([200] * 3, 429, "rate-limited")
    assert answer["Retry-After"] == "2"
    assert answer["RateLimit-Remaining"] == "0"


def test_each_of_several_processes_gives_out_its_share(pos: Pos, settings: Any) -> None:
    settings.API_RATE_PER_SECOND, settings.API_BURST, settings.WEB_CONCURRENCY = 2.0, 12, 4
    answers = [pos.get("redemptions") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert [answers[0]["RateLimit-Limit"], answers[3]["Retry-After"]] == ["3", "2"]


def test_a_share_is_never_nothing(pos: Pos, settings: Any) -> None:
    settings.API_BURST, settings.WEB_CONCURRENCY = 3, 4
    assert pos.get("redemptions").status_code == 200


def test_what_is_too_much_is_not_done(pos: Pos, settings: Any, sandbox: Any) -> None:
    settings.API_RATE_PER_SECOND, settings.API_BURST = 0.01, 1
    answers = [pos.redeem("k"), pos.redeem("l")]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert len(sandbox.redemptions()) == 1


def test_each_key_has_its_own_bucket() -> None:
    buckets = Buckets()

    def left(key: str, now: float) -> tuple[int, float]:
        allowance = buckets.take(key, now, rate=10, burst=2)
        return allowance.remaining, round(allowance.wait, 3)

    assert [left("a", 0.0), left("a", 0.0), left("a", 0.0)] == [(1, 0), (0, 0), (0, 0.1)]
    assert left("b", 0.0) == (1, 0)
    assert [left("a", 0.05), left("a", 0.1), left("a", 100.0)] == [(0, 0.05), (0, 0), (1, 0)]


def test_full_buckets_are_forgotten() -> None:
    buckets = Buckets()
    for number in range(3 * BUCKETS_KEPT):
        buckets.take(str(number), float(number), rate=10, burst=2)
    assert len(buckets._left) <= BUCKETS_KEPT + 1


# What is written down


def test_nobody_is_named_in_a_log(pos: Pos, capfd: Any, caplog: Any, sandbox: Any) -> None:
    caplog.set_level("DEBUG")
    pos.post("members/lookup", MARA, key="k")
    pos.post("members/lookup", {"phone": "(415) 555-0123", "x": "mara@example.com"})
    pos.get("mara@example.com")
    pos.get("redemptions", email="mara@example.com")
    pos.post("members", {"email": "ida@example.com", "first_name": "Idalina"}, key="l")
    pos.redeem("m", offer_id=FIVE_OFF)
    sandbox.fault("*", "status", status=422, times=20)
    pos.post("members/lookup", MARA)
    written = caplog.text + "".join(capfd.readouterr())
    for secret in ("mara@", "ida@", "Idalina", "5550123", "555-0123", pos.api_key):
        assert secret not in written


def test_a_bug_is_logged_with_its_route(pos: Pos, monkeypatch: Any, caplog: Any) -> None:
    def bug(*_args: object) -> None:
        raise RuntimeError("here it is")

    monkeypatch.setattr("api.members.tell_member", bug)
    answer = pos.post("members/lookup", MARA)
    assert (answer.status_code, kind(answer)) == (500, "internal")
    assert "here it is" not in answer.content.decode()
    assert "request.failed" in caplog.text and "api/v1/members/lookup" in caplog.text


def test_the_api_never_answers_with_a_page(pos: Pos) -> None:
    answer = Client(raise_request_exception=False).delete("/api/v1/members")
    assert kind(answer) == "method-not-allowed"
