"""What a database can hold of the texts that others send."""

from typing import Any


def storable(told: Any) -> Any:
    """The same value without NULs and halves of surrogate pairs: JSON can carry them, PostgreSQL
    refuses the whole row for one."""
    if isinstance(told, str):
        return told.replace("\0", "").encode("utf-8", "ignore").decode()
    if isinstance(told, dict):
        return {storable(name): storable(part) for name, part in told.items()}
    if isinstance(told, list | tuple):
        return type(told)(storable(part) for part in told)
    return told
