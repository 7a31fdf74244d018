"""The header fields of a request, read line by line."""

from __future__ import annotations

from io import BufferedIOBase

LONGEST_LINE = 65_536
MOST_FIELDS = 100
ENDS = (b"\r\n", b"\n", b"")


class BadHead(Exception):
    """Fields that are answered with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_fields(stream: BufferedIOBase) -> dict[str, str]:
    """Names are lower-case; of a name that comes twice the last counts."""
    fields: dict[str, str] = {}
    for _ in range(MOST_FIELDS + 1):
        line = stream.readline(LONGEST_LINE + 1)
        if line in ENDS:
            return fields
        name, colon, value = str(line, "latin-1").partition(":")
        if len(line) > LONGEST_LINE:
            break
        if not colon or not name or name != name.strip():
            raise BadHead(400)
        fields[name.lower()] = value.strip()
    raise BadHead(431)
