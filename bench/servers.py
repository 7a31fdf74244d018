"""The servers of a benchmark: started as in production, watched, and ended by their own id."""

import os
import secrets
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import requests

from sandbox.control import Sandbox

ROOT = Path(__file__).resolve().parent.parent
PROCFILE = ROOT / "Procfile"
READY_SECONDS = 60
STOP_SECONDS = 30
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """A program with processes of its own. Its log is in the benchmark's folder."""

    def __init__(
        self, name: str, command: str, env: Mapping[str, str], url: str, folder: Path
    ) -> None:
        self.url = url
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self, path: str) -> None:
        """Until it answers there, whatever it says."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                requests.get(self.url + path, timeout=5)
            except requests.RequestException:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"It did not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def cpu_seconds(self) -> float:
        """Of all its processes, since they began."""
        return cpu_seconds(self._process.pid)

    @property
    def memory_mb(self) -> float:
        """Of all its processes; what they share counts once."""
        return sum(map(share_of_memory, processes_of(self._process.pid))) / 1024


def processes_of(session: int) -> Iterator[Path]:
    """/proc of every process of that session."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and fields_of(folder)[3:4] == [str(session)]:
            yield folder


def fields_of(folder: Path) -> list[str]:
    """What `stat` tells after the name: state, parent, group, session ..."""
    try:
        return (folder / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def cpu_seconds(session: int) -> float:
    told = [fields_of(folder) for folder in processes_of(session)]
    return sum(int(fields[11]) + int(fields[12]) for fields in told if fields) / TICK


def share_of_memory(folder: Path) -> int:
    """Proportional set size in KiB."""
    lines = (folder / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def program_env(port: int) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "PORT": str(port),
    }


def panel_env(
    sandbox: Sandbox,
    folder: Path,
    port: int,
    authority: Path | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Production, with secrets of this run alone. `more` are further variables, or other values."""
    return {
        **program_env(port),
        "LOYALTY_MODE": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "BLIND_INDEX_KEY": secrets.token_urlsafe(48),
        "PIN_PEPPER": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder / 'panel.sqlite3'}",
        "SECURE_SSL_REDIRECT": "0",
        # One associate looks up more in a second here than anybody in an hour.
        "LOOK_UPS_OF_A_TILL": "1000000000",
        "LOOK_UPS_OF_AN_ASSOCIATE": "1000000000",
        "YOTPO_BASE_URL": sandbox.base_url,
        "YOTPO_GUID": sandbox.guid,
        "YOTPO_API_KEY": sandbox.api_key,
        "YOTPO_CA_FILE": str(authority or ""),
        "DJANGO_SETTINGS_MODULE": "loyalty_panel.settings",
        **more,
    }


def naive_env(sandbox: Sandbox, folder: Path, port: int, authority: Path | None) -> dict[str, str]:
    return {
        **program_env(port),
        "DATABASE": str(folder / "naive.sqlite3"),
        "ENGINE_URL": sandbox.base_url,
        "ENGINE_GUID": sandbox.guid,
        "ENGINE_KEY": sandbox.api_key,
        "ENGINE_CA": str(authority or ""),
    }


def web_command() -> str:
    """The Procfile's own line, on loopback."""
    return procfile("web").replace("0.0.0.0:", "127.0.0.1:")


def worker_command() -> str:
    return procfile("worker")


def procfile(name: str) -> str:
    line = next(line for line in PROCFILE.read_text().splitlines() if line.startswith(f"{name}:"))
    return line.removeprefix(f"{name}:").strip()


_collected: list[bool] = []


def prepare(env: Mapping[str, str]) -> None:
    """What `release` in the Procfile does; static files, which take their time, only once a run."""
    run(env, "manage.py", "migrate", "-v0")
    if not _collected:
        run(env, "manage.py", "collectstatic", "--noinput", "-v0")
        _collected.append(True)


def run(env: Mapping[str, str], *words: str) -> str:
    """A command of the panel, to its end; what it printed. Raises RuntimeError with its errors."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=dict(env),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
