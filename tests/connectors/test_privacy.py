"""No error, log line or traceback names a customer or shows a credential, whatever went wrong."""

import logging
import traceback
from collections.abc import Callable, Iterator

import pytest

from connectors.errors import OutsideError, Unavailable
from connectors.wire import LIBRARY_LOGGERS
from connectors.yotpo.client import Credentials, Yotpo
from tests.connectors import raw_server as tell
from tests.connectors.conftest import API_KEY, GUID
from tests.connectors.raw_server import HOST, RawServer, Story

EMAIL = "mara@example.com"
PHONE = "+14155550123"
CODE = "QUILL-7781"
SECRETS = (EMAIL, "mara", "example.com", PHONE, "4155550123", GUID, API_KEY, CODE)

CALLS: dict[str, Callable[[Yotpo], object]] = {
    "by-email": lambda yotpo: yotpo.customer(email=EMAIL),
    "by-phone": lambda yotpo: yotpo.customer(phone=PHONE),
    "options": lambda yotpo: yotpo.options(email=EMAIL),
    "redeem": lambda yotpo: yotpo.create_redemption(email=EMAIL, option_id=1),
    "code": lambda yotpo: yotpo.redemption_code(CODE),
    "give-back": lambda yotpo: yotpo.approve_cancellation(10869305, CODE),
    "enrol": lambda yotpo: yotpo.save_customer(email=EMAIL, phone=PHONE),
    "birthday": lambda yotpo: yotpo.save_birthday(email=EMAIL, day=17, month=4),
    "campaigns": lambda yotpo: yotpo.campaigns(email=EMAIL),
}
ECHO = {"error": f"{EMAIL} {PHONE} {GUID} {API_KEY}"}
STORIES = {
    "401": tell.answers(ECHO, 401),
    "404": tell.answers(ECHO, 404),
    "422": tell.answers(ECHO, 422),
    "429": tell.answers(ECHO, 429),
    "302": tell.answers(b"", 302, location=f"/{EMAIL}"),
    "500": tell.answers(ECHO, 500),
    "list": tell.answers([ECHO]),
    "html": tell.says_html(),
    "cut": tell.cuts_body,
    "no-gzip": tell.answers(ECHO, 422, content_encoding="gzip"),
    "nonsense": tell.speaks_nonsense,
    "odd-headers": tell.sends(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nNo header\r\n\r\n"),
    "reset": tell.resets_when_read,
    "closed": tell.drops_when_read,
}


@pytest.fixture(autouse=True)
def all_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    levels = {name: logging.getLogger(name).level for name in ("urllib3", *LIBRARY_LOGGERS)}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def yotpo(server: RawServer) -> Iterator[Yotpo]:
    client = Yotpo(Credentials(server.url, GUID, API_KEY), read_seconds=2.0, write_seconds=2.0)
    yield client
    client.close()


@pytest.mark.parametrize("name", ["by-email", "redeem"])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_of_what_the_engine_does(
    server: RawServer,
    yotpo: Yotpo,
    name: str,
    story: Story,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.tells(story)
    with pytest.raises(OutsideError) as caught:
        CALLS[name](yotpo)
    tells_nothing(caught.value, caplog)


@pytest.mark.parametrize("name", ["by-email", "redeem"])
@pytest.mark.parametrize("url", ["http://engine.invalid", "http://{host}:{port}", "https://{raw}"])
def test_of_what_is_not_sent(
    server: RawServer,
    closed_port: int,
    name: str,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.tells(tell.speaks_nonsense_unread)
    yotpo = Yotpo(
        Credentials(
            url.format(host=HOST, port=closed_port, raw=f"{HOST}:{server.port}"), GUID, API_KEY
        )
    )
    with pytest.raises(Unavailable) as caught:
        CALLS[name](yotpo)
    yotpo.close()
    tells_nothing(caught.value, caplog)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_of_silence(
    server: RawServer, call: Callable[[Yotpo], object], caplog: pytest.LogCaptureFixture
) -> None:
    server.tells(tell.hangs)
    credentials = Credentials(server.url, GUID, API_KEY)
    yotpo = Yotpo(credentials, read_seconds=0.05, write_seconds=0.05)
    with pytest.raises(OutsideError) as caught:
        call(yotpo)
    yotpo.close()
    tells_nothing(caught.value, caplog)


def test_of_what_works(server: RawServer, yotpo: Yotpo, caplog: pytest.LogCaptureFixture) -> None:
    server.tells(
        tell.answers({"points_balance": 1, "email": EMAIL, "phone_number": PHONE}),
        tell.answers({"id": 1, "reward_text": CODE}),
        tell.answers({"id": 1, "code": CODE, "email": EMAIL}),
    )
    results = [CALLS[name](yotpo) for name in ("by-email", "redeem", "code")]
    hides_everyone(repr(results))
    hides_everyone(repr(Credentials("http://engine.test", GUID, API_KEY)))
    hides_everyone(caplog.text)
    assert "yotpo GET /customers" in caplog.text


def tells_nothing(error: OutsideError, caplog: pytest.LogCaptureFixture) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    hides_everyone(str(error))
    hides_everyone(repr(error))
    hides_everyone(str(vars(error)))
    logging.getLogger("connectors").error("Failed", exc_info=error)
    hides_everyone("".join(traceback.TracebackException.from_exception(error).format()))
    hides_everyone(caplog.text)


def hides_everyone(text: str) -> None:
    """None of it is in there."""
    assert [secret for secret in SECRETS if secret in text] == []


def test_of_libraries_that_log_urls(caplog: pytest.LogCaptureFixture) -> None:
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).warning("GET /customers?customer_email=%s", EMAIL)
    hides_everyone(caplog.text)


def test_every_logger_of_urllib3_is_known() -> None:
    found = {name for name in logging.root.manager.loggerDict if name.startswith("urllib3.")}
    known = set(LIBRARY_LOGGERS)
    folders = {name.rpartition(".")[0] for name in found | known}
    # http2 is never asked for; it would log frames, not URLs.
    assert found - known - folders - {"urllib3.http2.connection"} == set()
