"""The control page: what the sandbox holds, and forms that steer it. Nothing comes from outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from sandbox.messages import HTML, Reply
from sandbox.page import forms, tables, tour
from sandbox.world import World
from sandbox.yotpo import views

FOLDER = Path(__file__).parent
PAGE_PATHS = {"/", "/_sandbox/", "/_sandbox"}
FILES: Mapping[str, tuple[str, str]] = {
    "/_sandbox/page.css": ("page.css", "text/css; charset=utf-8"),
    "/_sandbox/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LATEST_CALLS = 40


def answer(world: World, path: str) -> Reply | None:
    """The page or one of its files; None if `path` is neither."""
    if path in PAGE_PATHS:
        return Reply(raw=render(world).encode(), content_type=HTML, headers=HEADERS)
    if path in FILES:
        name, content_type = FILES[path]
        return Reply(raw=(FOLDER / name).read_bytes(), content_type=content_type, headers=HEADERS)
    return None


def render(world: World) -> str:
    """The whole page. Every value goes through `tables.safe` or `forms`, which escape."""
    (members, redemptions, options, counts), _ = world.run(
        lambda work: (
            views.members(work),
            views.redemptions(work),
            views.options(work),
            views.counts(work),
        )
    )
    return Template((FOLDER / "page.html").read_text()).substitute(
        tour=tour.steps(),
        counts=tables.counts({**counts, "calls": sum(world.calls.counts().values())}),
        switches=forms.switches(world.switches),
        fault_form=forms.fault(),
        faults=tables.faults(world.faults.listed()),
        members=tables.members(members),
        member_choices=forms.members(members),
        option_choices=forms.options(options),
        redemptions=tables.redemptions(redemptions[::-1]),
        calls=tables.calls(world.calls.latest(LATEST_CALLS)[::-1]),
    )
