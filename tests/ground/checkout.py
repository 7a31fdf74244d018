"""The checkout under test, without what git leaves out."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def committed_files() -> Iterator[Path]:
    """Read from the folder, not from git: a copy of the tree must pass as well."""
    return (path for path in files_below(ROOT) if not path.name.startswith(".env"))


def files_below(folder: Path) -> Iterator[Path]:
    left_out = ignored_names()
    for path in folder.iterdir():
        if path.name in left_out or path.suffix in left_out:
            continue
        if path.is_dir():
            yield from files_below(path)
        elif path.is_file():
            yield path


def ignored_names() -> set[str]:
    """Folder names and suffixes (of `*.suffix`) from .gitignore, and git's own folder."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    patterns = {line for line in lines if line and not line.startswith("#")}
    return {pattern.strip("/*") for pattern in patterns} | {".git"}


def rooms() -> set[str]:
    packages = {init.parent.name for init in ROOT.glob("*/__init__.py")}
    return packages - {"tests"}
