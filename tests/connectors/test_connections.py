"""The connection under a call: its age, its deadline, TLS, and what it must not share."""

import contextlib
import os
import select
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Thread

import pytest

from connectors import wire
from connectors.answers import Reply
from connectors.errors import Call, Misconfigured, ReplyLost, Unavailable
from connectors.limits import Limits
from connectors.session import Session
from tests.connectors import raw_server as tell
from tests.connectors.raw_server import HOST, RawServer
from tests.connectors.timing import lasting
from tests.support.certificates import Certified, certify
from tests.support.waiting import until

ME = os.getpid()


@dataclass
class Clock:
    """Stands still until told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(server: RawServer, clock: Clock) -> Iterator[Session]:
    """A session whose clock stands still: time-outs last as long as they did at first."""
    with closing(Session("yotpo", server.url, {}, Limits(), clock=clock)) as session:
        yield session


def closing(session: Session) -> contextlib.closing[Session]:
    return contextlib.closing(session)


def spend(session: Session, deadline: float = 10.0) -> Reply:
    return session.call("POST", "/redemptions", json={}, moves_points=True, deadline=deadline)


def save(session: Session) -> Reply:
    return session.call("POST", "/customers", json={}, deadline=10.0)


def read(session: Session, deadline: float = 10.0) -> Reply:
    return session.call("GET", "/customers", deadline=deadline)


def connecting_takes(seconds: float, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_connect(host: str, port: int) -> socket.socket:
        sock = connect(host, port)
        clock.now += seconds
        return sock

    connect = wire.connect
    monkeypatch.setattr(wire, "connect", slow_connect)


class TestAge:
    def test_calls_share_a_connection(self, server: RawServer, session: Session) -> None:
        for call in (read, save, spend, read):
            call(session)
        assert server.connections == 1

    def test_points_move_over_one_used_five_seconds_ago(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        read(session)
        clock.now += 5.0
        spend(session)
        assert server.connections == 1

    def test_points_move_over_a_new_one_after_that(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        read(session)
        clock.now += 5.1
        spend(session)
        assert server.connections == 2

    def test_age_counts_from_the_last_use(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        for _ in range(4):
            spend(session)
            clock.now += 4.0
        assert server.connections == 1

    def test_what_moves_no_points_may_use_an_older_one(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        read(session)
        clock.now += 30.0
        save(session)
        clock.now += 30.0
        read(session)
        assert server.connections == 1

    def test_none_is_used_after_a_minute(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        read(session)
        clock.now += 60.0
        read(session)
        assert server.connections == 2

    def test_one_that_the_server_closed_is_not_used(
        self, server: RawServer, session: Session
    ) -> None:
        server.tells(tell.answers_and_closes, tell.answers({}))
        read(session)
        assert server.closed.wait(10)
        spend(session)
        assert server.connections == 2


class TestWarm:
    def test_a_call_goes_out_on_a_connection_that_stood_ready(
        self, server: RawServer, session: Session
    ) -> None:
        assert session.warm(2)
        server.tells(tell.answers({}), tell.answers({}))
        read(session)
        until(lambda: server.connections == 2, "both are accepted")
        assert session.warm(2)
        assert server.connections == 2

    def test_asks_the_system_nothing(self, server: RawServer, session: Session) -> None:
        assert session.warm(2)
        until(lambda: server.connections == 2, "both are accepted")
        assert server.requests == []

    def test_what_grew_old_is_opened_anew(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        assert session.warm(2)
        clock.now += 26
        assert session.warm(2)
        until(lambda: server.connections == 4, "both are accepted anew")

    def test_a_call_meanwhile_takes_one_that_is_ready(
        self, server: RawServer, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read(session)
        connecting, may_connect = Event(), Event()
        connect = wire.connect

        def slow_connect(host: str, port: int) -> socket.socket:
            connecting.set()
            assert may_connect.wait(10)
            return connect(host, port)

        monkeypatch.setattr(wire, "connect", slow_connect)
        warming = Thread(target=session.warm, args=(2,))
        warming.start()
        assert connecting.wait(10)
        read(session)
        assert server.connections == 1
        may_connect.set()
        warming.join()
        until(lambda: server.connections == 2, "the other one is open as well")

    def test_a_machine_that_has_no_thread_left_is_no_error(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(host: str, port: int) -> socket.socket:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(wire, "connect", fail)
        assert not session.warm(2)

    def test_a_system_that_is_away_is_no_error(self, closed_port: int) -> None:
        limits = Limits()
        with closing(Session("yotpo", f"http://{HOST}:{closed_port}", {}, limits)) as session:
            assert [session.warm(2) for _ in range(20)] == [False] * 20
        limits.before(Call("yotpo", "GET", "/customers"))

    def test_tells_how_long_nobody_has_called(
        self, server: RawServer, session: Session, clock: Clock
    ) -> None:
        clock.now += 7
        session.warm(1)
        assert session.quiet_seconds() == 7
        server.tells(tell.answers({}))
        read(session)
        assert session.quiet_seconds() == 0


class TestTooLate:
    def test_is_looked_at_once_more_after_connecting(
        self,
        server: RawServer,
        session: Session,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        connecting_takes(5.1, clock, monkeypatch)
        with pytest.raises(Unavailable) as caught:
            spend(session)
        assert caught.value.reason == "too_late"
        assert server.requests == []

    def test_five_seconds_are_not_too_late(self, session: Session, clock: Clock) -> None:
        reply = session.call("POST", "/redemptions", json={}, deadline=10, asked_at=clock.now - 5.0)
        assert reply.status == 200


class TestDeadline:
    def test_counts_while_sending(self, server: RawServer) -> None:
        server.tells(tell.never_reads)
        with (
            closing(Session("yotpo", server.url, {}, Limits())) as session,
            lasting(0.5),
            pytest.raises(ReplyLost),
        ):
            session.call("POST", "/orders", json={"text": "x" * 20_000_000}, deadline=0.5)

    def test_counts_while_connecting(self, full_port: int) -> None:
        url = f"http://{HOST}:{full_port}"
        with (
            closing(Session("yotpo", url, {}, Limits(), connect_seconds=30.0)) as session,
            lasting(0.3),
            pytest.raises(Unavailable),
        ):
            spend(session, deadline=0.3)

    def test_has_passed_before_connecting(self, server: RawServer) -> None:
        with (
            closing(Session("yotpo", server.url, {}, Limits())) as session,
            pytest.raises(Unavailable) as caught,
        ):
            spend(session, deadline=0.0)
        assert caught.value.reason == "timeout"
        assert server.requests == []


class TestAddresses:
    """A name with several: each gets its share of the time to connect."""

    def addresses(self, monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (HOST, port))
            for port in ports
        ]
        monkeypatch.setattr(wire.socket, "getaddrinfo", lambda *_args, **_kwargs: found)

    def test_the_next_is_tried_when_one_is_dead(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch, full_port: int, closed_port: int
    ) -> None:
        self.addresses(monkeypatch, full_port, closed_port, server.port)
        with closing(
            Session("yotpo", "http://engine.test", {}, Limits(), connect_seconds=1.5)
        ) as session:
            assert spend(session).status == 200

    def test_the_next_is_tried_when_one_is_of_an_unknown_kind(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = [
            (family, socket.SOCK_STREAM, 0, "", (HOST, server.port))
            for family in (9999, socket.AF_INET)
        ]
        monkeypatch.setattr(wire.socket, "getaddrinfo", lambda *_args, **_kwargs: found)
        with closing(Session("yotpo", "http://engine.test", {}, Limits())) as session:
            assert spend(session).status == 200

    def test_all_of_them_share_the_time(
        self, monkeypatch: pytest.MonkeyPatch, full_port: int
    ) -> None:
        self.addresses(monkeypatch, full_port, full_port, full_port)
        with (
            closing(
                Session("yotpo", "http://engine.test", {}, Limits(), connect_seconds=0.3)
            ) as session,
            lasting(0.3),
            pytest.raises(Unavailable) as caught,
        ):
            spend(session)
        assert caught.value.reason == "timeout"

    def test_there_may_be_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses(monkeypatch)
        with (
            closing(Session("yotpo", "http://engine.test", {}, Limits())) as session,
            pytest.raises(Unavailable) as caught,
        ):
            spend(session)
        assert caught.value.reason == "dns"


class TestShared:
    def test_a_forked_process_opens_its_own(
        self, server: RawServer, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read(session)
        monkeypatch.setattr("connectors.session.os.getpid", lambda: ME + 1)
        read(session)
        assert server.connections == 2

    def test_cookies_are_not_kept(self, server: RawServer, session: Session) -> None:
        server.tells(tell.answers({}, set_cookie="customer=mara; Path=/"))
        read(session)
        read(session)
        assert "cookie" not in server.requests[1].lower()

    def test_the_environments_proxy_is_not_asked(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:9")
        assert read(session).status == 200

    def test_closing_it_is_no_end(self, server: RawServer, session: Session) -> None:
        read(session)
        session.close()
        read(session)
        assert server.connections == 2


class TestSettings:
    @pytest.mark.parametrize(
        ("url", "headers"),
        [
            ("not-a-url", {}),
            ("http://", {}),
            ("http://engine.test", {"x-api-key": "line\nbreak"}),
            ("http://engine.test", {"x-api-key": "typed \N{RIGHT SINGLE QUOTATION MARK}"}),
        ],
    )
    def test_senseless_ones_are_told(self, url: str, headers: dict[str, str]) -> None:
        with pytest.raises(Misconfigured) as caught:
            spend(Session("yotpo", url, headers, Limits()))
        assert caught.value.__context__ is None


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("tls"))


class TestTLS:
    @pytest.fixture
    def server(self, certified: Certified) -> Iterator[RawServer]:
        with RawServer(certified.server()) as server:
            yield server

    @pytest.fixture
    def session(self, server: RawServer, certified: Certified) -> Iterator[Session]:
        with closing(Session("yotpo", server.url, {}, Limits(), tls=certified.client())) as session:
            yield session

    def test_works_with_a_certificate_that_we_trust(
        self, server: RawServer, session: Session
    ) -> None:
        server.tells(tell.answers({"points_balance": 640}))
        assert [read(session).data, spend(session).data] == [{"points_balance": 640}] * 2
        assert server.connections == 1

    def test_shakes_hands_before_a_caller_comes(self, server: RawServer, session: Session) -> None:
        assert session.warm(2)
        until(lambda: server.connections == 2, "both are accepted")
        read(session)
        assert server.connections == 2

    def test_points_go_out_on_a_connection_that_is_quite_still(
        self, server: RawServer, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A record that arrived in part may be the end of the connection."""
        sockets: list[wire.TLSSocket] = []
        shake = wire.TLSSocket.do_handshake
        monkeypatch.setattr(
            wire.TLSSocket, "do_handshake", lambda sock: (sockets.append(sock), shake(sock))
        )

        def begins_another_record(conversation: tell.Conversation) -> None:
            tell.answers({})(conversation)
            os.write(conversation.sock.fileno(), b"\x17\x03\x03")

        server.tells(begins_another_record, tell.answers({}))
        read(session)
        assert select.select(sockets, [], [], 10)[0] == sockets[:1]
        spend(session)
        assert server.connections == 2

    def test_trusts_the_authorities_of_a_file(
        self, server: RawServer, certified: Certified
    ) -> None:
        tls = wire.tls_context(str(certified.authority))
        with closing(Session("yotpo", server.url, {}, Limits(), tls=tls)) as session:
            assert read(session).status == 200

    def test_refuses_one_that_we_dont_trust(self, server: RawServer) -> None:
        with (
            closing(Session("yotpo", server.url, {}, Limits())) as session,
            pytest.raises(Unavailable) as caught,
        ):
            spend(session)
        assert caught.value.reason == "tls"
        assert server.requests == []

    def test_refuses_one_for_another_name(self, server: RawServer, certified: Certified) -> None:
        url = server.url.replace(HOST, "localhost")
        with (
            closing(Session("yotpo", url, {}, Limits(), tls=certified.client())) as session,
            pytest.raises(Unavailable) as caught,
        ):
            spend(session)
        assert caught.value.reason == "tls"

    @pytest.mark.parametrize(
        "story",
        [tell.hangs, tell.trickles_headers, tell.trickles_body],
        ids=["silence", "headers", "body"],
    )
    def test_keeps_the_deadline(
        self, server: RawServer, session: Session, story: tell.Story
    ) -> None:
        server.tells(story)
        with lasting(0.6), pytest.raises(ReplyLost):
            spend(session, deadline=0.6)

    def test_keeps_the_deadline_while_sending(self, server: RawServer, session: Session) -> None:
        server.tells(tell.never_reads)
        with lasting(0.6), pytest.raises(ReplyLost):
            session.call("POST", "/orders", json={"text": "x" * 20_000_000}, deadline=0.6)

    def test_connecting_and_shaking_hands_share_one_time(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connecting_takes(29.9, clock, monkeypatch)
        with RawServer() as silent:
            silent.tells(tell.hangs_unread)
            url = silent.url.replace("http:", "https:")
            with (
                closing(
                    Session("yotpo", url, {}, Limits(), connect_seconds=30.0, clock=clock)
                ) as session,
                lasting(0.1),
                pytest.raises(Unavailable),
            ):
                spend(session, deadline=60.0)

    def test_reads_certificates_once(self) -> None:
        assert wire.tls_context() is wire.tls_context()
        assert wire.tls_context().verify_mode is ssl.CERT_REQUIRED
        assert wire.tls_context().check_hostname
