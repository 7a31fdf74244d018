"""Make .venv and install what requirements-dev.txt pins, unless that has been done already."""

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from needs import Need

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed"
LOCK = ROOT / "var" / "setup.lock"
REQUIREMENTS = ROOT / "requirements-dev.txt"


def main() -> None:
    with only_one_at_a_time():
        wanted = fingerprint()
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        if not is_usable():
            make_venv()
        install()
        STAMP.write_text(wanted)


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """Changes with the pins, the Python, and the checkout's place (a .venv cannot be moved)."""
    facts = f"{REQUIREMENTS.read_text()}\n{sys.version}\n{VENV}"
    return hashlib.sha256(facts.encode()).hexdigest()


def is_usable() -> bool:
    """Whether .venv works where it stands, has pip, and is of this Python version."""
    question = "import pip, sys; print(sys.prefix, sys.version)"
    try:
        answer = subprocess.run(
            [VENV / "bin" / "python", "-c", question], check=False, capture_output=True, text=True
        )
        pip_starts_with = (VENV / "bin" / "pip").read_text().partition("\n")[0]
    except OSError:
        return False
    return answer.stdout.strip() == f"{VENV} {sys.version}" and str(VENV) in pip_starts_with


def make_venv() -> None:
    # Debian ships venv without the pip that it puts in, in a package of its own.
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    venv = Need("Python's venv", (package,), find_ensurepip)
    if venv.find() is None and venv.provide() is None:
        sys.exit(1)
    print(f"Making {VENV.name} with Python {sys.version.split()[0]}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def find_ensurepip() -> Path | None:
    importlib.invalidate_caches()
    found = importlib.util.find_spec("ensurepip")
    return Path(found.origin) if found and found.origin else None


def install() -> None:
    print(f"Installing {REQUIREMENTS.name}", flush=True)
    STAMP.unlink(missing_ok=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    pinned = ["install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)]
    if subprocess.run([*pip, *pinned], check=False).returncode != 0:
        sys.exit(f"Could not install {REQUIREMENTS.name}; pip says why above.")


if __name__ == "__main__":
    main()
