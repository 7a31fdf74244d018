"""CSV: nothing that we write runs in a spreadsheet, and what it writes is read without guessing."""

import ast
import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.spreadsheets import (
    STARTS,
    Unreadable,
    csv_answer,
    neutral,
    original,
    read_rows,
    text_of,
    write_csv,
)
from tests.ground.checkout import ROOT, rooms

STORABLE = st.characters(exclude_categories=["Cs"])
CELLS = st.text(STORABLE, max_size=12) | st.text(f"{STARTS}' a;,\"\n", max_size=6)
TABLES = st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5)


class TestWhatIsWritten:
    @pytest.mark.parametrize(
        "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1+1"]
    )
    def test_runs_in_no_spreadsheet(self, cell):
        assert neutral(cell) == f"'{cell}"

    @pytest.mark.parametrize("cell", ["", "S-1", "42.00", "mara@example.com", "a=b"])
    def test_is_left_alone_where_nothing_runs(self, cell):
        assert neutral(cell) == cell

    @given(CELLS)
    def test_gives_back_what_it_was(self, cell):
        assert original(neutral(cell)) == cell
        assert not neutral(cell).lstrip().startswith(tuple(STARTS))

    @given(TABLES)
    def test_is_the_same_when_it_is_read_again(self, table):
        raw = write_csv([f"t{number}" for number in range(4)], table)
        assert raw.startswith(b"\xef\xbb\xbf")
        read = [cells for _, cells in read_rows(text_of(raw))][1:]
        stripped = [[original(neutral(cell).strip()).strip() for cell in row] for row in table]
        assert read == [row for row in stripped if any(row)]

    def test_keeps_its_cells_where_a_spreadsheet_splits_at_semicolons(self):
        raw = write_csv(["a"], [["x;=1+1"]])
        rows = csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";")
        assert list(rows) == [["a"], ["x;=1+1"]]

    def test_is_a_download_that_nobody_keeps(self):
        answer = csv_answer("rows.csv", ["id"], [["=1"]])
        assert answer.content == b'\xef\xbb\xbf"id"\r\n"\'=1"\r\n'
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="rows.csv"'
        assert answer["Cache-Control"] == "no-store"

    def test_is_written_in_one_place_only(self):
        """Every writer of CSV goes through here: no room has one of its own."""
        ours = {
            str(path.relative_to(ROOT))
            for room in rooms() - {"sandbox", "bench"}
            for path in (ROOT / room).rglob("*.py")
            if writes_csv(path.read_text())
        }
        assert ours == {"database/spreadsheets.py"}


def writes_csv(source: str) -> bool:
    """Calls csv's writers, or says that an answer is CSV."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in {"writer", "DictWriter"})
        or (isinstance(node, ast.Constant) and str(node.value).startswith("text/csv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "csv")
        for node in ast.walk(ast.parse(source))
    )


class TestWhatIsRead:
    @pytest.mark.parametrize("sign", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_has_any_usual_shape(self, sign, encoding, end):
        lines = [sign.join(row) for row in (["id", "name"], [" 1 ", '"Zoë, ""Z"""'], ["", ""])]
        raw = end.join([*lines, ""]).encode(encoding)
        assert list(read_rows(text_of(raw))) == [(1, ["id", "name"]), (2, ["1", 'Zoë, "Z"'])]

    def test_names_the_line_on_which_a_row_begins(self):
        rows = read_rows('id,note\n1,"two\nlines"\n\n2,x\n')
        assert [line for line, _ in rows] == [1, 2, 5]

    def test_is_utf_8(self):
        with pytest.raises(Unreadable, match="save it as CSV"):
            text_of("Zoë".encode("latin-1"))

    def test_is_not_guessed_where_columns_can_mean_two_things(self):
        with pytest.raises(Unreadable, match="more than one of comma, semicolon and tab"):
            list(read_rows("id;name,total\n1;2,3\n"))

    @pytest.mark.parametrize("text", ['id,note\n1,"never closed\n2,x\n', 'id,note\n1,"a"b\n'])
    def test_has_quotes_that_fit(self, text):
        with pytest.raises(Unreadable, match="begins in line 2"):
            list(read_rows(text))

    @given(st.binary(max_size=200))
    def test_is_rows_or_a_clear_refusal_whatever_it_is(self, raw):
        with suppress(Unreadable):
            assert all(any(cells) for _, cells in read_rows(text_of(raw)))
