"""A person's name, as they say it is."""

from members.identity import Unreadable, refuse_card

LONGEST_NAME = 100
# They show nothing, and Persian names and emoji are written with them.
JOINERS = "\u200c\u200d"
# What Django puts for bytes that are no text.
NO_TEXT = "\ufffd"


def read_name(text: str) -> str:
    """Any script and any sign but control characters. Raises Unreadable or CardNumber."""
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise Unreadable(f"A name has at most {LONGEST_NAME} characters here.")
    refuse_card(name)
    if not all(map(can_be_shown, name)):
        raise Unreadable("That name has characters that can't be shown.")
    return name


def can_be_shown(character: str) -> bool:
    return (character.isprintable() and character != NO_TEXT) or character in JOINERS
