"""The till's page and its files. From outside comes the panel alone: its frame and its script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from string import Template

from sandbox.messages import HTML, Reply, Request
from sandbox.page import tour
from sandbox.till.goods import CLERKS, PLACE, PRODUCTS, SHELVES, Product
from sandbox.till.keys import Keys, NoKeys

FOLDER = Path(__file__).parent / "web"
PAGE = "/till/"
FILES: Mapping[str, tuple[str, str]] = {
    f"{PAGE}till.css": ("till.css", "text/css; charset=utf-8"),
    f"{PAGE}till.js": ("till.js", "text/javascript; charset=utf-8"),
}
BRIDGE = "/static/bridge/loyalty-panel.js"
# The panel's frame is of another site than this page, as it is in a shop.
NAME = "localhost"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "script-src 'self'{script}; frame-src {frame}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def answer(request: Request, keys: Callable[[], Keys]) -> Reply | None:
    """The page or one of its files; None if the path is neither."""
    if request.path in FILES:
        name, content_type = FILES[request.path]
        raw = (FOLDER / name).read_bytes()
        return Reply(raw=raw, content_type=content_type, headers=headers())
    if request.path not in {PAGE, PAGE.rstrip("/")}:
        return None
    host = request.headers.get("host", "")
    name, _, port = host.partition(":")
    if name != NAME or request.path != PAGE:
        place = f"//{NAME}:{port}{PAGE}" if port else f"//{NAME}{PAGE}"
        return Reply(302, raw=b"", content_type=HTML, headers={**headers(), "Location": place})
    try:
        return _shown(keys())
    except NoKeys as none:
        return _how_to_get_keys(str(none))


def headers(keys: Keys | None = None) -> dict[str, str]:
    """Only the panel's frame and its one script, and only of this panel."""
    policy = POLICY.format(
        script=f" {keys.panel_origin}{BRIDGE}" if keys else "",
        frame=keys.panel_origin if keys else "'none'",
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _shown(keys: Keys) -> Reply:
    text = Template((FOLDER / "till.html").read_text()).substitute(
        icons=(FOLDER / "icons.svg").read_text(),
        bridge=escape(f"{keys.panel_origin}{BRIDGE}"),
        origin=escape(keys.panel_origin),
        panel=escape(keys.panel_url),
        place=escape(PLACE),
        shelves="\n".join(map(_shelf, SHELVES)),
        goods="\n".join(map(_tile, PRODUCTS.values())),
        clerks="\n".join(_clerk(clerk.id, clerk.name, clerk.role) for clerk in CLERKS.values()),
        names="\n".join(_name(clerk.id, clerk.name) for clerk in CLERKS.values()),
        tour=tour.steps(),
    )
    return Reply(raw=text.encode(), content_type=HTML, headers=headers(keys))


def _shelf(name: str) -> str:
    shown = escape(name)
    return f'<button type="button" data-shelf="{shown}" aria-pressed="false">{shown}</button>'


def _tile(product: Product) -> str:
    place = SHELVES.index(product.shelf)
    return (
        f'<li data-shelf="{escape(product.shelf)}"><button type="button" class="tile shelf-{place}"'
        f' data-sku="{product.sku}"><span class="picture"><svg aria-hidden="true">'
        f'<use href="#{product.picture}"/></svg></span><span class="name">{escape(product.name)}'
        f'</span><span class="price">${product.cents / 100:,.2f}</span></button></li>'
    )


def _clerk(clerk_id: str, name: str, role: str) -> str:
    shown = escape(name) + (" (manager)" if role == "manager" else "")
    return f'<option value="{clerk_id}">{shown}</option>'


def _name(clerk_id: str, name: str) -> str:
    return f'<button type="button" data-unlock="{clerk_id}">{escape(name)}</button>'


def _how_to_get_keys(why: str) -> Reply:
    text = Template((FOLDER / "no_keys.html").read_text()).substitute(why=escape(why))
    return Reply(503, raw=text.encode(), content_type=HTML, headers=headers())
