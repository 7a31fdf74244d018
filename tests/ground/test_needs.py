import os
import sys
from pathlib import Path

import pytest

import needs
from needs import Need


def test_a_program_that_is_there_is_found(capsys):
    python = Need("Python", ("python3",), lambda: Path(sys.executable))

    assert python.provide() == Path(sys.executable)
    assert capsys.readouterr().out == f"Python: {sys.executable}\n"


def test_a_program_that_cannot_be_installed_is_named_with_the_command(monkeypatch, capsys):
    monkeypatch.setattr(needs, "can_install", lambda: False)
    tool = Need("A tool", ("a-tool", "its-font"), lambda: None)

    assert tool.provide() is None
    assert "Type: sudo apt-get install --yes a-tool its-font" in capsys.readouterr().out


def test_root_installs_what_is_missing(monkeypatch):
    places = [None, Path("/usr/bin/a-tool")]
    calls = []
    monkeypatch.setattr(needs, "can_install", lambda: True)
    monkeypatch.setattr(needs, "run_apt", lambda *arguments: calls.append(arguments) or True)
    needs.refresh_package_lists.cache_clear()

    found = Need("A tool", ("a-tool",), lambda: places.pop(0)).provide()

    assert found == Path("/usr/bin/a-tool")
    assert [call[0] for call in calls] == ["update", "install"]
    assert calls[1][-1] == "a-tool"


def test_the_chromium_that_the_caller_names_comes_first(monkeypatch):
    monkeypatch.setenv("CHROMIUM", sys.executable)

    assert needs.find_chromium() == Path(sys.executable)


def test_the_newest_postgresql_is_taken():
    folders = [Path(f"/usr/lib/postgresql/{version}/bin") for version in (9, 15, 17)]

    assert max(folders, key=needs.major_version) == folders[-1]


def test_what_apt_does_not_bring_everywhere_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr(needs, "can_install", lambda: True)
    monkeypatch.setattr(needs, "apt_install", lambda _: pytest.fail("apt was called"))

    assert Need("A Python", (), lambda: None, "Build one.").provide() is None
    assert capsys.readouterr().out == "A Python is missing. Build one.\n"


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Puts programs on a PATH that has nothing else: each is a shell script of one line."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PYTHON_NEXT", raising=False)

    def put(name: str, line: str) -> str:
        program = tmp_path / name
        program.write_text(f"#!{os.path.realpath('/bin/sh')}\n{line}\n")
        program.chmod(0o755)
        return str(program)

    return put


def test_a_next_python_that_runs_is_found(on_path):
    on_path("python3.13", "echo /usr/bin/python3.13")

    assert needs.find_next_python() == Path("/usr/bin/python3.13")


def test_a_shim_that_leads_nowhere_is_passed_over(on_path):
    on_path("python3.13", "echo not this one; exit 127")
    on_path("python3", "echo /usr/bin/python3")

    assert needs.find_next_python() == Path("/usr/bin/python3")


def test_a_python_that_pyenv_keeps_off_the_path_is_found(on_path):
    kept = on_path("kept-python", "echo /usr/bin/python3.13")
    on_path("python3.13", "exit 127")
    on_path("pyenv", f'test "$*" = "whence --path python3.13" && echo {kept}')

    assert needs.find_next_python() == Path("/usr/bin/python3.13")


def test_an_older_python_is_not_the_next_one(on_path):
    on_path("python3", "echo")

    assert needs.find_next_python() is None


def test_the_next_python_that_the_caller_names_is_the_only_one(on_path, monkeypatch):
    on_path("python3.13", "echo /usr/bin/python3.13")
    monkeypatch.setenv("PYTHON_NEXT", "python3.15")

    assert needs.find_next_python() is None


def test_a_python_is_asked_for_its_version():
    newer = sys.version_info >= (3, 13)

    assert needs.next_python(sys.executable) == (Path(sys.executable) if newer else None)
