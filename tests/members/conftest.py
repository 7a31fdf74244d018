import socket
from collections.abc import Iterator

import pytest

from connectors.yotpo.client import Credentials, Yotpo


@pytest.fixture
def closed_engine() -> Iterator[Yotpo]:
    """Nothing listens at its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    engine = Yotpo(Credentials(f"http://127.0.0.1:{port}/api/v2", "guid", "key"))
    yield engine
    engine.close()
