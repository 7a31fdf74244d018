"""The settings as a process of its own reads them: nothing of ours is left in its environment."""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def production(folder: Path, **changes: str | None) -> dict[str, str]:
    """An environment in which production starts; None takes a variable away."""
    env: dict[str, str | None] = {
        "LOYALTY_MODE": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "BLIND_INDEX_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": fernet_key(),
        "PIN_PEPPER": secrets.token_urlsafe(48),
        "METRICS_TOKEN": secrets.token_urlsafe(48),
        "PUBLIC_URL": "https://panel.example.com",
        "ALLOWED_HOSTS": "panel.example.com",
        "DATABASE_URL": f"sqlite:///{folder / 'panel.sqlite3'}",
        "YOTPO_GUID": "guid-of-the-shop",
        "YOTPO_API_KEY": "key-of-the-shop",
        **changes,
    }
    return {name: value for name, value in env.items() if value is not None}


def fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def run(env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    keep = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**keep, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# Imports once, then executes the settings for one environment a line.
READ = """
import json, os, runpy, sys
for line in sys.stdin:
    os.environ.clear()
    os.environ.update(json.loads(line))
    try:
        runpy.run_path("loyalty_panel/settings.py")
        said = ""
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps(said), flush=True)
"""


class SettingsReader:
    """A process that reads the settings anew for every environment it is given."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", READ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def failure(self, env: Mapping[str, str]) -> str:
        """The error that keeps a process with this environment from starting; empty if none."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(dict(env)) + "\n")
        self._process.stdin.flush()
        return str(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


ANSWER = """
import json, os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "loyalty_panel.settings"
django.setup()
from django.test import Client
asked = json.loads(sys.argv[1])
client = Client(raise_request_exception=False)
answers = [client.get(**question) for question in asked]
print(json.dumps([[a.status_code, dict(a.headers), a.content.decode()] for a in answers]))
"""


def ask(env: Mapping[str, str], *questions: dict[str, Any]) -> list[Any]:
    """Status, headers and body of GETs that a process with this environment answers."""
    done = run(env, "-c", ANSWER, json.dumps(questions))
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))
