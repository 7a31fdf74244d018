"""The engine of a process stands ready before an associate asks."""

from collections.abc import Iterator

import pytest

from members import engine as engine_room
from tests.connectors import raw_server as tell
from tests.connectors.raw_server import RawServer
from tests.support.waiting import until


@pytest.fixture
def server(settings) -> Iterator[RawServer]:
    with RawServer() as server:
        settings.YOTPO_BASE_URL = server.url
        engine_room.engine.cache_clear()
        yield server
        engine_room.engine().close()
        engine_room.engine.cache_clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_room, "WARM_EVERY_SECONDS", 0.01)


def test_connections_are_ready_before_anybody_asks(server: RawServer, quick: None) -> None:
    end = engine_room.keep_warm()
    until(lambda: server.connections == engine_room.WARM_CONNECTIONS, "all stand ready")
    end()
    server.tells(tell.answers([]))
    engine_room.engine().vip_tiers()
    assert server.connections == engine_room.WARM_CONNECTIONS


def test_they_are_kept_while_the_process_is_used(server: RawServer, quick: None) -> None:
    end = engine_room.keep_warm()
    until(lambda: server.connections == engine_room.WARM_CONNECTIONS, "all stand ready")
    server.drop_all()
    until(lambda: server.connections >= 2 * engine_room.WARM_CONNECTIONS, "they are opened anew")
    end()


def test_a_quiet_process_keeps_none(
    server: RawServer, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "QUIET_SECONDS", 0.0)
    assert not engine_room.engine().warm(2, quiet_seconds=engine_room.QUIET_SECONDS)
    assert server.connections == 0
