"""docs/pos-integration.md: its commands run as they stand, in order, against `make demo`."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from ports import next_free
from tests.ground.checkout import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "pos-integration.md").read_text()
CLIENT = (ROOT / "docs" / "loyalty_client.py").read_text()
# Each block of commands, with what the page says they print.
STEPS = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
START = re.findall(r"```\n(make demo)\n```", PAGE)
END_OF_STEP = "-- end of step --"
STARTS_WITHIN, RUNS_WITHIN = 180, 300


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a reader whose demo runs."""
    [command] = START
    port = next_free(18_000)
    places = {"PORT": port, "SANDBOX_PORT": next_free(port + 1), "DEMO_DATA": tmp_path}
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env |= {name: str(value) for name, value in places.items()}
    with (tmp_path / "demo.txt").open("w") as told:
        running = subprocess.Popen(
            command.split(), cwd=ROOT, env=env, stdout=told, stderr=told, start_new_session=True
        )
    try:
        until(lambda: is_up(port), "the demo is up", STARTS_WITHIN)
        yield env
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(60)


def is_up(port: int) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    return False


def test_every_command_does_what_the_page_says(demo: dict[str, str]) -> None:
    script = "".join(f"{commands}echo '{END_OF_STEP}'\n" for commands, _ in STEPS)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=demo,
        capture_output=True,
        text=True,
        timeout=RUNS_WITHIN,
        check=False,
    )
    *printed, rest = done.stdout.split(f"{END_OF_STEP}\n")
    assert done.returncode == 0, f"after step {len(printed)}: {rest}\n{done.stderr}"
    for (commands, said), told in zip(STEPS, printed, strict=True):
        assert fits(told, said), f"{commands}\nprints:\n{told}\nand not:\n{said}"


def fits(told: str, said: str) -> bool:
    """`…` stands for what is new each time."""
    pattern = re.escape(said).replace("…", r"\S+")
    return re.fullmatch(pattern, told) is not None


def test_the_page_shows_the_client_as_it_is() -> None:
    assert f"```python\n{CLIENT}```" in PAGE


def test_there_are_steps() -> None:
    assert len(STEPS) >= 12 and sum(bool(said) for _, said in STEPS) >= 10
