"""requirements.txt is what a production machine installs with plain pip."""

import re

import pytest

from tests.ground.checkout import ROOT

PIN = re.compile(r"^([a-z0-9.-]+)(?:\[[a-z,-]+\])?==(\S+)", re.MULTILINE | re.IGNORECASE)
ASKED = re.compile(r"^([A-Za-z][\w.-]*)", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def pins(name: str) -> dict[str, str]:
    return {package.lower(): version for package, version in PIN.findall(text(name))}


PINNED = ["requirements.txt", "requirements-dev.txt", "requirements-next.txt"]


@pytest.mark.parametrize("name", PINNED)
def test_every_pin_has_a_hash(name):
    entries = re.split(r"\n(?=[A-Za-z])", text(name))
    without = [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]

    assert pins(name)
    assert without == []


@pytest.mark.parametrize("name", PINNED)
def test_no_index_is_named(name):
    assert not re.search(r"^\s*(-i|-f|--\S*(index|find-links|host)\S*)\b", text(name), re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements", "requirements-test", "requirements-dev"])
def test_everything_asked_for_is_pinned(name):
    assert asked_for(name)
    assert asked_for(name) <= pins("requirements-dev.txt").keys()


def test_everything_that_production_asks_for_is_pinned_for_it():
    assert asked_for("requirements") <= pins("requirements.txt").keys()


def test_the_next_leg_has_it_all_but_what_django_has_by_then():
    everything = asked_for("requirements") | asked_for("requirements-test")

    assert everything - pins("requirements-next.txt").keys() == {"django-template-partials"}


def test_the_next_leg_has_a_django_of_its_own():
    now, then = (pins(f"requirements{name}.txt")["django"] for name in ("", "-next"))

    assert (now.rpartition(".")[0], then.rpartition(".")[0]) == ("5.2", "6.1")


def asked_for(name: str) -> set[str]:
    return {package.lower() for package in ASKED.findall(text(f"{name}.in"))}


def test_development_has_the_versions_of_production():
    development = pins("requirements-dev.txt")
    production = pins("requirements.txt")

    assert {package: development.get(package) for package in production} == production
