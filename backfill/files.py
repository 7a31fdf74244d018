"""A file of sales and refunds: which column is what, and which rows say the same twice.

What a row means is read later (backfill/reading.py), when it is checked and again when it is
recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from database.spreadsheets import Unreadable, read_rows, text_of

LARGEST_FILE = 50_000_000
MOST_ROWS, MOST_CELLS = 200_000, 500
# Of a row that was not taken, in the file of those: read again, they are passed over.
LINE, WHY = "line_in_file", "why_not_taken"
NEEDED = ("id", "completed_at")
TOTALS = ("total", "total_cents")
USED = frozenset({
    *NEEDED,
    *TOTALS,
    "kind",
    "sale_id",
    "currency",
    "time_zone",
    "email",
    "phone",
    "coupon_codes",
    "discount",
    "discount_cents",
    "ticket",
    "origin",
    "order_type",
    "source",
    "online_order_id",
    "store",
    "till",
    "associate",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in the file. `twin` is the line of an earlier row of the same kind and id;
    `differs`: it says other things."""

    line: int
    cells: list[str]
    twin: int | None = None
    differs: bool = False


@dataclass(frozen=True, slots=True)
class SalesFile:
    titles: list[str]
    unused: list[str]
    """Titles of columns that mean nothing here."""
    rows: list[Row]


def read_file(raw: bytes) -> SalesFile:
    """Raises Unreadable, with what to do about it."""
    if len(raw) > LARGEST_FILE:
        raise Unreadable(f"The file is larger than {LARGEST_FILE // 1_000_000} MB: split it.")
    rows = not_too_wide(read_rows(text_of(raw)))
    _, written = next(rows, (1, []))
    check_is_text(written)
    titles = [normal(title) for title in written]
    check_titles(titles)
    found = list(twins(titles, rows))
    if not found:
        raise Unreadable("The file has titles and no row below them.")
    unused = [
        shown
        for title, shown in zip(titles, written, strict=True)
        if title and title not in USED | {LINE, WHY}
    ]
    return SalesFile(titles, unused, found)


def normal(title: str) -> str:
    return "_".join(title.lower().split())


def not_too_wide(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Raises Unreadable for a line that no table has: nobody could look at it."""
    for line, cells in rows:
        if len(cells) > MOST_CELLS:
            raise Unreadable(
                f"Line {line} has more than {MOST_CELLS} cells: see whether an end of line is "
                "missing, and leave out columns that nobody needs."
            )
        yield line, cells


def check_is_text(titles: list[str]) -> None:
    """PostgreSQL stores no NUL, and a file that has some among its titles is in another encoding.

    Raises Unreadable.
    """
    if any("\0" in title for title in titles):
        raise Unreadable("The first line is not text in UTF-8: save it as CSV (UTF-8).")


def check_titles(titles: list[str]) -> None:
    twice = sorted({title for title in titles if title in USED and titles.count(title) > 1})
    if twice:
        raise Unreadable(f"Two columns have the title {twice[0]}: keep one of them.")
    missing = [title for title in NEEDED if title not in titles]
    if missing:
        raise Unreadable(
            f"No column has the title {missing[0]}. The first line names the columns; id, "
            "completed_at and total (or total_cents) are needed."
        )
    if sum(title in titles for title in TOTALS) != 1:
        raise Unreadable(
            "Give one column the title total (42.00) or total_cents (4200), and not both."
        )


def twins(titles: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    """Raises Unreadable for a file with too many rows."""
    kind = titles.index("kind") if "kind" in titles else len(titles)
    number = titles.index("id")
    first: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for count, (line, cells) in enumerate(rows):
        if count == MOST_ROWS:
            raise Unreadable(f"The file has more than {MOST_ROWS:,} rows: split it.")
        name = ("".join(cells[kind : kind + 1]).lower(), "".join(cells[number : number + 1]))
        twin = first.setdefault(name, (line, cells))
        if not name[1] or twin[0] == line:
            yield Row(line, cells)
        else:
            yield Row(line, cells, twin=twin[0], differs=twin[1] != cells)
