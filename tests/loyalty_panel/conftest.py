import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from loyalty_panel.logs import logging_config

Lines = Callable[[], list[str]]


def formatter(*, json: bool) -> logging.Formatter:
    words: dict[str, Any] = dict(logging_config(json=json)["formatters"]["structured"])
    return structlog.stdlib.ProcessorFormatter(
        **{name: value for name, value in words.items() if name != "()"}
    )


def captured(*, json: bool) -> Iterator[Lines]:
    """What the log gets from here on, as the settings would format it."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter(json=json))
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: written.getvalue().splitlines()
    root.removeHandler(handler)


@pytest.fixture
def log_lines() -> Iterator[Lines]:
    """The lines that machines read (JSON)."""
    yield from captured(json=True)


@pytest.fixture
def terminal_lines() -> Iterator[Lines]:
    """The lines that a person reads at a terminal."""
    yield from captured(json=False)
