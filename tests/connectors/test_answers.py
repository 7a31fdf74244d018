"""Every whole answer there is, judged without a socket."""

from datetime import UTC, datetime, timedelta

import pytest
from requests.structures import CaseInsensitiveDict

from connectors.answers import UNREADABLE, Answer, Reply, Unreadable, judge, wait_of
from connectors.errors import (
    Call,
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)

GET = Call("yotpo", "GET", "/customers")
POST = Call("yotpo", "POST", "/redemptions")
NOW = datetime(2026, 5, 2, 16, 30, tzinfo=UTC)
HTML = b"<html><body>Not here</body></html>"


def answer(status: int, body: bytes | None = b"{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(named), body, NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_yes(status: int) -> None:
    assert judge(POST, answer(status, b'{"id": 1}')).data == {"id": 1}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": "no"}', Refused),
        (401, b'{"error": "Unauthorized"}', Misconfigured),
        (401, b"", Misconfigured),
        (401, b"Unauthorized", Misconfigured),
        (403, b"", Misconfigured),
        (404, b'{"error": "Could not find customer"}', NotFound),
        (404, b"", NotFound),
        (404, b"Not found", NotFound),
        (404, b"null", NotFound),
        (409, b"[]", Refused),
        (422, b'{"amount": ["is too little"]}', Refused),
        (422, b'"no"', Refused),
        (422, b"not enough points", Refused),
        (423, b'{"error": "locked"}', Throttled),
        (429, b"", Throttled),
        (429, HTML, Throttled),
    ],
)
@pytest.mark.parametrize("call", [GET, POST], ids=lambda call: call.method)
def test_a_readable_refusal_is_a_no(
    call: Call, status: int, body: bytes, kind: type[OutsideError]
) -> None:
    with pytest.raises(OutsideError) as caught:
        judge(call, answer(status, body))
    assert type(caught.value) is kind
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (100, b""),
        (301, b""),
        (302, b'{"error": "moved"}'),
        (400, b""),
        (400, HTML),
        (401, HTML),
        (403, b"\n <!DOCTYPE html>"),
        (404, HTML),
        (404, b"\xff\xfe\x00"),
        (404, None),
        (408, b'{"error": "timeout"}'),
        (422, b""),
        (422, b"  \n"),
        (500, b'{"error": "oops"}'),
        (502, HTML),
        (503, b""),
        (504, b""),
        (599, b"{}"),
        (600, b"{}"),
    ],
)
def test_everything_else_is_lost_on_a_post_and_nothing_on_a_get(
    status: int, body: bytes | None
) -> None:
    with pytest.raises(ReplyLost) as lost:
        judge(POST, answer(status, body))
    with pytest.raises(Unavailable) as unavailable:
        judge(GET, answer(status, body))
    assert lost.value.status == unavailable.value.status == status
    assert unavailable.value.reason == "status"


@pytest.mark.parametrize(
    "body", [b"", b"OK", b'{"id": 1', b'{"id": \xff}', b"[" * 100_000, b"9" * 10_000, None]
)
def test_a_yes_that_is_no_json_is_unreadable_when_it_is_read(body: bytes | None) -> None:
    reply = judge(POST, answer(200, body))
    assert reply.data is UNREADABLE
    with pytest.raises(ReplyLost):
        reply.read(parse_object)
    with pytest.raises(Unavailable) as caught:
        judge(GET, answer(200, body)).read(parse_object)
    assert caught.value.reason == "unreadable"


def test_a_page_is_no_yes() -> None:
    with pytest.raises(ReplyLost):
        judge(POST, answer(200, HTML))
    with pytest.raises(Unavailable) as caught:
        judge(GET, answer(200, HTML))
    assert caught.value.reason == "unreadable"


def parse_object(data: object) -> object:
    if not isinstance(data, dict):
        raise Unreadable
    return data


def test_json_is_read_whatever_its_type_is_called() -> None:
    reply = judge(GET, answer(200, b'\xef\xbb\xbf{"a": 1}', Content_Type="text/html"))
    assert reply.read(parse_object) == {"a": 1}


def test_a_reply_knows_both_clocks() -> None:
    reply = judge(GET, answer(200, Date="Sat, 02 May 2026 16:29:58 GMT"))
    assert reply.engine_time == NOW - timedelta(seconds=2)
    assert reply.received_at == NOW


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Sat, 99 May 2026", "Fri, 31 Dec 9999 23:59:59 -2300"]
)
def test_a_senseless_date_is_none(date: str) -> None:
    assert judge(GET, answer(200, Date=date)).engine_time is None


def test_a_refusal_carries_the_engines_words_without_people_and_secrets() -> None:
    body = b'{"error": "mara@example.com has no points, says key-of-the-merchant"}'
    with pytest.raises(Refused) as caught:
        judge(POST, answer(422, body), ["key-of-the-merchant"])
    assert caught.value.words == "[email] has no points, says [secret]"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 1.0),
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": "7", "RateLimit_Reset": "3"}, 7.0),
        ({"ratelimit_reset": "3"}, 3.0),
        ({"Retry_After": "soon", "ratelimit_reset": "3"}, 3.0),
        ({"Retry_After": "-5"}, 1.0),
        ({"Retry_After": "86400"}, 60.0),
        ({"Retry_After": "inf"}, 1.0),
        ({"Retry_After": "Sat, 02 May 2026 16:30:20 GMT"}, 20.0),
        ({"Retry_After": "Sat, 02 May 2026 16:00:00 GMT"}, 0.0),
        (
            {
                "Retry_After": "Sat, 02 May 2026 17:30:05 GMT",
                "Date": "Sat, 02 May 2026 17:30:00 GMT",
            },
            5.0,
        ),
        ({"ratelimit_reset": "1795000000"}, 60.0),
    ],
)
def test_how_long_a_429_asks_us_to_wait(headers: dict[str, str], wait: float) -> None:
    assert wait_of(answer(429, b"", **headers)) == wait


def test_a_reply_shows_no_data_in_its_repr() -> None:
    reply: Reply = judge(GET, answer(200, b'{"email": "mara@example.com"}'))
    assert "mara" not in repr(reply)
