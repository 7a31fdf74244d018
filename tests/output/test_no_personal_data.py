"""The last leg of `make test`: nothing that the others wrote names or reaches a person."""

import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import phonenumbers
import pytest

from sandbox.control import API_KEY
from sandbox.yotpo.seed_members import MEMBERS
from tests.output.personal import findings

# A line of the web server's log, in words or in JSON.
REQUEST_LINE = re.compile(
    r"^(?=.*loyalty_panel\.request).*\broute\W+panel/\S*?(\w+)[\s\"]", re.MULTILINE
)
# What customers' data goes through on its way: a run that logged none of these proves nothing.
WITH_PEOPLE = {"lookup", "redeem", "undo", "enrol"}


@pytest.fixture(scope="module")
def output() -> dict[str, str]:
    """File -> what the other legs wrote into it."""
    told = os.environ.get("TEST_OUTPUT_DIR")
    if told is None:
        pytest.skip("TEST_OUTPUT_DIR is not set: run `make test`, whose other legs write there")
    folder = Path(told)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in files}


def test_the_other_legs_have_written(output: dict[str, str]) -> None:
    assert [name for name, text in output.items() if text.strip()]


def test_servers_have_logged_what_people_pass_through(output: dict[str, str]) -> None:
    routes = {route for text in output.values() for route in REQUEST_LINE.findall(text)}
    assert routes >= WITH_PEOPLE


def test_nobodys_data_is_in_any_output(output: dict[str, str]) -> None:
    found = [f"{name}, {find}" for name, text in output.items() for find in findings(text)]
    assert found == []


# That it would be found


def national(phone: str) -> str:
    return str(phonenumbers.parse(phone).national_number)


MARA, LAYLA = MEMBERS[0], next(member for member in MEMBERS if member.first == "ليلى")
EMAIL, PHONE, NAME = str(MARA.email), str(MARA.phone), str(MARA.first)
PLANTED = {
    "an email": (EMAIL, "an email"),
    "an email in capitals": (EMAIL.upper(), "an email"),
    "an email in an address": (f"?customer_email={quote(EMAIL)}&x=1", "an email"),
    "an email among other letters": (f"no customer <{EMAIL}>.", "an email"),
    "a phone": (PHONE, "a phone"),
    "a phone in an address": (f"phone_number={quote_plus(PHONE)}&x=1", "a phone"),
    "a phone without its country": (f"digits {national(PHONE)}.", "a phone"),
    "a phone in groups": (f"({PHONE[2:5]}) {PHONE[5:8]}-{PHONE[8:]}", "a phone"),
    "a foreign phone": (str(next(m.phone for m in MEMBERS if "+44" in str(m.phone))), "a phone"),
    "a last name": ("Hello Lindqvist!", "a name"),
    "a whole name": (f"Hello {MARA.first} {MARA.last}!", "a name"),
    "a whole name in an address": (f"name={MARA.first}+{MARA.last}", "a name"),
    "a name in another script": (str(LAYLA.last), "a name"),
    "a name in JSON": (ascii(LAYLA.last), "a name"),
    "a name in an address": (quote(str(LAYLA.last)), "a name"),
    "the API key": (f"x-api-key: {API_KEY}", "the API key"),
}
HARMLESS = {
    "a request line": "[loyalty_panel.request] method=POST ms=3.1 route=panel/lookup status=200",
    "a scrubbed line": "no customer [email] at [phone]",
    "the shop and its people": "Quill & Thread (demo), Harbor Street; Ben Okafor",
    "Python's words": "from collections import Counter  # Exact",
    "an id": "request_id=6f1bf6c1c60548d49ab93e70366464e0",
    "another email": "Welcome nobody@example.com",
    "a longer number": f"{national(PHONE)}4",
}


@pytest.mark.parametrize(("line", "kind"), PLANTED.values(), ids=PLANTED.keys())
def test_what_was_planted_is_found(line: str, kind: str) -> None:
    assert findings(f"first\nsecond\n{line}\nlast") == [f"line 3: {kind}"]


@pytest.mark.parametrize("member", range(len(MEMBERS)))
def test_everybody_would_be_found(member: int) -> None:
    person = MEMBERS[member]
    whole = f"{person.first} {person.last}" if person.last else None
    for text, kind in ((person.email, "an email"), (person.phone, "a phone"), (whole, "a name")):
        assert text is None or findings(text) == [f"line 1: {kind}"], kind


@pytest.mark.parametrize("line", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_harmless_is_left_alone(line: str) -> None:
    assert findings(line) == []


def test_a_find_is_told_without_repeating_it() -> None:
    told = findings(f"{EMAIL} {PHONE} {API_KEY}")
    assert told == ["line 1: an email", "line 1: a phone", "line 1: the API key"]


@pytest.mark.parametrize(
    "line",
    [
        "2026 [info ] request  [loyalty_panel.request] method=POST "
        "route=panel/<slug:installation>/lookup status=200",
        '{"method": "POST", "logger": "loyalty_panel.request", '
        '"route": "panel/<slug:installation>/lookup", "status": 200}',
    ],
    ids=["words", "JSON"],
)
def test_a_servers_line_is_recognised(line: str) -> None:
    assert REQUEST_LINE.findall(line) == ["lookup"]
