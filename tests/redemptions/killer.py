"""A process that redeems or undoes once for every line of our code, and dies at that line.

    python -m tests.redemptions.killer redeem|undo SANDBOX_URL

Each try is a child of its own, for a member of its own, killed with SIGKILL right before the next
line of redemptions/ runs. Prints how many were killed. Reads settings as the server does.
"""

import os
import signal
import sys
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

import django

OFFER = 90121
POINTS = 1000
WATCHED = {"actions.py", "reversal.py", "models.py", "looking.py", "evidence.py"}


def die_at(line: int) -> None:
    """SIGKILL before the `line`th line of the watched files is run."""
    seen = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal seen
        path = Path(frame.f_code.co_filename)
        if path.parent.name != "redemptions" or path.name not in WATCHED:
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def act(what: str, email: str, line: int) -> None:
    from members.engine import engine
    from members.models import Member
    from redemptions.actions import Act, redeem, undo
    from stores.models import Installation

    member = Member.objects.seen(email)
    wanted = Act(key=uuid.uuid4().hex, installation=Installation.objects.get(id="demo"))
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
    from sandbox.control import Sandbox

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
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_panel.settings")
    django.setup()
    main()
