"""Where a page comes from, written as browsers write it (RFC 6454, section 6.2)."""

import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from stores.loopback import is_loopback

DEFAULT_PORTS = {"https": 443, "http": 80}
HOST = re.compile(r"\[[0-9a-f:]+\]|(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*")


def normal_origin(text: str) -> str:
    """`HTTPS://Till.Example.com:443` -> `https://till.example.com`.

    Raises ValidationError for what is no exact origin, and for plain http beyond this machine.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        scheme, port = parts.scheme, parts.port
    except ValueError:
        raise ValidationError(how_to_write(text)) from None
    host = parts.netloc.lower().removesuffix(f":{port}")
    beyond = parts.path.strip("/") or parts.query or parts.fragment
    # urlsplit leaves line breaks out without a word.
    is_odd = beyond or port == 0 or not text.isprintable()
    if is_odd or scheme not in DEFAULT_PORTS or not HOST.fullmatch(host):
        raise ValidationError(how_to_write(text))
    if scheme == "http" and not is_loopback(host):
        raise ValidationError(f"{text} must start with https:// (plain http is for loopback).")
    return f"{scheme}://{host}" + ("" if port in {None, DEFAULT_PORTS[scheme]} else f":{port}")


def how_to_write(text: str) -> str:
    return (
        f"{text!r} is not an origin. Write https://host or https://host:port, without a path or a "
        "star; a name beyond ASCII in its xn-- form."
    )


def normal_word(text: str) -> str:
    """A word by which a POS says where a sale was made: without regard to capitals."""
    word = text.strip().casefold()
    if not 0 < len(word) <= 64 or not word.isprintable():
        raise ValidationError(f"{text!r} is not a word of 1 to 64 characters.")
    return word
