"""Files of codes, as people have them."""

import pytest

from offers.code_files import MOST_CODES, Unreadable, read_codes

SAME = ["AB-1", "CD-2", "EF-3"]


@pytest.mark.parametrize(
    "raw",
    [
        b"AB-1\nCD-2\nEF-3",
        b"AB-1\r\nCD-2\r\nEF-3\r\n",
        b"AB-1\rCD-2\rEF-3\r",
        b"\xef\xbb\xbfAB-1\nCD-2\nEF-3\n",
        "AB-1\nCD-2\nEF-3\n".encode("utf-16"),
        b'"AB-1"\n "CD-2" \n\n   \nEF-3  \n',
        b"Code\nAB-1\nCD-2\nEF-3\n",
        b"\n\nCoupon Code\nAB-1\nCD-2\nEF-3\n",
        b"id,CODE,used\n1,AB-1,no\n2,CD-2,no\n3,EF-3,no\n",
        b"id;code\n1;AB-1\n2;CD-2\n3;EF-3\n",
        b"id\tcode\n1\tAB-1\n2\tCD-2\n3\tEF-3\n",
        b"AB-1,\nCD-2,\nEF-3,\n",
    ],
)
def test_the_same_codes_in_many_forms(raw):
    file = read_codes(raw)
    assert list(file.codes) == SAME
    assert file.left_out == []


def test_what_is_left_out_is_named_by_its_line_and_nothing_is_lost():
    raw = b'Code,x\nAB-1,1\nab-1,2\n,3\n"A,B",4\nA B,5\n' + "É,6\n".encode() + b"X" * 101 + b",7\n"
    file = read_codes(raw)

    assert file.codes == {"AB-1": 2}
    assert [left.line for left in file.left_out] == [3, 4, 5, 6, 7, 8]
    assert file.left_out[0].why == "The same as in line 2."
    assert not any("AB-1" in left.why.upper() for left in file.left_out)


def test_no_code_is_a_formula():
    file = read_codes(b'AB-1\n=HYPERLINK(1)\n+1\n-1\n@SUM\n"=""007"""\n')
    assert list(file.codes) == ["AB-1"]
    assert [left.line for left in file.left_out] == [2, 3, 4, 5, 6]
    assert {left.why[:14] for left in file.left_out} == {"It begins with"}


def test_of_two_codes_in_one_line_none_is_picked():
    file = read_codes(b"AB-1\nCD-2,EF-3\nGH-4,\n")
    assert list(file.codes) == ["AB-1", "GH-4"]
    assert [(left.line, left.why[:9]) for left in file.left_out] == [(2, "Two codes")]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a,b\n1,2\n", "several columns"),
        (b"\xff\x00\xff", "UTF"),
        (b"caf\xe9\n", "UTF-8"),
        (b"x" * 10_000_001, "larger"),
        ("\n".join(f"C{n}" for n in range(MOST_CODES + 1)).encode(), "split"),
        (b"A-1\n" + b"x x\n" * MOST_CODES, "split"),
    ],
    ids=["columns", "odd bytes", "latin-1", "large", "many", "many flaws"],
)
def test_what_cannot_be_read_at_all_says_why(raw, words):
    with pytest.raises(Unreadable, match=words):
        read_codes(raw)


def test_an_empty_file_has_no_codes():
    assert read_codes(b"\n \n").codes == {}
