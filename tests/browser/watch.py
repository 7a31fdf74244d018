"""What a browser says went wrong while a test ran."""

import re
import time

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

# Chromium's own console line for it depends on the version; the event says it in every one.
TELL_CSP = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} forbids ${event.blockedURI || "inline"}`));
"""
# Chromium's line, and htmx's, for an answer that is no 2xx.
STATUS = re.compile(r"status of (\d{3})|Response Status Error Code (\d{3})")
# The same where there was no answer at all.
NO_ANSWER = re.compile(r"net::ERR_[A-Z_]+|htmx:(sendError|sendAbort|afterRequest|timeout)")
NO_CONNECTION = "no connection"
LONGEST_CALL = 15


class Watch:
    """Listens to every page of a context, for one test after the other."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.under_way: set[Request] = set()
        context.add_init_script(TELL_CSP)
        context.on("console", self._note_line)
        context.on("weberror", self._note_error)
        context.on("request", self._note_begun)
        context.on("requestfinished", self._note_ended)
        context.on("requestfailed", self._note_failed)
        context.on("response", self._note_status)
        self.begin(set())

    def begin(self, provoked: set[int | str]) -> None:
        """`provoked` is what the test expects to go wrong."""
        self.provoked = provoked
        self.seen: set[int | str] = set()
        self.complaints: list[str] = []

    def _note_line(self, line: ConsoleMessage) -> None:
        if line.type not in {"error", "warning"}:
            return
        status = STATUS.search(line.text)
        what = int(status[1] or status[2]) if status else NO_CONNECTION
        if (status or NO_ANSWER.search(line.text)) and what in self.provoked:
            return
        self.complaints.append(f"console {line.type}: {line.text}")

    def _note_error(self, error: WebError) -> None:
        self.complaints.append(f"page error: {error.error}")

    def _note_begun(self, request: Request) -> None:
        self.under_way.add(request)

    def _note_ended(self, request: Request) -> None:
        self.under_way.discard(request)

    def _note_failed(self, request: Request) -> None:
        self.under_way.discard(request)
        self.seen.add(NO_CONNECTION)

    def _note_status(self, response: Response) -> None:
        # Answered; that a page reads it to its end is another matter.
        self.under_way.discard(response.request)
        if response.status >= 400:
            self.seen.add(response.status)

    def end(self) -> None:
        """Leave the pages, then judge what they said."""
        for page in self.context.pages:
            self._still(page)
            page.goto("about:blank")
        self.under_way.clear()
        assert not self.complaints, "\n".join(self.complaints)
        unseen = self.provoked - self.seen
        assert not unseen, f"The test says that it provokes {unseen}; it did not."

    def _still(self, page: Page) -> None:
        """What is under way ends first: else the server might spend a fault of the next test."""
        end = time.monotonic() + LONGEST_CALL
        while self.under_way and time.monotonic() < end:
            page.wait_for_timeout(20)
