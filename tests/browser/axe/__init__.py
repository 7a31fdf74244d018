"""axe-core 4.14.1 (Deque Systems, MPL 2.0: see LICENSE), and how the tests ask it."""

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = (Path(__file__).parent / "axe-4.14.1.min.js").read_text()
BAD = ("moderate", "serious", "critical")
# All of axe's rules that another colour scheme can break.
OF_COLOUR = ["color-contrast", "link-in-text-block"]


def complaints(page: Page, *, of_colour_only: bool = False) -> list[str]:
    """What axe finds on the page as it stands, less what it calls minor."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {SCRIPT} }}")
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if of_colour_only:
        options["runOnly"] = OF_COLOUR
    found = page.evaluate("async (how) => (await axe.run(document, how)).violations", options)
    return [
        f"{rule['id']} ({rule['impact']}): {node['html']}: {node['failureSummary']}"
        for rule in found
        if rule["impact"] in BAD
        for node in rule["nodes"]
    ]
