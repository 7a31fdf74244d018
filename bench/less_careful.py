"""The panel's settings with SQLite not waiting for the disk at each commit.

A power cut may then lose the last rows that say "we are about to spend points". For measuring what
that care costs; nothing else uses it.
"""

from loyalty_panel.settings import *  # noqa: F403
from loyalty_panel.settings import DATABASES

DATABASES["default"]["OPTIONS"]["init_command"] = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
)
