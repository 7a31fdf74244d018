"""Every row of the error table, over real sockets.

A POST is asked for by `redeem`, a GET by `look_up`; the same story tells both.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connectors import wire
from connectors.errors import (
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from connectors.limits import Limits
from connectors.yotpo.client import Credentials, Yotpo
from tests.connectors import raw_server as tell
from tests.connectors.raw_server import HOST, RawServer, Story
from tests.connectors.timing import lasting

EMAIL = "mara@example.com"
REDEMPTION = {"id": 10869305, "reward_text": "CODE-1", "approved": True}


def redeem(yotpo: Yotpo) -> object:
    return yotpo.create_redemption(email=EMAIL, option_id=90121)


def look_up(yotpo: Yotpo) -> object:
    return yotpo.customer(email=EMAIL)


CALLS = [redeem, look_up]
Ask = Callable[[Yotpo], object]


@contextlib.contextmanager
def client(url: str, **kwargs: float) -> Iterator[Yotpo]:
    yotpo = Yotpo(Credentials(url, "guid", "key"), **kwargs)
    yield yotpo
    yotpo.close()


class TestNotSent:
    """Nothing happened there, so it may be asked again: Unavailable, for a POST as well."""

    @pytest.mark.parametrize("ask", CALLS)
    def test_the_name_is_unknown(self, ask: Ask) -> None:
        with client("http://engine.invalid/api/v2") as yotpo:
            assert reason_of(ask, yotpo) == "dns"

    @pytest.mark.parametrize("ask", CALLS)
    def test_the_name_is_senseless(self, ask: Ask) -> None:
        with client(f"http://{'x' * 70}.invalid/api/v2") as yotpo:
            assert reason_of(ask, yotpo) == "dns"

    def test_names_are_not_answered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        over = threading.Event()
        monkeypatch.setattr(wire.socket, "getaddrinfo", lambda *_a, **_k: over.wait(30) and [])
        with client("http://engine.invalid/api/v2", connect_seconds=0.1) as yotpo:
            assert reason_of(redeem, yotpo) == "dns"
        over.set()

    @pytest.mark.parametrize("ask", CALLS)
    def test_the_connection_is_refused(self, ask: Ask, closed_port: int) -> None:
        with client(f"http://{HOST}:{closed_port}") as yotpo:
            assert reason_of(ask, yotpo) == "connect"

    @pytest.mark.parametrize("ask", CALLS)
    def test_the_connection_gets_no_answer(self, ask: Ask, full_port: int) -> None:
        with client(f"http://{HOST}:{full_port}", connect_seconds=0.2) as yotpo:
            assert reason_of(ask, yotpo) == "timeout"

    @pytest.mark.parametrize("ask", CALLS)
    def test_it_speaks_no_tls(self, ask: Ask, server: RawServer) -> None:
        server.tells(tell.speaks_nonsense_unread)
        with client(server.url.replace("http:", "https:")) as yotpo:
            assert reason_of(ask, yotpo) == "tls"

    def test_the_tls_handshake_hangs(self, server: RawServer) -> None:
        server.tells(tell.hangs_unread)
        with client(server.url.replace("http:", "https:"), connect_seconds=0.2) as yotpo:
            assert reason_of(redeem, yotpo) == "timeout"

    def test_the_tls_handshake_is_reset(self, server: RawServer) -> None:
        server.tells(tell.resets_unread)
        with client(server.url.replace("http:", "https:")) as yotpo:
            assert reason_of(redeem, yotpo) in {"tls", "connect"}

    @pytest.mark.parametrize("ask", CALLS)
    def test_the_breaker_is_open(self, ask: Ask, server: RawServer, yotpo: Yotpo) -> None:
        for _ in range(10):
            yotpo.limits.after(False)
        assert reason_of(ask, yotpo) == "breaker"
        assert server.connections == 0

    def test_it_was_asked_more_than_five_seconds_ago(self, server: RawServer, yotpo: Yotpo) -> None:
        with pytest.raises(Unavailable) as caught:
            yotpo.create_redemption(email=EMAIL, option_id=90121, asked_at=time.monotonic() - 5.01)
        assert caught.value.reason == "too_late"
        assert server.connections == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("story", "kind"),
        [
            (tell.answers({"error": "Unauthorized"}, 401), Misconfigured),
            (tell.answers(b"", 403), Misconfigured),
            (tell.answers({"error": "Could not find customer"}, 404), NotFound),
            (tell.answers(b"not here", 404, "text/plain"), NotFound),
            (tell.answers({"amount": ["is too little"]}, 422), Refused),
            (tell.answers(b"no", 400, "text/plain"), Refused),
            (tell.answers({"error": "Slow down"}, 429), Throttled),
        ],
        ids=["401", "403", "404", "404-text", "422", "400-text", "429"],
    )
    @pytest.mark.parametrize("ask", CALLS)
    def test_is_told_once(
        self, ask: Ask, server: RawServer, yotpo: Yotpo, story: Story, kind: type[OutsideError]
    ) -> None:
        server.tells(story)
        with pytest.raises(OutsideError) as caught:
            ask(yotpo)
        assert type(caught.value) is kind
        assert len(server.requests) == 1

    def test_in_the_engines_words(self, server: RawServer, yotpo: Yotpo) -> None:
        server.tells(tell.answers({"amount": [f"of {EMAIL} is too little"]}, 422))
        with pytest.raises(Refused) as caught:
            redeem(yotpo)
        assert caught.value.words == "amount: of [email] is too little"

    def test_throttled_says_how_long(self, server: RawServer, yotpo: Yotpo) -> None:
        server.tells(tell.answers(b"", 429, retry_after="7"))
        with pytest.raises(Throttled) as caught:
            redeem(yotpo)
        assert caught.value.wait == 7.0
        assert yotpo.limits.remaining == 0


LOST_AT_ONCE = {
    "408": tell.answers({"error": "timeout"}, 408),
    "500": tell.answers({"error": "oops"}, 500),
    "502-html": tell.says_html(502),
    "503": tell.answers(b"", 503),
    "504": tell.answers(b"", 504),
    "404-html": tell.says_html(404),
    "422-empty": tell.answers(b"", 422),
    "302": tell.answers(b"", 302, location="/api/v2/elsewhere"),
    "307": tell.answers(b"", 307, location="/api/v2/elsewhere"),
    "html": tell.says_html(),
    "empty": tell.answers(b""),
    "204": tell.sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "no-json": tell.answers(b'{"id": 1'),
    "null": tell.answers(None),
    "list": tell.answers([REDEMPTION]),
    "text": tell.answers("CODE-1"),
    "only-error": tell.answers({"error": "oops"}),
    "cut-body": tell.cuts_body,
    "cut-chunks": tell.cuts_chunks,
    "cut-headers": tell.cuts_headers,
    "cut-gzip": tell.cuts_gzip,
    "no-gzip": tell.lies_about_gzip,
    "too-long": tell.never_ends,
    "nonsense": tell.speaks_nonsense,
    "closed-unread": tell.drops_unread,
    "closed": tell.drops_when_read,
    "reset-unread": tell.resets_unread,
    "reset": tell.resets_when_read,
}
LOST_IN_TIME = {
    "silence": tell.hangs,
    "silence-unread": tell.hangs_unread,
    "trickled-headers": tell.trickles_headers,
    "trickled-body": tell.trickles_body,
}


class TestLost:
    """Sent, and no clear yes or no: a POST is lost, a GET brought nothing."""

    @pytest.mark.parametrize("story", LOST_AT_ONCE.values(), ids=LOST_AT_ONCE)
    def test_a_post(self, server: RawServer, yotpo: Yotpo, story: Story) -> None:
        server.tells(story)
        with pytest.raises(ReplyLost):
            redeem(yotpo)
        assert server.connections == 1
        assert len(server.requests) <= 1

    @pytest.mark.parametrize("story", LOST_AT_ONCE.values(), ids=LOST_AT_ONCE)
    def test_a_get(self, server: RawServer, yotpo: Yotpo, story: Story) -> None:
        server.tells(story)
        with pytest.raises(Unavailable):
            look_up(yotpo)

    @pytest.mark.parametrize("story", LOST_IN_TIME.values(), ids=LOST_IN_TIME)
    def test_a_post_at_its_deadline(self, server: RawServer, hasty: Yotpo, story: Story) -> None:
        server.tells(story)
        with lasting(0.5), pytest.raises(ReplyLost):
            redeem(hasty)
        assert server.connections == 1

    @pytest.mark.parametrize("story", LOST_IN_TIME.values(), ids=LOST_IN_TIME)
    def test_a_get_at_its_deadline(self, server: RawServer, hasty: Yotpo, story: Story) -> None:
        server.tells(story)
        with lasting(0.5), pytest.raises(Unavailable) as caught:
            look_up(hasty)
        assert caught.value.reason == "timeout"
        assert server.connections == 1

    def test_a_body_without_end_is_not_read_to_the_deadline(
        self, server: RawServer, yotpo: Yotpo
    ) -> None:
        server.tells(tell.never_ends)
        assert reason_of(look_up, yotpo) == "unreadable"

    @pytest.mark.parametrize(
        "body",
        [
            {"id": 10869305, "reward_text": "CODE-1", "approved": False},
            {"id": 10869305, "reward_text": None},
            {"id": 10869305, "reward_text": " ", "code": ""},
            {"id": "10869305", "reward_text": "Redeemed", "approved": True},
        ],
        ids=["not-approved", "null", "blank", "no-coupon"],
    )
    def test_without_an_approved_code_the_engines_id_is_kept(
        self, server: RawServer, yotpo: Yotpo, body: object
    ) -> None:
        server.tells(tell.answers(body))
        with pytest.raises(ReplyLost) as caught:
            redeem(yotpo)
        assert (caught.value.status, caught.value.engine_id) == (200, 10869305)


class TestDone:
    @pytest.mark.parametrize(
        "story",
        [
            tell.answers({}),
            tell.answers(b"", 201),
            tell.answers({"id": 1, "error": None}),
            tell.answers(b"OK", content_type="text/plain"),
            tell.answers(None),
            tell.sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        ids=["empty-object", "201-empty", "no-error", "text", "null", "204"],
    )
    def test_by_any_2xx_where_the_body_says_nothing(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        yotpo.approve_cancellation(10869305, "CODE-1")
        yotpo.save_customer(email=EMAIL)
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        "story",
        [
            tell.answers({"error": "odd"}),
            tell.answers({"success": False, "errors": ["odd"]}),
            tell.says_html(),
            tell.cuts_body,
        ],
        ids=["error", "errors", "html", "cut"],
    )
    def test_not_by_an_error_a_proxys_page_or_half_a_body(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        with pytest.raises(ReplyLost):
            yotpo.approve_cancellation(10869305, "CODE-1")
        with pytest.raises(ReplyLost):
            yotpo.save_customer(email=EMAIL)

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/html", ""])
    def test_whatever_the_type_is_called(
        self, server: RawServer, yotpo: Yotpo, content_type: str
    ) -> None:
        server.tells(tell.answers(REDEMPTION, 201, content_type))
        assert yotpo.create_redemption(email=EMAIL, option_id=90121).code == "CODE-1"


class TestRedirects:
    @pytest.mark.parametrize("ask", CALLS)
    def test_are_not_followed(self, ask: Ask, server: RawServer, yotpo: Yotpo) -> None:
        server.tells(
            tell.answers(b"", 302, location=f"{server.url}/elsewhere"), tell.answers(REDEMPTION)
        )
        with pytest.raises(OutsideError):
            ask(yotpo)
        assert len(server.requests) == 1


class TestAgain:
    @pytest.mark.parametrize(
        "story",
        [
            tell.answers(b"", 500),
            tell.answers(b"", 502),
            tell.answers(b"", 503),
            tell.answers(b"", 504),
            tell.drops_when_read,
            tell.resets_when_read,
            tell.cuts_body,
        ],
        ids=["500", "502", "503", "504", "closed", "reset", "cut"],
    )
    def test_a_get_is_tried_three_times(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        with pytest.raises(Unavailable):
            look_up(yotpo)
        assert len(server.requests) == 3

    @pytest.mark.parametrize(
        "story",
        [
            tell.answers(b"", 404),
            tell.answers(b"", 429),
            tell.answers(b"", 408),
            tell.answers(b"", 302),
            tell.answers(b"not json"),
        ],
        ids=["404", "429", "408", "302", "unreadable"],
    )
    def test_a_get_is_not_tried_again_where_that_cant_help(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        with pytest.raises(OutsideError):
            look_up(yotpo)
        assert len(server.requests) == 1

    def test_a_get_gets_its_answer_at_the_third_try(self, server: RawServer, yotpo: Yotpo) -> None:
        server.tells(
            tell.answers(b"", 503), tell.resets_when_read, tell.answers({"points_balance": 7})
        )
        assert yotpo.customer(email=EMAIL).points_balance == 7

    def test_the_tries_share_one_deadline(self, server: RawServer, hasty: Yotpo) -> None:
        server.tells(tell.answers(b"", 503), tell.hangs)
        with lasting(0.5), pytest.raises(Unavailable):
            look_up(hasty)
        assert len(server.requests) == 2


class TestBreaker:
    @pytest.mark.parametrize("story", [tell.answers(b"", 503), tell.resets_when_read])
    def test_opens_when_the_engine_is_out_of_reach(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        for _ in range(10):
            with pytest.raises(ReplyLost):
                redeem(yotpo)
        assert reason_of(redeem, yotpo) == "breaker"

    @pytest.mark.parametrize(
        "story",
        [tell.answers(b"", 401), tell.answers({}, 422), tell.answers(b"", 429), tell.answers([])],
        ids=["401", "422", "429", "unreadable"],
    )
    def test_stays_closed_when_the_engine_says_no(
        self, server: RawServer, yotpo: Yotpo, story: Story
    ) -> None:
        server.tells(story)
        for _ in range(11):
            with pytest.raises(OutsideError):
                redeem(yotpo)
        assert len(server.requests) == 11


def test_points_move_over_fresh_connections_only(
    server: RawServer, yotpo: Yotpo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "FRESH_SECONDS", -1.0)
    server.tells(tell.answers(REDEMPTION | {"points_balance": 7}))
    yotpo.customer(email=EMAIL)
    yotpo.save_customer(email=EMAIL)
    assert server.connections == 1
    yotpo.create_redemption(email=EMAIL, option_id=90121)
    assert server.connections == 2
    yotpo.approve_cancellation(10869305, "CODE-1")
    assert server.connections == 3


def test_notes_what_is_left_of_the_quota(server: RawServer) -> None:
    limits = Limits()
    server.tells(tell.answers({"points_balance": 1}, ratelimit_remaining="4", ratelimit_reset="1"))
    yotpo = Yotpo(Credentials(server.url, "guid", "key"), limits)
    look_up(yotpo)
    yotpo.close()
    assert limits.remaining == 4


def test_many_threads_share_one_client(server: RawServer, yotpo: Yotpo) -> None:
    server.tells(tell.answers({"points_balance": 7}))
    balances: list[int] = []

    def ask() -> None:
        balances.extend(yotpo.customer(email=EMAIL).points_balance for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balances == [7] * 80
    assert server.connections <= 16


def reason_of(ask: Ask, yotpo: Yotpo) -> str:
    with pytest.raises(Unavailable) as caught:
        ask(yotpo)
    return caught.value.reason
