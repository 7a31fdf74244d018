"""Awaiting a condition instead of sleeping for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(question: Callable[[], T], what: str, seconds: float = 30) -> T:
    """The first answer that is true; an AssertionError naming `what` when there is none in time."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"In {seconds} s it did not come to: {what}"
        time.sleep(0.05)
    return answer
