import contextlib
import socket
from collections.abc import Iterator

import pytest

from connectors import session
from connectors.yotpo.client import Credentials, Yotpo
from tests.connectors.raw_server import HOST, RawServer

GUID = "guid-of-the-merchant"
API_KEY = "key-of-the-merchant"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture
def yotpo(server: RawServer) -> Iterator[Yotpo]:
    """The client, speaking to `server`."""
    client = Yotpo(Credentials(server.url, GUID, API_KEY))
    yield client
    client.close()


@pytest.fixture
def hasty(server: RawServer) -> Iterator[Yotpo]:
    """The same with a deadline of 0.5 s, for what never answers."""
    client = Yotpo(Credentials(server.url, GUID, API_KEY), read_seconds=0.5, write_seconds=0.5)
    yield client
    client.close()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of new connections is full, so that the next one gets no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
