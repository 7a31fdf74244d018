"""What the panel gave this till: a file of JSON that nobody else may read."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

NAMES = ("panel_url", "installation", "launch_kid", "launch_secret", "api_key")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class NoKeys(Exception):
    """Why there are none, in words for whoever started the sandbox."""


@dataclass(frozen=True)
class Keys:
    """`panel_url` is the panel's page, as `http://127.0.0.1:8000/panel/demo/`."""

    panel_url: str
    installation: str
    launch_kid: str
    launch_secret: str = field(repr=False)
    api_key: str = field(repr=False)

    @property
    def panel_origin(self) -> str:
        parts = urlsplit(self.panel_url)
        return f"{parts.scheme}://{parts.netloc}"


def read_keys(file: Path | None) -> Keys:
    """Read anew each time, for keys are rotated while tills are open. Raises NoKeys."""
    if file is None:
        raise NoKeys("This sandbox was started without --till FILE.")
    try:
        if stat.S_IMODE(file.stat().st_mode) & OTHERS:
            raise NoKeys(f"{file.name} can be read by others. Type: chmod 600 {file.name}")
        return _parsed(file.read_text())
    except OSError:
        raise NoKeys(f"{file.name} is not there yet, or can't be read.") from None


def _parsed(text: str) -> Keys:
    try:
        told = json.loads(text)
        keys = Keys(**{name: told[name] for name in NAMES})
        is_whole = all(isinstance(told[name], str) and told[name] for name in NAMES)
        is_web = urlsplit(keys.panel_url).scheme in {"http", "https"}
    except (ValueError, TypeError, KeyError):
        is_whole = is_web = False
    if not is_whole or not is_web:
        raise NoKeys(f"The file of --till must be JSON with {', '.join(NAMES)}.")
    return keys
