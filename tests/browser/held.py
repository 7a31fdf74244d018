"""A request that goes out, or is answered, only when the test lets it."""

import time
from contextlib import suppress

from playwright.sync_api import APIResponse, Error, Page, Route

LONGEST = 15
# What comes of an answer is done in this time.
WORKED_IN_MS = 150


class Held:
    """The next request to an address; later ones to it pass."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._address = address
        self._routes: list[Route] = []
        self._answer: APIResponse | None = None
        self._ended = False
        # Not `times=1`: when that is used up, Playwright lets go of all that is held.
        page.route(address, self._hold)

    def _hold(self, route: Route) -> None:
        if self._routes:
            route.fallback()
        else:
            self._routes.append(route)

    def wait(self) -> None:
        """Until the page has sent it."""
        end = time.monotonic() + LONGEST
        while not self._routes:
            assert time.monotonic() < end, f"Nothing was sent to {self._address}"
            self._page.wait_for_timeout(20)

    def let_go(self) -> None:
        """It goes to the server, and its answer to the page."""
        self.answer_later()
        self.answer_now()

    def answer_later(self) -> None:
        """It goes to the server; its answer is kept back."""
        self._answer = self._routes[0].fetch()

    def answer_now(self) -> None:
        assert self._answer is not None
        self._ended = True
        self._routes[0].fulfill(response=self._answer)
        self._page.wait_for_timeout(WORKED_IN_MS)

    def break_off(self) -> None:
        """As when the network fails."""
        self._ended = True
        self._routes[0].abort()

    def end(self) -> None:
        """Let it go, if that is still to be done and the page still waits for it."""
        if self._routes and not self._ended:
            with suppress(Error):
                self.let_go()
