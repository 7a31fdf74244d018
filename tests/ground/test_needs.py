import sys
from pathlib import Path

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
