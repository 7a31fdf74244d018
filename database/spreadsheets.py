"""CSV, as spreadsheets write and open it: read without guessing, written so that nothing runs.

A spreadsheet takes a cell that begins with one of `STARTS` for a formula. Such a cell is written
with an apostrophe before it, which it shows as text; read again, the apostrophe is taken off.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from django.http import HttpResponse

# The last four are what a full-width keyboard makes of the first.
STARTS = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
RUNS = re.compile(rf"\s*[{re.escape(STARTS)}]")
IS_NEUTRAL = re.compile(rf"'(?:'|{RUNS.pattern})")
DELIMITERS = ",;\t"
# Excel reads a file as UTF-8 only where this stands before it.
MARK = "\ufeff"


class Unreadable(Exception):
    """The file as a whole can't be read; the text says why, and what to do."""


def neutral(cell: str) -> str:
    """The cell as a spreadsheet may open it. What an apostrophe begins gets a second one, so that
    `original` gives back whatever this was given."""
    return f"'{cell}" if RUNS.match(cell) or cell.startswith("'") else cell


def original(cell: str) -> str:
    """What `neutral` was given. What it would not have written stays as it is."""
    return cell[1:] if IS_NEUTRAL.match(cell) else cell


def write_csv(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """UTF-8 with a mark. Every cell stands in quotes: where a spreadsheet splits at semicolons as
    well, none becomes two, of which the second could run."""
    text = io.StringIO(newline="")
    text.write(MARK)
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in (titles, *rows):
        writer.writerow([neutral(cell) for cell in row])
    return text.getvalue().encode()


def csv_answer(name: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> HttpResponse:
    """A download. It may name people, so nobody keeps it on the way."""
    answer = HttpResponse(write_csv(titles, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def text_of(raw: bytes) -> str:
    """UTF-8, or UTF-16 with a mark. Raises Unreadable."""
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8: save it as CSV (UTF-8).") from None


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins, without outer spaces; empty ones are passed over.

    Commas, semicolons or tabs stand between columns: the first line says which. Raises Unreadable
    where that line has several of them, and for quotes that don't fit.
    """
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=only_delimiter(text),
        skipinitialspace=True,
        strict=True,
    )
    begins = 1
    try:
        for row in rows:
            cells = [original(cell.strip()).strip() for cell in row]
            if any(cells):
                yield begins, cells
            begins = rows.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            f"The row that begins in line {begins} can't be read as CSV: {error}. See whether each "
            "quote in it is closed."
        ) from None


def only_delimiter(text: str) -> str:
    lines = io.StringIO(text, newline="")
    first = next((line for line in lines if line.strip()), "")
    found = [sign for sign in DELIMITERS if sign in first]
    if len(found) > 1:
        raise Unreadable(
            "The first line has more than one of comma, semicolon and tab, so that its columns "
            "can't be told. Save it as CSV with commas."
        )
    return found[0] if found else ","
