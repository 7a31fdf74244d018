"""The loyalty engine of this process: one client, one pool of connections."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from connectors.yotpo.client import Yotpo

T = TypeVar("T")

# Reads that run beside the request's own thread: one each for as many tills as a process serves.
READERS = 100


@cache
def engine() -> Yotpo:
    """Built at first use, after the server has forked its workers."""
    client: Yotpo = import_string(settings.ENGINE_FACTORY)()
    return client


@cache
def readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="engine-read")


def beside(read: Callable[[], T]) -> Future[T]:
    """Start a read of the engine beside this thread. It must not touch the database."""
    return readers().submit(read)
