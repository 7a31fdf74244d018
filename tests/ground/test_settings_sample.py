"""dotenv-sample names every variable that the settings and the Procfile read, and no other."""

import ast
import re
from collections.abc import Iterator

from tests.ground.checkout import ROOT, rooms

SAMPLE_LINE = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
SHELL_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")


def test_the_sample_lists_what_is_read_and_nothing_else():
    read = read_by_settings() | read_by_procfile()

    assert set(SAMPLE_LINE.findall((ROOT / "dotenv-sample").read_text())) == read


def test_only_the_settings_read_the_environment():
    """Anywhere else a variable would be missing from the sample."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for room in rooms() - {"sandbox", "bench"}
        for path in (ROOT / room).rglob("*.py")
        if "os.environ" in path.read_text() or "getenv(" in path.read_text()
    }

    assert readers <= {"loyalty_panel/wsgi.py"}  # which names the settings module


def read_by_settings() -> set[str]:
    return set(names_read(ast.parse((ROOT / "loyalty_panel" / "settings.py").read_text())))


def names_read(tree: ast.AST) -> Iterator[str]:
    """First arguments of env("NAME") and env.int("NAME")."""
    for call in ast.walk(tree):
        match call:
            case ast.Call(
                func=ast.Name("env") | ast.Attribute(ast.Name("env")),
                args=[ast.Constant(str(name)), *_],
            ):
                yield name


def read_by_procfile() -> set[str]:
    return set(SHELL_VARIABLE.findall((ROOT / "Procfile").read_text()))
