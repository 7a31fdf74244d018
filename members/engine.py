"""The loyalty engine of this process: one client, one pool of connections."""

import atexit
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Event, Thread
from typing import TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from connectors.yotpo.client import Yotpo

T = TypeVar("T")

# Connections that stand ready: a look-up takes two.
WARM_CONNECTIONS = 4
# Less than the connector's IDLE_SECONDS less its YOUNG_SECONDS, so that none grows too old between.
WARM_EVERY_SECONDS = 20.0
# A closed shop needs none.
QUIET_SECONDS = 15 * 60.0


@cache
def engine() -> Yotpo:
    """Built at first use, after the server has forked its workers."""
    client: Yotpo = import_string(settings.ENGINE_FACTORY)()
    return client


@cache
def readers() -> ThreadPoolExecutor:
    """Reads that run beside a request's own thread: one each for as many as a process serves."""
    return ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="engine-read")


def beside(read: Callable[[], T]) -> Future[T]:
    """Start a read of the engine beside this thread. It must not touch the database."""
    return readers().submit(read)


def keep_warm() -> Callable[[], None]:
    """Have connections to the engine ready in this process, while it is used.

    A look-up after a quiet minute would else begin with a handshake. Nothing is asked of the
    engine, and nothing said when it is away: the look-ups say so. Gives back what ends it.
    """
    engine()  # once, and not by every thread that comes first
    enough = Event()
    thread = Thread(target=_keep_warm, args=(enough,), name="engine-warm", daemon=True)

    def end() -> None:
        enough.set()
        thread.join()

    # CPython 3.11 was seen to crash where it ended while a daemon thread shook hands.
    atexit.register(end)
    thread.start()
    return end


def _keep_warm(enough: Event) -> None:
    engine().warm(WARM_CONNECTIONS, quiet_seconds=QUIET_SECONDS)
    while not enough.wait(WARM_EVERY_SECONDS):
        engine().warm(WARM_CONNECTIONS, quiet_seconds=QUIET_SECONDS)
