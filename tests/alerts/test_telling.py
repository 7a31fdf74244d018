"""What goes out: a mail for all of it, and a webhook that a receiver can verify."""

import hashlib
import hmac
import json
import smtplib
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.mail.backends import locmem
from django.utils import timezone

from alerts import addresses, posting
from alerts.addresses import NotAllowed, check_address, parts_of
from alerts.models import Alert, Recipient
from alerts.posting import post
from alerts.watching import set_aside
from connectors import wire
from connectors.errors import Misconfigured, Refused, ReplyLost, Throttled, Unavailable
from outbox.models import Delivery
from tests.alerts.conftest import low
from tests.support.certificates import certify

pytestmark = pytest.mark.django_db


class Receiver(HTTPServer):
    """Keeps what it is told, and answers as the test says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.drip = threading.Event()

    def handle_error(self, *_args):
        """A caller that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/again")
        self.send_header("Content-Length", "0")
        if self.server.status == 299:
            while not self.server.drip.wait(0.02):
                self.wfile.write(b"X")
                self.wfile.flush()
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.drip.set()
    server.shutdown()
    server.server_close()


def url_of(receiver: Receiver, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{receiver.server_port}/alerts?x=1"


class TestMail:
    @pytest.fixture(autouse=True)
    def _somebody_listens(self, settings):
        settings.ALERT_EMAILS = ["desk@example.com", "night@example.com"]

    def test_one_mail_says_all(self, look, work, mailoutbox):
        (told,) = look(low("7", path="/admin/x/"), low("8"))
        assert work(told).state == "done"

        (mail,) = mailoutbox
        assert mail.to == ["desk@example.com", "night@example.com"]
        assert mail.subject == "[Loyalty Panel] 2 alerts: pool.low"
        assert "Pool 7 is low." in mail.body
        assert "http://127.0.0.1:8000/admin/x/" in mail.body
        assert "Pool 8 is low." in mail.body

    def test_what_is_over_or_set_aside_by_then_is_not_mailed(self, look, work, mailoutbox):
        (told,) = look(low())
        set_aside(Alert.objects.all())
        assert work(told).state == "withdrawn"
        assert mailoutbox == []

    def test_old_news_is_not_mailed(self, look, work, mailoutbox):
        (told,) = look(low())
        Delivery.objects.update(created_at=timezone.now() - timedelta(hours=21))
        assert work(told).state == "withdrawn"
        assert mailoutbox == []

    def test_a_recipients_mail_goes_to_them_alone(self, look, work, mailoutbox):
        Recipient.objects.create(label="Boss", email="boss@example.com")
        for told in look(low()):
            work(told)
        assert [mail.to for mail in mailoutbox] == [
            ["desk@example.com", "night@example.com"],
            ["boss@example.com"],
        ]

    @pytest.mark.parametrize(
        ("raised", "state", "reason"),
        [
            (smtplib.SMTPServerDisconnected("x"), "pending", ""),
            (ConnectionRefusedError(), "pending", ""),
            (smtplib.SMTPDataError(451, b"later"), "pending", ""),
            (smtplib.SMTPDataError(550, b"never"), "parked", "refused"),
            (smtplib.SMTPRecipientsRefused({}), "parked", "refused"),
            (smtplib.SMTPAuthenticationError(535, b"no"), "pending", ""),
        ],
    )
    def test_a_mail_server_that_fails(self, look, work, monkeypatch, raised, state, reason):
        def fail(_self, _messages):
            raise raised

        (told,) = look(low())
        monkeypatch.setattr(locmem.EmailBackend, "send_messages", fail)
        work(told)
        assert (told.state, told.parked_reason) == (state, reason)


class TestWebhook:
    def test_a_receiver_can_verify_it(self, look, work, receiver):
        recipient = Recipient.objects.create(label="Desk", url=url_of(receiver))
        (told,) = look(low(count=3))
        assert work(told).state == "done"

        # The ten lines of docs/alerts.md.
        headers, body = receiver.got[0]
        timestamp = headers["X-Loyalty-Panel-Timestamp"]
        wanted = hmac.new(
            recipient.secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256
        ).hexdigest()
        assert hmac.compare_digest(headers["X-Loyalty-Panel-Signature"], f"v1={wanted}")
        assert headers["X-Loyalty-Panel-Id"] == json.loads(body)["id"] == told.key
        (alert,) = json.loads(body)["alerts"]
        assert (alert["event"], alert["kind"], alert["count"]) == ("raised", "pool.low", 3)

    def test_systems_hear_that_it_is_over(self, look, work, receiver):
        Recipient.objects.create(label="Desk", url=url_of(receiver))
        for conditions in ([low()], []):
            (told,) = look(*conditions)
            work(told)
        events = [json.loads(body)["alerts"][0]["event"] for _, body in receiver.got]
        assert events == ["raised", "cleared"]

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (302, Refused),
            (404, Refused),
            (401, Misconfigured),
            (429, Throttled),
            (503, Throttled),
            (500, ReplyLost),
        ],
    )
    def test_what_a_status_counts_as(self, receiver, status, error):
        receiver.status = status
        with pytest.raises(error) as told:
            post(url_of(receiver), b"{}", {})
        assert type(told.value) is error
        assert len(receiver.got) == 1  # no redirect was followed

    def test_nobody_holds_us_up_by_dripping(self, receiver, monkeypatch):
        monkeypatch.setattr(posting, "DEADLINE_SECONDS", 0.3)
        receiver.status = 299
        with pytest.raises(ReplyLost):
            post(url_of(receiver), b"{}", {})

    def test_out_of_reach(self, receiver):
        address = url_of(receiver)
        receiver.shutdown()
        receiver.server_close()
        with pytest.raises(Unavailable):
            post(address, b"{}", {})


def test_a_name_server_that_does_not_answer_holds_nobody_up(monkeypatch):
    answers = threading.Event()

    def getaddrinfo(_host, port, *_how, **_more):
        answers.wait(10)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(posting, "LOOK_UP_SECONDS", 0.1)
    monkeypatch.setattr(wire.socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Unavailable) as told:
        post("https://hooks.example.com/", b"{}", {})
    answers.set()
    assert told.value.reason == "dns"


def resolves_to(monkeypatch, *answers):
    """A name server whose answer changes from one question to the next; the last one stays."""
    left = list(answers)
    asked = []

    def getaddrinfo(host, port, *_how, **_more):
        if host[0].isdigit():
            return [(2, 1, 6, "", (host, port))]
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(2, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(wire.socket, "getaddrinfo", getaddrinfo)
    return asked


class TestInside:
    """No webhook leads into the network that we stand in."""

    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
            *("100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1"),
            *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
            *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
            "64:ff9b:1::7f00:1",
        ],
    )
    def test_none_of_these(self, settings, address):
        settings.ALERT_LOOPBACK = False
        with pytest.raises(NotAllowed):
            check_address(addresses.ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808"])
    def test_these_are_outside(self, settings, address):
        settings.ALERT_LOOPBACK = False
        check_address(addresses.ipaddress.ip_address(address))

    def test_plain_http_is_for_the_demo_alone(self, settings):
        settings.ALERT_LOOPBACK = False
        with pytest.raises(NotAllowed):
            parts_of("http://example.com/")

    @pytest.mark.parametrize("found", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"]])
    def test_a_name_that_leads_inside_is_parked_and_says_so(self, look, work, monkeypatch, found):
        resolves_to(monkeypatch, found)
        Recipient.objects.create(label="Desk", url="https://hooks.example.com/")
        (told,) = look(low())
        work(told)
        assert (told.state, told.parked_reason) == ("parked", "refused")
        assert "private network" in told.tries.get().words

    def test_a_name_that_changes_after_the_check_changes_nothing(self, monkeypatch, tmp_path):
        """DNS rebinding: the second answer is an inside address, and is never asked for."""
        asked = resolves_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        called = []

        def connect(address, _timeout):
            called.append(address)
            raise ConnectionRefusedError

        monkeypatch.setattr(posting.socket, "create_connection", connect)
        with pytest.raises(Unavailable):
            post("https://hooks.example.com/", b"{}", {})
        assert asked == ["hooks.example.com"]
        assert called == [("127.0.0.1", 443)]

    def test_the_next_address_is_tried_where_the_first_is_not_there(self, receiver, monkeypatch):
        resolves_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
        connect = posting.socket.create_connection

        def one_is_down(address, seconds):
            if address[0] == "127.0.0.9":
                raise ConnectionRefusedError
            return connect(address, seconds)

        monkeypatch.setattr(posting.socket, "create_connection", one_is_down)
        post(url_of(receiver, "hooks.example.com"), b"{}", {})
        assert len(receiver.got) == 1

    def test_the_certificate_must_be_of_the_name_and_not_of_the_address(
        self, receiver, monkeypatch, tmp_path
    ):
        pair = certify(tmp_path)
        receiver.socket = pair.server().wrap_socket(receiver.socket, server_side=True)
        post(f"https://127.0.0.1:{receiver.server_port}/", b"{}", {}, pair.client())
        resolves_to(monkeypatch, ["127.0.0.1"])
        with pytest.raises(Unavailable) as told:
            post(f"https://hooks.example.com:{receiver.server_port}/", b"{}", {}, pair.client())
        assert told.value.reason == "tls"
        assert len(receiver.got) == 1
