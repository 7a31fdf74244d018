"""What is around the calls: the key, the addresses, the body, the headers, the rate."""

import json
from typing import Any

import pytest
from django.test import Client
from pydantic import ValidationError

from access.models import ApiKey
from api import schemas
from api.rates import BUCKETS_KEPT, Buckets
from connectors.errors import Refused
from sales.models import Sale
from stores.models import Installation
from tests.api.pos import FIVE_OFF, Pos, fields, kind

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


@pytest.mark.parametrize("path", ["docs", "openapi.json"])
def test_the_description_is_only_read(pos: Pos, path: str) -> None:
    answer = pos.post(path, {})
    assert (answer.status_code, kind(answer)) == (405, "method-not-allowed")
    assert answer["Allow"] == "GET, HEAD"


# The body


@pytest.mark.parametrize(
    "body", [b"{", b"email=a", b"\xff\xfe", b"[" * 100_000, b'{"a": 1} x'], ids=range(5)
)
def test_what_is_no_json(pos: Pos, body: bytes) -> None:
    answer = pos.send("members/lookup", body)
    assert (answer.status_code, kind(answer)) == (400, "malformed-json")


NOT_READ_ALIKE = {
    "not a number": (b'{"x": NaN}', "no NaN"),
    "infinity": (b'{"x": [-Infinity]}', "no NaN and no Infinity"),
    "a number beyond all": (b'{"x": 1e999}', "too large"),
    "a number of many digits": (b'{"x": 1%s}' % (b"0" * 5000), "JSON object"),
    "a name twice": (b'{"x": {"y": 1, "y": 2}}', "names a field twice"),
    "too deep": (b'{"x": %s}' % (b"[" * 32 + b"]" * 32), "32 levels"),
    "UTF-16": ('{"x": 1}'.encode("utf-16"), "in UTF-8"),
}


@pytest.mark.parametrize(("body", "words"), NOT_READ_ALIKE.values(), ids=NOT_READ_ALIKE)
@pytest.mark.parametrize("path", ["members/lookup", "sales"])
def test_what_two_programs_could_read_differently(
    pos: Pos, path: str, body: bytes, words: str
) -> None:
    """A sale takes fields that it does not know; what no database keeps it does not take."""
    answer = pos.send(path, body, key="k")
    assert (answer.status_code, kind(answer)) == (400, "malformed-json")
    assert words in answer.json()["detail"]


NO_CHARACTERS = {
    "half of one": (rb'{"x": ["y", "\ud83d"]}', "x.1"),
    "half of one in a name": (rb'{"x": {"\udc00": 1}}', "x"),
    "half of one in a name outside": (rb'{"\udc00": 1}', "body"),
    "NUL": (rb'{"x": "a\u0000"}', "x"),
}


@pytest.mark.parametrize(("body", "field"), NO_CHARACTERS.values(), ids=NO_CHARACTERS)
@pytest.mark.parametrize("path", ["members/lookup", "sales"])
def test_what_is_no_character_is_named(pos: Pos, path: str, body: bytes, field: str) -> None:
    answer = pos.send(path, body, key="k")
    assert (answer.status_code, kind(answer)) == (422, "invalid-fields")
    assert fields(answer) == {field}


@pytest.mark.database
@pytest.mark.parametrize(
    "told",
    [
        rb'"\ud83d\ude00"',
        b'"\xf0\x9f\x98\x80"',
        rb'"\\u0000"',
        b"1.5e3",
        b"1%s" % (b"0" * 400),
        b"[" * 31 + b"]" * 31,
    ],
    ids=["a pair", "the same in UTF-8", "a backslash", "a float", "long", "deep"],
)
def test_what_can_be_kept_is_kept(pos: Pos, told: bytes) -> None:
    sale = b'\xef\xbb\xbf{"id": "s", "completed_at": "2026-11-21T09:41:00Z", "total_cents": 1,'
    answer = pos.send("sales", sale + b'"currency": "USD", "x": %s}' % told)
    assert answer.status_code == 201
    assert Sale.objects.get().told == {"x": json.loads(told)}


@pytest.mark.parametrize("body", [b"", b"null", b"7", b'"a"', b"[]"], ids=range(5))
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


def test_an_answer_that_fails_names_nobody() -> None:
    with pytest.raises(ValidationError, match="first_name") as failed:
        schemas.Member.model_validate({"first_name": ["Idalina"], "last_name": "Nightfall"})
    assert "Idalina" not in str(failed.value) and "Nightfall" not in str(failed.value)


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


def test_a_strange_host_is_told_no_page(pos: Pos) -> None:
    answer = pos.client.get("/api/v1/redemptions", headers={"Host": "evil.example"})
    assert (answer.status_code, kind(answer)) == (400, "bad-request")


def test_what_fails_before_a_call_is_told_no_page(pos: Pos, monkeypatch: Any) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("here it is")

    monkeypatch.setattr("access.middleware.BearerMiddleware.__call__", fail)
    answer = pos.get("redemptions")
    assert (answer.status_code, kind(answer)) == (500, "internal")
    assert "here it is" not in answer.content.decode()


def test_words_that_are_no_text_can_be_told(pos: Pos, monkeypatch: Any) -> None:
    """The engine's own words may hold half of a surrogate pair."""

    def refuse(*_args: object) -> None:
        raise Refused("yotpo", "GET", "/customers", 422, words="no \ud800")

    monkeypatch.setattr("api.members.find_or_recall", refuse)
    assert kind(pos.post("members/lookup", MARA)) == "engine-said-no"
