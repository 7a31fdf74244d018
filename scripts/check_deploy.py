"""Django's deployment checks, clean in production mode, with secrets made for this one run."""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def production_environment(folder: str) -> dict[str, str]:
    """Nothing of the caller's but PATH, so that the result is the same everywhere."""
    return {
        "PATH": os.environ["PATH"],
        "LOYALTY_MODE": "production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "PUBLIC_URL": "https://panel.example.com",
        "ALLOWED_HOSTS": "panel.example.com",
        "DATABASE_URL": f"sqlite:///{folder}/panel.sqlite3",
        "YOTPO_GUID": secrets.token_urlsafe(16),
        "YOTPO_API_KEY": secrets.token_urlsafe(32),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "BLIND_INDEX_KEY": secrets.token_urlsafe(32),
        "PIN_PEPPER": secrets.token_urlsafe(32),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
    }


def main() -> int:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    with tempfile.TemporaryDirectory() as folder:
        env = production_environment(folder)
        return subprocess.run(command, check=False, cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
