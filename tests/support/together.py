"""Acts of several at the same moment, each in a thread with a connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection


def together(*acts: Callable[[], Any], refusal: type[Exception]) -> list[Any]:
    """What each gives back, or the refusal that it raises, in the order given."""
    start = threading.Barrier(len(acts))

    def play(act: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        start.wait()
        try:
            return act()
        except refusal as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(play, acts))
