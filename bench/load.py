"""A load of tills, made by wrk: one round against one address, and what came of it."""

import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("tills.lua")
RESULT = re.compile(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
LONGEST_ANSWER_SECONDS = 30


class RoundFailed(Exception):
    """Some answers were errors, so that the times mean nothing."""


@dataclass(frozen=True)
class Target:
    """What is asked: `kind` is a word of tills.lua; `mails` and `keys` are files, a line each."""

    kind: str
    url: str
    mails: Path
    keys: Path


@dataclass(frozen=True)
class Round:
    """Times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run_round(target: Target, *, tills: int, seconds: float, think_seconds: float = 0) -> Round:
    """Raises RoundFailed where any answer was no 2xx, or none came."""
    arguments = [target.kind, str(think_seconds), str(target.mails), str(target.keys)]
    return run_wrk(SCRIPT, target.url, arguments, connections=tills, seconds=seconds)


def run_wrk(
    script: Path, url: str, arguments: Sequence[str], *, connections: int, seconds: float
) -> Round:
    """Raises RoundFailed where any answer was no 2xx, or none came."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s"]
    words += ["--timeout", f"{LONGEST_ANSWER_SECONDS}s", "-s", str(script), url, "--", *arguments]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = RESULT.search(told)
    if found is None:
        raise RoundFailed(f"wrk told nothing of {url}: {told}")
    requests, microseconds, broken, refused, *percentiles = map(int, found.groups())
    if broken or refused or not requests:
        raise RoundFailed(
            f"{url}, {connections} connections: of {requests} requests {refused} were refused and "
            f"{broken} broke off"
        )
    return Round(requests, microseconds / 1e6, *(number / 1000 for number in percentiles))


def ratios(rounds: Sequence[Round], floors: Sequence[Round]) -> list[float]:
    """p50, p95 and p99 to the floor of the same turn; of the turns the median."""
    turns = list(zip(rounds, floors, strict=True))
    return [
        statistics.median(getattr(mine, name) / getattr(floor, name) for mine, floor in turns)
        for name in ("p50", "p95", "p99")
    ]


def median(rounds: Sequence[Round], name: str) -> float:
    return float(statistics.median(getattr(one, name) for one in rounds))
