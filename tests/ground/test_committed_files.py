"""What must not be in the repository, wherever it was written."""

import re
from pathlib import Path

from tests.ground.checkout import ROOT, committed_files

# In two parts, or this file would name what it forbids.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian.org",
]
SOMEBODYS_FOLDER = re.compile("(?<![\\w.:/-])/(?:home|Users|root|work)" + r"/\w|[A-Z]:\\Users")


def test_no_file_names_a_package_registry():
    assert lines_with(lambda line: any(host in line for host in REGISTRIES)) == []


def test_no_file_names_a_folder_of_one_persons_machine():
    assert lines_with(SOMEBODYS_FOLDER.search) == []


def lines_with(is_forbidden) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed_files()
        for number, line in enumerate(lines_of(path), 1)
        if is_forbidden(line)
    ]


def lines_of(path: Path) -> list[str]:
    """None at all for a picture or a font."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
