"""`make demo` as a newcomer types it: what it says, the tour it proposes, and how it ends."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ports import any_free
from sandbox.control import Sandbox
from tests.contract.till import TillDesk
from tests.ground.checkout import ROOT
from tests.support.till import TillPage, code_of
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MARA, RUTH = "mara@example.com", "ruth@example.com"
ABOUT = re.compile(r'data-about="([0-9a-f-]{36})"')
MEMBER = re.compile(r"/members/([0-9a-f-]{36})/")


class Demo:
    """In a session of its own, as in a terminal: Ctrl-C reaches make and what it runs."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                # With our own Python: another would make the .venv anew under the running tests.
                ["make", "demo", f"PYTHON={sys.executable}"],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def environment(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ports = {"PORT": str(any_free()), "SANDBOX_PORT": str(any_free())}
        # Faster than any associate presses.
        return {**keep, **ports, "DEMO_DATA": str(self.data), "YOTPO_RATE_PER_SECOND": "1000"}

    @property
    def said(self) -> str:
        return self.output.read_text()

    def line(self, name: str) -> str:
        return re.search(rf"^  {name} +(.+)$", self.said, re.MULTILINE)[1]

    def wait_until_ready(self) -> None:
        until(self.is_ready, "the demo is ready", seconds=90)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        return "  5. " in self.said

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(30)

    def processes(self) -> list[str]:
        """Whatever has our environment, which all that it starts inherits."""
        return [
            command
            for place in Path("/proc").glob("[0-9]*")
            if str(self.data).encode() in read(place / "environ")
            and (command := read(place / "cmdline").replace(b"\0", b" ").decode())
        ]


def read(file: Path) -> bytes:
    """Nothing of a process that has ended meanwhile."""
    with suppress(OSError):
        return file.read_bytes()
    return b""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    if demo.process.poll() is None:
        demo.press_ctrl_c()


@dataclass(frozen=True)
class Shown:
    """The panel whose address the demo gave."""

    address: str

    @property
    def url(self) -> str:
        return self.address.removesuffix("/panel/demo/")


def test_a_newcomer_walks_the_tour_and_ends_it_all(demo: Demo) -> None:
    demo.wait_until_ready()
    assert len(demo.said.splitlines()) <= 20
    assert demo.line("Logged in") == "Ana Pardo · Till 1, Harbor Street, Boston"
    assert demo.line("Stop") == "Ctrl-C"

    sandbox = Sandbox(demo.line("Sandbox").split()[0].rstrip("/"))
    sandbox.switch(rate=None)
    desk = TillDesk(sandbox)
    assert desk.url == demo.line("Open").split()[0]
    assert desk.http.get(desk.url, timeout=30).ok
    walk_the_tour(TillPage(Shown(demo.line("Panel").split()[0])), desk)

    assert len(demo.processes()) > 3
    demo.press_ctrl_c()
    assert demo.processes() == []
    assert demo.said.endswith("Stopping.\n")


def walk_the_tour(till: TillPage, desk: TillDesk) -> None:
    """As the two pages do; what they say to each other is tried in the browser."""
    sandbox = desk.sandbox
    desk.attach(MARA)
    page = till.look_up(MARA)
    assert "Mara Quill" in page and "640" in page

    coupon = till.redeem(till.ask(page))
    desk.do("apply", code=code_of(coupon))
    assert desk.ticket["total"] == 3_800
    assert sandbox.balance(MARA) == 140

    desk.do("withdraw", code=code_of(coupon))
    member = MEMBER.search(page)[1]
    assert "points are back" in till.undo(coupon.text, member).text
    assert sandbox.balance(MARA) == 640

    desk.do("apply", code=code_of(till.redeem(till.ask(till.look_up(MARA)))))
    desk.do("pay", by="card")
    desk.wait_for_report("told")
    until(lambda: sandbox.redemptions()[-1]["order_id"], "the engine knows of the sale")
    assert sandbox.balance(MARA) == 178

    desk.attach(RUTH)
    sandbox.fault("POST /redemptions", "drop_after")
    page = till.look_up(RUTH)
    lost = till.redeem(till.ask(page)).text
    member = MEMBER.search(page)[1]
    assert "We are checking" in lost
    coupon = f"/panel/demo/redemptions/{ABOUT.search(lost)[1]}?member={member}"
    until(
        lambda: code_of(till.http.get(till.panel.url + coupon)),
        "the code of the lost answer is found",
    )
    assert sandbox.balance(RUTH) == 22_800  # the first of her offers is $25 off


@pytest.mark.parametrize("begun", ["start.lock", "sandbox.log", "seed.log", "worker.log"])
def test_ctrl_c_during_the_start_leaves_nothing_behind(demo: Demo, begun: str) -> None:
    until((demo.data / begun).exists, f"{begun} is there")

    demo.press_ctrl_c()

    assert demo.processes() == []
