"""Enough of a person to recognise someone who stands there, and no more."""

MASK = "•••"


def mask_name(name: str) -> str:
    """Mara Quill -> M••• Q•••"""
    return " ".join(word[0] + MASK for word in name.split())


def mask_email(address: str) -> str:
    """mara@example.com -> m•••@example.com"""
    local, at, domain = address.partition("@")
    return f"{local[:1]}{MASK}{at}{domain}" if at else ""


def mask_phone(number: str) -> str:
    """+14155550123 -> •••0123"""
    return f"{MASK}{number[-4:]}" if number else ""
