"""What can go wrong with a call to an outside system, told without naming a person.

HTTP stops here: callers see these classes, never a status code or a library's exception.
The text of an error holds the system, the method, the template of the path and the status; never a
query, a body, an address or a credential. `can_retry` says whether trying again can help.
"""

from typing import ClassVar, NamedTuple


class Call(NamedTuple):
    """Which call it was: enough to log, nothing that names a person.

    `path` is the template, such as "/redemptions/{id}/cancellation_completed".
    """

    system: str
    method: str
    path: str


class OutsideError(Exception):
    """A call to an outside system that brought no answer we can use."""

    can_retry: ClassVar[bool] = False
    what: ClassVar[str] = "failed"

    def __init__(self, system: str, method: str, path: str, status: int | None = None) -> None:
        super().__init__(system, method, path, status)
        self.system = system
        self.method = method
        self.path = path
        self.status = status

    def __str__(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        return f"{self.system} {self.what}: {self.method} {self.path}{status}"


class Unavailable(OutsideError):
    """Nothing happened there: the call was not sent, or only asked and brought nothing.

    `reason` is a short code: breaker, too_late, dns, connect, tls, timeout, dropped, unreadable,
    status.
    """

    can_retry = True
    what = "is unavailable"

    def __init__(
        self,
        system: str,
        method: str,
        path: str,
        status: int | None = None,
        *,
        reason: str = "connect",
    ) -> None:
        super().__init__(system, method, path, status)
        self.reason = reason


class Throttled(OutsideError):
    """Too many calls; nothing was done. `wait` is how many seconds to leave it alone."""

    can_retry = True
    what = "asks us to wait"

    def __init__(
        self,
        system: str,
        method: str,
        path: str,
        status: int | None = 429,
        *,
        wait: float = 1.0,
    ) -> None:
        super().__init__(system, method, path, status)
        self.wait = wait


class Refused(OutsideError):
    """The system understood and said no; asking the same again brings the same.

    `words` are the system's own, at most 300 characters, without emails and phone numbers. They are
    for a person to read, and no part of the error's text.
    """

    what = "refused"

    def __init__(
        self,
        system: str,
        method: str,
        path: str,
        status: int | None = None,
        *,
        words: str = "",
    ) -> None:
        super().__init__(system, method, path, status)
        self.words = words


class NotFound(Refused):
    """The system does not know whom or what we asked about."""

    what = "does not know it"


class Misconfigured(OutsideError):
    """The credentials or the address are wrong: a person must mend the settings."""

    what = "does not accept our credentials"


class ReplyLost(OutsideError):
    """It was sent, and may or may not have been done: read before doing anything more.

    `engine_id` is the redemption's id at the engine where a reply named one without bringing an
    approved code. `timed_out`: no answer came in time, so it may still be about to act.
    """

    what = "may have acted, its reply is lost"

    def __init__(
        self,
        system: str,
        method: str,
        path: str,
        status: int | None = None,
        *,
        engine_id: int | None = None,
        timed_out: bool = False,
    ) -> None:
        super().__init__(system, method, path, status)
        self.engine_id = engine_id
        self.timed_out = timed_out
