"""What holds in every state: axe is content, all fits into the narrowest frame, a thumb hits it."""

import pytest
from playwright.sync_api import Page

from sandbox.control import Sandbox
from tests.browser.axe import complaints
from tests.browser.fit import expect_it_fits
from tests.browser.states import STATES, State
from tests.browser.till import Till

pytestmark = pytest.mark.browser

NARROWEST, WIDEST = 320, 1280
LOOKS: dict[str, dict[str, str]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "contrast": {"color_scheme": "light", "contrast": "more"},
    "dark contrast": {"color_scheme": "dark", "contrast": "more"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}
AS_IT_IS = {"color_scheme": "light", "contrast": "no-preference", "forced_colors": "none"}

every_state = pytest.mark.parametrize(
    "state",
    [pytest.param(one, marks=pytest.mark.provokes(*one.provokes)) for one in STATES.values()],
    ids=STATES,
)


@every_state
def test_it_is_accessible_and_fits(state: State, till: Till, sandbox: Sandbox):
    state.reach(till, sandbox)
    found = [line for look in LOOKS for line in complaints_in(till.page, look)]
    assert not found, "\n".join(found)
    for width in (NARROWEST, WIDEST):
        till.page.set_viewport_size({"width": width, "height": 640})
        expect_it_fits(till.page)


def complaints_in(page: Page, look: str) -> list[str]:
    page.emulate_media(**AS_IT_IS | LOOKS[look])
    try:
        found = complaints(page, of_colour_only=look != "light")
        return [f"{look}: {line}" for line in found]
    finally:
        page.emulate_media(**AS_IT_IS)
