"""What every test may ask for. Set LOYALTY_MODE=test to run pytest by hand (`make test` does)."""

import gc
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from audit import append_only
from connectors.yotpo.client import Yotpo
from members import engine as engine_room
from members.models import Member
from offers.catalogue import catalogue
from sandbox.control import Sandbox
from stores.models import Associate, Installation, Store, Till
from tests.contract.till import PanelApi
from tests.support.emptying import empty
from tests.support.servers import Database, postgres_database, sqlite_database


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--at-most", type=int, metavar="N", help="of each parametrised test run the first N only"
    )
    parser.addoption("--long", action="store_true", help="run what is marked `long`, and only that")


TESTS = Path(__file__).resolve().parent

# Thousands of tests are made in one go and stay until the end: to look for garbage among them took
# a quarter of that time, in every process.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        check_its_leg(item)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Files are given out in this order, and a long one at the end would be waited for.
    items.sort(key=lambda item: item.path not in slow)
    leave_out(config, items, [item for item in items if is_long(item) is not config.option.long])
    most = config.getoption("at_most")
    if most is None:
        return
    seen: Counter[str] = Counter()
    left = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if seen[test] > most:
            left.append(item)
    leave_out(config, items, left)


def is_long(item: pytest.Item) -> bool:
    """On the database of this leg."""
    return any(
        mark.kwargs.get("on") in {None, connection.vendor} for mark in item.iter_markers("long")
    )


def leave_out(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=left)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]


def check_its_leg(item: pytest.Item) -> None:
    """A leg looks for its mark in some folders only. Raises UsageError."""
    room = item.path.relative_to(TESTS).parts[0]
    marks = {mark.name for mark in item.iter_markers()}
    if "browser" in marks and room != "browser":
        raise pytest.UsageError(f"{item.nodeid}: tests with the mark `browser` stand in browser/.")
    if "database" in marks and room in {"browser", "contract", "output"}:
        raise pytest.UsageError(f"{item.nodeid}: nobody looks here for the mark `database`.")


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_for_when_asked_for() -> None:
    """Every client of Django's builds the middleware anew, and WhiteNoise would list all files."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """A test that commits is cleaned up after by DELETE, which the trail refuses."""
    if connection.vendor == "sqlite":
        with django_db_blocker.unblock():
            append_only.run([f"DROP TRIGGER {name}" for name in append_only.SQLITE], connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: empty())
        yield


@pytest.fixture(scope="session")
def output_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where servers that tests start write their logs; the leg `output` searches it."""
    told = os.environ.get("TEST_OUTPUT_DIR")
    return Path(told) if told else tmp_path_factory.mktemp("output")


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(rate=None) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Sandbox:
    """The engine's stand-in, over a real socket, as freshly seeded and without a rate limit."""
    _sandbox.reset()
    return _sandbox


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def each_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """For servers that tests start: a database of their own, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        with sqlite_database(tmp_path_factory.mktemp("database")) as database:
            yield database
        return
    if "POSTGRES_URL" not in os.environ:
        missing = "no PostgreSQL: `make test` starts one, else set POSTGRES_URL"
        (pytest.fail if os.environ.get("REQUIRE_ALL") == "1" else pytest.skip)(missing)
    with postgres_database() as database:
        yield database


@pytest.fixture(scope="module")
def panel_api() -> Iterator[PanelApi]:
    """For the sandbox's till: a panel's API that does as it is told."""
    panel = PanelApi()
    yield panel
    panel.close()


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("till") / "till.json"


@pytest.fixture(scope="module")
def till_sandbox(keys_file: Path) -> Iterator[Sandbox]:
    """One with a till, whose keys are read anew each time."""
    with Sandbox.start(till=keys_file) as sandbox:
        yield sandbox


@pytest.fixture
def engine(sandbox: Sandbox, settings) -> Iterator[Yotpo]:
    """The engine of this process, which is the sandbox. Short deadlines."""
    settings.YOTPO_BASE_URL = sandbox.base_url
    settings.ENGINE_DEADLINE_SECONDS = 2.0
    settings.ENGINE_SETTLE_SECONDS = 3.0
    engine_room.engine.cache_clear()
    catalogue.forget()
    client = engine_room.engine()
    yield client
    # A read that nobody waited for must not arrive in the next test.
    engine_room.readers().shutdown()
    engine_room.readers.cache_clear()
    client.close()
    engine_room.engine.cache_clear()


@pytest.fixture
def installation(db: None) -> Installation:
    return Installation.objects.create(id="shop", name="Quill & Thread")


@pytest.fixture
def store(installation: Installation) -> Store:
    return Store.objects.create(installation=installation, code="boston", name="Boston")


@pytest.fixture
def till(store: Store) -> Till:
    return Till.objects.create(store=store, code="1", name="Till 1")


@pytest.fixture
def ana(installation: Installation) -> Associate:
    return Associate.objects.create(installation=installation, code="ana", name="Ana Pardo")


@pytest.fixture
def ben(installation: Installation) -> Associate:
    return Associate.objects.create(installation=installation, code="ben", name="Ben Okafor")


@pytest.fixture
def mara(db: None) -> Member:
    """Mara Quill of the sandbox: 640 points, Silver."""
    return Member.objects.seen("mara@example.com")


@pytest.fixture
def key() -> str:
    """An act's key that nobody used yet."""
    return uuid.uuid4().hex
