import re

import pytest

from tests.ground.checkout import ROOT

LINK = re.compile(r"\]\(([^)#\s]+)")
PICTURE = re.compile(r"src=\"([^\"]+)\"")
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_and_picture_that_is_linked_exists(name):
    page = ROOT / name
    text = page.read_text()
    places = [place for place in LINK.findall(text) + PICTURE.findall(text) if "://" not in place]
    missing = [place for place in places if not (page.parent / place).exists()]

    assert missing == []
