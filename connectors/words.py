"""What an outside system said in words, made safe to show and to store.

Error bodies are documented nowhere, so every shape seen in the wild is taken: `{"error": ...}`,
`{"errors": ...}`, `{"message": ...}`, `{attribute: [text]}` and plain text.
"""

import re
from collections.abc import Iterable, Iterator

MOST = 300
# Enough for 300 characters after scrubbing; more would only feed the patterns below.
MOST_READ = 2000
DEEPEST = 4

EMAIL = re.compile(r"[^\s@<>\"'(),;:]+(?:@|%40)[^\s@<>\"'(),;:]*", re.IGNORECASE)
PHONE = re.compile(r"(?:\+|%2B)?\(?\d(?:[\s().\-/]{0,2}\d){6,}", re.IGNORECASE)
# Keys that say nothing beyond their text.
TITLES = frozenset({"base", "detail", "details", "error", "errors", "message", "messages"})


def words_of(said: object, secrets: Iterable[str] = ()) -> str:
    """The texts in a body (JSON values, or a plain text), scrubbed, at most 300 characters.

    `secrets` are taken out as well: some systems repeat a wrong key in their error.
    """
    return scrub("; ".join(_texts(said, DEEPEST)), secrets)[:MOST]


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text[:MOST_READ]).split())
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return PHONE.sub("[number]", EMAIL.sub("[email]", text))


def _texts(said: object, depth: int) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, list) and depth:
        for item in said[:20]:
            yield from _texts(item, depth - 1)
    elif isinstance(said, dict) and depth:
        for key, value in list(said.items())[:20]:
            title = "" if key in TITLES else f"{key}: "
            yield from (f"{title}{text}" for text in _texts(value, depth - 1))
