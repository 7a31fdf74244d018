"""A process that redeems or undoes again and again, and dies each time at a later line of our code.

    python -m tests.redemptions.killer redeem|undo SANDBOX_URL

Each try is a child of its own, for a member of its own, killed with SIGKILL right before a line of
redemptions/ runs. Lines that follow each other without asking the database, the engine or another
thread between them leave the same world behind, so it dies at the first of them only. Prints how
many were killed. Reads settings as the server does.
"""

import functools
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import django

# Once for all children; models can be imported only then.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_panel.settings")
django.setup()

from members.engine import engine  # noqa: E402
from members.models import Member  # noqa: E402
from redemptions.actions import Act, redeem, undo  # noqa: E402
from sandbox.control import Sandbox  # noqa: E402
from stores.models import Installation  # noqa: E402

OFFER = 90121
POINTS = 1000
WATCHED = {"actions.py", "reversal.py", "models.py", "looking.py", "evidence.py"}
# Where the world outside the process can change: statements, commits, calls, threads waited for.
OUTWARD = (
    "django/db/backends/utils.py",
    "django/db/backends/base/base.py",
    "concurrent/futures/_base.py",
)


def die_at(place: int) -> None:
    """SIGKILL at the `place`th line of the watched files before which the world was touched."""
    seen, is_touched = 0, True

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal seen, is_touched
        file = frame.f_code.co_filename
        if not is_watched(file):
            is_touched = is_touched or is_outward(file)
            return None
        if event == "line" and is_touched:
            seen, is_touched = seen + 1, False
            if seen == place:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


@functools.cache  # asked at every call of every function
def is_watched(file: str) -> bool:
    path = Path(file)
    return path.parent.name == "redemptions" and path.name in WATCHED


@functools.cache
def is_outward(file: str) -> bool:
    return file.endswith(OUTWARD) or "/connectors/" in file


def act(what: str, email: str, place: int) -> None:
    member = Member.objects.seen(email)
    wanted = Act(key=f"{what}-{place}", installation=Installation.objects.get(id="demo"))
    if what == "redeem":
        die_at(place)
    redemption = redeem(engine=engine(), act=wanted, member=member, offer_id=OFFER)
    if what == "undo":
        die_at(place)
        undo(engine=engine(), redemption=redemption)


def is_killed(what: str, email: str, place: int) -> bool:
    child = os.fork()
    if child == 0:
        act(what, email, place)
        # Without Python's clean-up: it would wait for the reader threads.
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"place {place} failed"
    return os.WIFSIGNALED(status)


def main() -> None:
    what, sandbox_url = sys.argv[1:]
    sandbox = Sandbox(sandbox_url)
    place = 1
    while True:
        member = sandbox.add_member(email=f"{what}-{place}@example.com", points=POINTS)
        if not is_killed(what, member["email"], place):
            break
        place += 1
    sys.stdout.write(f"{place - 1}\n")


if __name__ == "__main__":
    main()
