"""Browsers by what they let a page in a foreign frame keep."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Playwright

from tests.browser import firefox_bidi

# Of Chromium's profile; Debian's default is the second.
CHROMIUM: dict[str, dict[str, Any]] = {
    "third-party cookies allowed": {"cookie_controls_mode": 0},
    "third-party cookies blocked": {"cookie_controls_mode": 1},
    "all cookies blocked": {"default_content_setting_values": {"cookies": 2}},
}
FIREFOX = "Firefox"
# A click that WebDriver makes does not reach a frame that another process draws, without a screen.
IN_ONE_PROCESS: dict[str, Any] = {"fission.autostart": False}
ALL = [*CHROMIUM, FIREFOX]


def some(hardest: str, *, without: str | None = None) -> list[Any]:
    """Parameters: the hardest for `make test`, all others for `make long`."""
    return [
        policy if policy == hardest else pytest.param(policy, marks=pytest.mark.long)
        for policy in ALL
        if policy != without
    ]


@contextmanager
def browsing(
    playwright: Playwright, policy: str, chromium: str, arguments: list[str], folder: Path
) -> Iterator[BrowserContext]:
    """A browser of its own with this policy, and a new profile in `folder`."""
    if policy == FIREFOX:
        # Debian's own, by WebDriver BiDi: Playwright's other way needs a Firefox that it patched.
        context = playwright.firefox.launch_persistent_context(
            folder / "profile",
            executable_path=firefox(folder),
            channel="moz-firefox",
            firefox_user_prefs=IN_ONE_PROCESS,
        )
    else:
        profile = folder / "Default"
        profile.mkdir()
        (profile / "Preferences").write_text(json.dumps({"profile": CHROMIUM[policy]}))
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=chromium, args=arguments
        )
    yield context
    context.close()


def firefox(folder: Path) -> Path:
    """A program that starts it so that Playwright can speak with it."""
    found = shutil.which("firefox-esr")
    if found is None:
        pytest.skip("No Firefox: type: sudo apt-get install firefox-esr")
    program = folder / "firefox"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{firefox_bidi.__file__}" "{found}" "$@"\n'
    )
    program.chmod(0o755)
    return program
