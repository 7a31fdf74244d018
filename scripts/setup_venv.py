"""Make a venv and install what is pinned for it, unless that has been done already.

Without words it is .venv with requirements-dev.txt; else they are the folder and the pins. The
venv gets the Python that runs this.
"""

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from needs import Need

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "var" / "setup.lock"
DEVELOPMENT = (".venv", "requirements-dev.txt")


@dataclass(frozen=True)
class Venv:
    folder: Path
    pins: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / "installed"

    def fingerprint(self) -> str:
        """Changes with the pins, the Python, and the checkout's place (a venv cannot be moved)."""
        facts = f"{self.pins.read_text()}\n{sys.version}\n{self.folder}"
        return hashlib.sha256(facts.encode()).hexdigest()

    def is_usable(self) -> bool:
        """Whether it works where it stands, has pip, and is of this Python version."""
        question = "import pip, sys; print(sys.prefix, sys.version)"
        try:
            answer = subprocess.run(
                [self.python, "-c", question], check=False, capture_output=True, text=True
            )
            pip_starts_with = (self.folder / "bin" / "pip").read_text().partition("\n")[0]
        except OSError:
            return False
        is_ours = answer.stdout.strip() == f"{self.folder} {sys.version}"
        return is_ours and str(self.folder) in pip_starts_with


def main() -> None:
    folder, pins = sys.argv[1:] or DEVELOPMENT
    with only_one_at_a_time():
        set_up(Venv(ROOT / folder, ROOT / pins))


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(venv: Venv) -> None:
    if venv.folder.is_symlink():
        return  # another checkout's: making it anew would take it away from there
    wanted = venv.fingerprint()
    if venv.stamp.exists() and venv.stamp.read_text() == wanted:
        return
    if not venv.is_usable():
        make(venv)
    install(venv)
    venv.stamp.write_text(wanted)


def make(venv: Venv) -> None:
    # Debian ships venv without the pip that it puts in, in a package of its own.
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    need = Need("Python's venv", (package,), find_ensurepip)
    if need.find() is None and need.provide() is None:
        sys.exit(1)
    print(f"Making {venv.folder.name} with Python {sys.version.split()[0]}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv.folder], check=True)


def find_ensurepip() -> Path | None:
    importlib.invalidate_caches()
    found = importlib.util.find_spec("ensurepip")
    return Path(found.origin) if found and found.origin else None


def install(venv: Venv) -> None:
    print(f"Installing {venv.pins.name}, which takes a minute or so", flush=True)
    venv.stamp.unlink(missing_ok=True)
    pip = [str(venv.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    pinned = ["install", "--progress-bar", "off", "--require-hashes", "-r", str(venv.pins)]
    # Of interest only when it fails: pip names every package and complains about each index.
    done = subprocess.run(
        [*pip, *pinned],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}Could not install {venv.pins.name}; pip says why above.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
