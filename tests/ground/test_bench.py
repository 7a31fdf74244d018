"""The benchmarks are run by hand, and so are the first to be forgotten."""

import subprocess
import sys
from pathlib import Path

from bench.servers import panel_env
from sandbox.control import Sandbox


def test_what_the_bench_sets_is_enough_for_production(sandbox: Sandbox, tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=panel_env(sandbox, tmp_path, port=8000),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
