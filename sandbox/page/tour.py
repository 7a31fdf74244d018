"""The guided tour. The demo prints its steps in the terminal, from the same file."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

FILE = Path(__file__).with_name("tour.json")


def steps() -> str:
    return "\n".join(
        f"<li><strong>{escape(step['do'])}</strong> {escape(step['see'])}</li>"
        for step in json.loads(FILE.read_text())
    )
