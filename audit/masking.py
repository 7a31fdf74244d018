"""What an entry may say of before and after: enough to see what changed, and nobody's secret."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "•••"
# By the field's name: nothing of these is kept.
UNTOLD = re.compile(
    r"secret|token|password|sha256|authorization|(^|_)(pin|key)$|^url$"
    r"|(first|last|full|given|family)_name|birthday|address|phone",
    re.IGNORECASE,
)
IN_ADDRESS = r"[^\s\"'<>()\[\]{},;:=&?@]"
# From the beginning of a word only: a long one without an @ is then read once, not once a letter.
EMAIL = re.compile(rf"(?<!{IN_ADDRESS})({IN_ADDRESS}){IN_ADDRESS}*@(?=[^\s@])")
PHONE = re.compile(r"\+\d[\d .()-]{6,18}\d")


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with secrets and personal data masked: by the field's name, and within texts."""
    return {
        name: MASK if UNTOLD.search(name) and value else mask_value(value)
        for name, value in values.items()
    }


def mask_value(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list | tuple):
        return [mask_value(one) for one in value]
    return value


def mask_text(text: str) -> str:
    """mara@example.com and +1 555 0100 of a text become m•••@example.com and •••"""
    return PHONE.sub(MASK, EMAIL.sub(rf"\1{MASK}@", text))
