"""A process that redeems or undoes once for every line of our code, and dies at that line.

    python -m tests.redemptions.killer redeem|undo SANDBOX_URL

Each try is a child of its own, for a member of its own, killed with SIGKILL right before the next
line of redemptions/ runs. Prints how many were killed. Reads settings as the server does.
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


def die_at(line: int) -> None:
    """SIGKILL before the `line`th line of the watched files is run."""
    seen = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal seen
        if not is_watched(frame.f_code.co_filename):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


@functools.cache  # asked at every call of every function
def is_watched(file: str) -> bool:
    path = Path(file)
    return path.parent.name == "redemptions" and path.name in WATCHED


def act(what: str, email: str, line: int) -> None:
    member = Member.objects.seen(email)
    wanted = Act(key=f"{what}-{line}", installation=Installation.objects.get(id="demo"))
    if what == "redeem":
        die_at(line)
    redemption = redeem(engine=engine(), act=wanted, member=member, offer_id=OFFER)
    if what == "undo":
        die_at(line)
        undo(engine=engine(), redemption=redemption)


def is_killed(what: str, email: str, line: int) -> bool:
    child = os.fork()
    if child == 0:
        act(what, email, line)
        # Without Python's clean-up: it would wait for the reader threads.
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"line {line} failed"
    return os.WIFSIGNALED(status)


def main() -> None:
    what, sandbox_url = sys.argv[1:]
    sandbox = Sandbox(sandbox_url)
    line = 1
    while True:
        member = sandbox.add_member(email=f"{what}-{line}@example.com", points=POINTS)
        if not is_killed(what, member["email"], line):
            break
        line += 1
    sys.stdout.write(f"{line - 1}\n")


if __name__ == "__main__":
    main()
