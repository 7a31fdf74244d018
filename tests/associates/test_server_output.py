"""A real server is taken through everything with seeded people. The leg `output` reads its log."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.control import Sandbox
from tests.output.personal import findings
from tests.support.servers import Panel, running_panel, sqlite_database
from tests.support.till import TillPage, code_of


@pytest.fixture(scope="module")
def server(_sandbox: Sandbox, output_dir: Path, tmp_path_factory) -> Iterator[Panel]:
    log = output_dir / f"associates-{uuid.uuid4().hex[:8]}.log"
    with (
        sqlite_database(tmp_path_factory.mktemp("database")) as database,
        running_panel(_sandbox, database, log) as panel,
    ):
        yield panel


def test_a_server_logs_its_requests_and_nobody(server: Panel, sandbox: Sandbox) -> None:
    page = TillPage(server)
    for query in (
        "(415) 555-0123",
        "MARA@example.com",
        "layla@example.com",
        "nobody",
        "4111111111111111",
    ):
        page.post("/panel/demo/lookup", query=query)
    found = page.look_up("mara@example.com")
    coupon = page.redeem(page.ask(found))
    assert code_of(coupon)
    member_id = server.database.execute("SELECT member_id FROM redemptions_pendingredemption")[0][0]
    assert page.undo(coupon.text, str(uuid.UUID(str(member_id)))).ok
    page.post("/panel/demo/enrol", email="mara@example.com", last_name="Quill")
    page.post(
        "/panel/demo/enrol", email="ida@example.com", phone="(415) 555-0123", shared="+14155550123"
    )
    sandbox.fault("GET /customers", "drop_before", times=None)
    page.post("/panel/demo/lookup", query="pia@example.com")
    page.http.get(f"{server.url}/mara@example.com?phone=%2B14155550123", timeout=10)

    log = server.log.read_text()
    for route in ("lookup", "redeem", "undo", "enrol"):
        assert f"{route} status=" in log
    assert findings(log) == []
