"""What the panel's targets need of the machine: found, else installed by apt, else named."""

import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Waits for another apt instead of failing beside it.
APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]


@dataclass(frozen=True)
class Need:
    name: str
    packages: tuple[str, ...]
    find: Callable[[], Path | None]
    advice: str = ""  # where apt cannot bring it on every machine

    @property
    def how_to_install(self) -> str:
        return f"sudo apt-get install --yes {' '.join(self.packages)}"

    @property
    def way_out(self) -> str:
        return self.advice or f"Type: {self.how_to_install}"

    def provide(self) -> Path | None:
        """The place of it, or None when it is not there and cannot be installed here."""
        place = self.find()
        if place is None and self.packages and can_install():
            print(f"{self.name}: not found, installing {' '.join(self.packages)}", flush=True)
            apt_install(self.packages)
            place = self.find()
        if place is None:
            print(f"{self.name} is missing. {self.way_out}", flush=True)
        else:
            print(f"{self.name}: {place}", flush=True)
        return place


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: tuple[str, ...]) -> bool:
    refresh_package_lists()
    return run_apt("install", "--yes", "--no-install-recommends", *packages)


@functools.cache
def refresh_package_lists() -> None:
    run_apt("update")


def run_apt(*arguments: str) -> bool:
    done = subprocess.run(
        [*APT, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        print(f"apt-get {arguments[0]} failed:\n{done.stdout[-2000:]}", flush=True)
    return done.returncode == 0


def find_program(name: str) -> Path | None:
    place = shutil.which(name)
    return Path(place) if place else None


def find_chromium() -> Path | None:
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((Path(place) for name in names if name and (place := shutil.which(name))), None)


def find_playwright() -> Path | None:
    """The Node.js inside Playwright's package, if it runs: Debian may lack a library for it."""
    package = importlib.util.find_spec("playwright")
    if package is None or package.origin is None:
        return None
    node = Path(package.origin).parent / "driver" / "node"
    try:
        asked = subprocess.run([node, "--version"], check=False, capture_output=True)
    except OSError:
        return None
    return node if asked.returncode == 0 else None


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs, which Debian keeps out of PATH."""
    in_path = shutil.which("initdb")
    if in_path:
        return Path(in_path).resolve().parent
    folders = [initdb.parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=major_version, default=None)


def major_version(folder: Path) -> int:
    return int(folder.parent.name)


def find_next_python() -> Path | None:
    """What PYTHON_NEXT names; else the machine's first Python that is new enough, and runs."""
    named = os.environ.get("PYTHON_NEXT")
    names = [named] if named else ["python3.13", "python3.14", "python3", pyenvs_python()]
    return next((place for name in names if name and (place := next_python(name))), None)


def next_python(name: str) -> Path | None:
    """Asked by running it: a shim of pyenv has the name, and may lead nowhere."""
    question = "import sys; print(sys.executable if sys.version_info >= (3, 13) else '')"
    answer = told_by(name, "-c", question)
    return Path(answer) if answer else None


def pyenvs_python() -> str:
    """One that pyenv has but did not put on PATH."""
    return told_by("pyenv", "whence", "--path", "python3.13").partition("\n")[0]


def told_by(*command: str) -> str:
    try:
        asked = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


# Without a font Chromium draws empty boxes, and Debian only recommends one.
CHROMIUM = Need("Chromium", ("chromium", "fonts-liberation"), find_chromium)
# The same browser without what draws a window: a third less work for each test.
HEADLESS = Need(
    "Chromium without windows",
    ("chromium-headless-shell", "fonts-liberation"),
    lambda: find_program("chromium-headless-shell"),
)
FIREFOX = Need("Firefox", ("firefox-esr",), lambda: find_program("firefox-esr"))
PLAYWRIGHT = Need("Playwright's driver", ("libatomic1",), find_playwright)
POSTGRES = Need("PostgreSQL", ("postgresql",), find_postgres)
WRK = Need("wrk", ("wrk",), lambda: find_program("wrk"))
NEXT_PYTHON = Need(
    "Python 3.13 or newer",
    (),
    find_next_python,
    "Install one beside the Python you have; where it is not on PATH, type:"
    " make next PYTHON_NEXT=/where/it/is/bin/python3.13",
)
