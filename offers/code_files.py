"""A file of codes, as spreadsheets and shops write them: one a line, or a column with a title."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_CODE = 100
LARGEST_FILE = 10_000_000
# On SQLite nobody else writes while they are kept, which takes a second or three for so many.
MOST_CODES = 100_000
FORMULAS = "=+-@"
TITLES = frozenset(
    {"code", "codes", "coupon", "coupons", "coupon code", "coupon codes", "coupon_code"}
    | {
        "coupon_codes",
        "discount code",
        "voucher",
        "voucher code",
        "voucher_code",
        "redemption code",
    }
)


class Unreadable(Exception):
    """The file as a whole can't be read; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line whose code is not taken. `why` holds no code."""

    line: int
    why: str


@dataclass(slots=True)
class CodeFile:
    """`codes` are as in the file, with the line of each; `left_out` are all the others."""

    codes: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def read_codes(raw: bytes) -> CodeFile:
    """Each code once, whatever its capitals. Raises Unreadable.

    Takes UTF-8 with or without a mark and UTF-16 with one, quotes, spaces around, any end of line,
    commas, semicolons or tabs between columns; empty lines are passed over.
    """
    if len(raw) > LARGEST_FILE:
        raise Unreadable(f"The file is larger than {LARGEST_FILE // 1_000_000} MB: split it.")
    found = CodeFile()
    seen: dict[str, int] = {}
    for line, code in cells(text_of(raw)):
        if len(found.codes) + len(found.left_out) >= MOST_CODES:
            raise Unreadable(f"The file has more than {MOST_CODES:,} codes: split it.")
        capitals = code.upper()
        if why := flaw(code):
            found.left_out.append(LeftOut(line, why))
        elif capitals in seen:
            found.left_out.append(LeftOut(line, f"The same as in line {seen[capitals]}."))
        else:
            seen[capitals] = line
            found.codes[code] = line
    return found


def text_of(raw: bytes) -> str:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8: save it as CSV (UTF-8).") from None


def cells(text: str) -> Iterator[tuple[int, str]]:
    """The line and the code of each row that has one. Raises Unreadable."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter_of(first), skipinitialspace=True
    )
    column: int | None = None
    is_title = False
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if column is None:
                column, is_title = column_of(row)
                if is_title:
                    continue
            yield rows.line_num, code_of(row, column, is_alone=not is_title)
    except csv.Error as error:
        raise Unreadable(f"Line {rows.line_num} can't be read as CSV: {error}.") from None


def code_of(row: list[str], column: int, *, is_alone: bool) -> str:
    """Without titles a line has one code: of one that has more, none is picked."""
    if is_alone and sum(bool(cell.strip()) for cell in row) > 1:
        return ",".join(row)
    return row[column].strip() if column < len(row) else ""


def delimiter_of(first: str) -> str:
    return next((sign for sign in "\t;," if sign in first), ",")


def column_of(row: list[str]) -> tuple[int, bool]:
    """Which column has the codes, and whether this first row is its title. Raises Unreadable."""
    titles = [cell.strip().lower() for cell in row]
    for place, title in enumerate(titles):
        if title in TITLES:
            return place, True
    filled = [place for place, title in enumerate(titles) if title]
    if len(filled) > 1:
        raise Unreadable(
            "The file has several columns. Give the one with the codes the title Code, or leave "
            "the others out."
        )
    return filled[0], False


def flaw(code: str) -> str:
    """Why the engine or a till could not take it; empty where they can."""
    if not code:
        return "There is no code."
    if len(code) > LONGEST_CODE:
        return f"Longer than {LONGEST_CODE} characters."
    if "," in code:
        return "Two codes, or a comma in one: give each code a line of its own."
    if code[0] in FORMULAS:
        return "It begins with =, +, - or @: a spreadsheet that opens it takes it for a formula."
    if any(char.isspace() for char in code):
        return "A space in it."
    if not (code.isascii() and code.isprintable()):
        return "A character that a till can't type."
    return ""
