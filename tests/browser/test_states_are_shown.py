"""Every state of the panel has its test, its pictures and its place in docs/screens.md."""

import re

import pytest

import screenshots
from tests.browser.states import STATES
from tests.ground.checkout import ROOT

TESTS = (ROOT / "tests" / "browser" / "test_states.py").read_text()
MOST_BYTES = 60_000


def test_a_state_has_a_test_of_its_name_and_a_test_has_a_state():
    assert re.findall(r"^def test_(\w+)\(", TESTS, re.MULTILINE) == list(STATES)


def test_the_page_of_states_is_what_would_be_written_now():
    """Else type: make screenshots"""
    assert screenshots.PAGE.read_text() == screenshots.draw()


def test_there_is_a_picture_of_every_state_in_every_look_and_no_other():
    wanted = {
        screenshots.name_of(state, width, scheme)
        for state in STATES.values()
        for width, scheme in screenshots.looks()
    }
    assert {picture.name for picture in screenshots.SCREENS.iterdir()} == wanted


@pytest.mark.parametrize("name", STATES)
def test_the_pictures_are_small(name):
    for picture in screenshots.SCREENS.glob(f"{name}-*.png"):
        assert picture.stat().st_size < MOST_BYTES
