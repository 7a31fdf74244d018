from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.shop import Shop, running_shop
from tests.support.servers import sqlite_database


@pytest.fixture(scope="module")
def shop(output_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A web process, a worker, and the sandbox as the engine: all over real sockets."""
    folder = tmp_path_factory.mktemp("openapi")
    facts = {"web_processes": 1, "worker_processes": 1}
    with (
        sqlite_database(folder, seeded=False) as database,
        running_shop(database, output_dir, name=folder.name, **facts) as shop,
    ):
        yield shop
