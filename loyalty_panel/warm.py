"""What the first associate of a new process would wait for, done before they come."""

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_resolver

from members.engine import keep_warm


def warm_up() -> None:
    """Import every view, compile every page, and have connections to the engine ready."""
    _ = get_resolver().url_patterns
    pages = settings.BASE_DIR / "templates"
    for page in pages.rglob("*.html"):
        get_template(page.relative_to(pages).as_posix())
    keep_warm()
