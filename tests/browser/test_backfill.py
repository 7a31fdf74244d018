"""A manager uploads sales, sees what would be recorded, and watches them being recorded."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.servers import ROOT, Panel

pytestmark = pytest.mark.browser

ROWS = 60
FILE = "\n".join(
    ["id,completed_at,total,email,Emial"]
    + [f"B-{number},2026-05-02 12:00,1.00,,x" for number in range(ROWS)]
    + ["B-x,2026-05-02 12:00,=1+1,,x", ""]
)


@contextmanager
def working(panel: Panel) -> Iterator[None]:
    with Path(os.devnull).open("wb") as nowhere:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "run_worker", "--threads", "1"],
            cwd=ROOT,
            env=panel.env,
            stdout=nowhere,
            stderr=nowhere,
        )
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


def test_a_file_is_looked_at_recorded_and_mended(page: Page, panel: Panel, tmp_path: Path):
    file = tmp_path / "may.csv"
    file.write_text(FILE)
    page.goto(f"{panel.url}/admin/backfill/backfill/")
    page.get_by_label("Username").fill("manager")
    page.get_by_label("Password").fill("demo-manager")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Upload sales").click()
    page.get_by_label("Installation").select_option("demo")
    page.get_by_label("Nothing: record them as history").check()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text(f"Being checked: 0 of {ROWS + 1} rows")).to_be_visible()
    expect(page.get_by_text("No worker is at it")).to_be_visible()
    # Nobody loads the page again: it asks by itself.
    with working(panel):
        expect(page.get_by_text(f"{ROWS} would be recorded")).to_be_visible()
        expect(page.get_by_text("No worker is at it")).to_be_hidden()
        expect(page.get_by_text("Not used: column Emial.")).to_be_visible()
        page.get_by_role("button", name=f"Record {ROWS} rows").click()
        expect(page.get_by_text(f"Done: {ROWS + 1} of {ROWS + 1} rows")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them").click()
    assert "'=1+1" in Path(download.value.path()).read_text()
