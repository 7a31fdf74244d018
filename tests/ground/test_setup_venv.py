import pytest

import setup_venv
from setup_venv import Venv

NOISE = "WARNING: Location 'a' is ignored"


@pytest.fixture
def venv(tmp_path):
    """Looks like one. Its Python says what pip would, and fails where a file `broken` stands."""
    made = Venv(tmp_path / ".venv", tmp_path / "pins.txt")
    made.pins.write_text("django==5.2.19")
    made.python.parent.mkdir(parents=True)
    made.python.write_text(
        f'#!/bin/sh\ncd "{tmp_path}"; echo "{NOISE}" >&2; echo run >> runs; test ! -e broken\n'
    )
    made.python.chmod(0o755)
    return made


@pytest.fixture
def usable(monkeypatch):
    monkeypatch.setattr(Venv, "is_usable", lambda _: True)


def runs(venv):
    file = venv.folder.parent / "runs"
    return file.read_text().count("run") if file.exists() else 0


def test_a_set_up_that_works_says_one_line(venv, usable, capfd):
    setup_venv.set_up(venv)

    out, err = capfd.readouterr()
    assert (out, err) == ("Installing pins.txt, which takes a minute or so\n", "")


def test_one_that_fails_shows_all_that_pip_said(venv, usable):
    (venv.folder.parent / "broken").touch()

    with pytest.raises(SystemExit, match=rf"{NOISE}\nCould not install pins.txt"):
        setup_venv.set_up(venv)


def test_what_is_installed_is_not_installed_again(venv, usable):
    setup_venv.set_up(venv)
    setup_venv.set_up(venv)

    assert runs(venv) == 1


def test_new_pins_are_installed(venv, usable):
    setup_venv.set_up(venv)
    venv.pins.write_text("django==5.2.20")
    setup_venv.set_up(venv)

    assert runs(venv) == 2


def test_a_set_up_that_failed_is_tried_again(venv, usable):
    broken = venv.folder.parent / "broken"
    broken.touch()
    with pytest.raises(SystemExit):
        setup_venv.set_up(venv)
    broken.unlink()

    setup_venv.set_up(venv)

    assert runs(venv) == 2


def test_a_folder_that_is_no_venv_is_made_anew(venv, monkeypatch):
    made = []
    monkeypatch.setattr(setup_venv, "make", made.append)

    setup_venv.set_up(venv)

    assert made == [venv]


def test_another_checkouts_is_used_as_it_is(venv, tmp_path):
    linked = Venv(tmp_path / "linked", venv.pins)
    linked.folder.symlink_to(venv.folder)
    setup_venv.set_up(linked)

    assert runs(venv) == 0 and venv.python.exists()
