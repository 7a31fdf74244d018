"""One line an event, and nobody's name in it."""

import json
import logging
import time
from typing import Any

import pytest
import structlog

from loyalty_panel.logs import scrub

log = structlog.get_logger("loyalty_panel.test")
plain_log = logging.getLogger("some.library")

SCRUBBED = {
    "an email": ("no customer ada@example.com here", "no customer [email] here"),
    "an email in capitals": ("ADA@EXAMPLE.COM", "[email]"),
    "a plus-tag": ("ada+till@example.com", "[email]"),
    "in angle brackets": ("Ada <ada@example.com>", "Ada <[email]>"),
    "in quotes": ("'ada@example.com'", "'[email]'"),
    "another alphabet": ("ليلى@مثال.السعودية!", "[email]"),
    "no dot in the domain": ("ada@mail", "[email]"),
    "two": ("ada@example.com,ida@example.com", "[email],[email]"),
    "in a query string": (
        "/x?customer_email=ada%40example.com&y=1",
        "/x?customer_email=[email]&y=1",
    ),
    "in JSON": ('{"email":"ada@example.com"}', '{"email":"[email]"}'),
    "credentials in an address": ("postgres://me:pass@host/db", "postgres://me:[email]"),
    "a phone": ("call +14155550199 now", "call [phone] now"),
    "a phone in groups": ("+1 (415) 555-0199", "[phone]"),
    "a phone in a query string": ("phone_number=%2B14155550199", "phone_number=[phone]"),
    "encoded in small letters": ("phone_number=%2b14155550199", "phone_number=[phone]"),
    "neither": ("redeemed 640 points at 2026-11-22", "redeemed 640 points at 2026-11-22"),
    "arithmetic": ("1+1 is 2", "1+1 is 2"),
}


@pytest.mark.parametrize(("text", "scrubbed"), SCRUBBED.values(), ids=SCRUBBED.keys())
def test_emails_and_phones_are_taken_out(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


def test_a_long_line_takes_no_longer_than_others() -> None:
    started = time.monotonic()
    scrub("a" * 100_000 + "+" * 100_000)
    assert time.monotonic() - started < 5


# An event's values, as a careless line would log them.
CARELESS: dict[str, Any] = {
    "text": "ada@example.com",
    "exception": ValueError("no ada@example.com"),
    "list": ["ada@example.com"],
    "dictionary": {"email": "ada@example.com"},
    "bytes": b"ada@example.com",
}


@pytest.mark.parametrize("value", CARELESS.values(), ids=CARELESS.keys())
def test_no_value_of_an_event_brings_an_email(log_lines, terminal_lines, value: Any) -> None:
    log.info("careless", value=value)
    written = log_lines() + terminal_lines()
    assert "careless" in written[0]
    assert not any("ada@" in line for line in written)


def test_numbers_and_flags_stay_what_they_are(log_lines) -> None:
    log.info("counted", points=640, share=0.5, done=True, reason=None)
    line = json.loads(log_lines()[0])
    assert [line[name] for name in ("points", "share", "done", "reason")] == [640, 0.5, True, None]


def test_a_librarys_line_is_scrubbed_and_structured(log_lines) -> None:
    plain_log.warning("Cannot send to %s", "ada@example.com")
    line = json.loads(log_lines()[0])
    assert line["event"] == "Cannot send to [email]"
    assert (line["level"], line["logger"]) == ("warning", "some.library")


def fail() -> None:
    try:
        raise KeyError("ada@example.com")
    except KeyError as error:
        raise RuntimeError("nobody at +14155550199") from error


@pytest.mark.parametrize("logger", [log, plain_log], ids=["ours", "a library's"])
def test_a_traceback_is_scrubbed_to_its_cause(log_lines, terminal_lines, logger: Any) -> None:
    try:
        fail()
    except RuntimeError:
        logger.exception("failed")
    for written in ("\n".join(log_lines()), "\n".join(terminal_lines())):
        assert "RuntimeError: nobody at [phone]" in written
        assert "KeyError" in written
        assert "ada@" not in written


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "requests", "django.request"])
def test_loggers_that_print_addresses_are_silent(log_lines, name: str) -> None:
    logging.getLogger(name).error("GET /customers?customer_email=someone")
    assert log_lines() == []


def test_a_line_has_its_time_level_and_logger(log_lines) -> None:
    log.warning("happened")
    line = json.loads(log_lines()[0])
    assert line["timestamp"].endswith("Z")
    assert (line["event"], line["level"]) == ("happened", "warning")
    assert line["logger"] == "loyalty_panel.test"
