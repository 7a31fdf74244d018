"""A row means one thing, or is refused with what to write instead."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.files import read_file
from backfill.reading import Flawed, read_row
from database.spreadsheets import Unreadable
from sales.record import NewSale
from sales.refunds import NewRefund
from stores.models import Installation

BOSTON = Installation(id="shop", time_zone="America/New_York", currency="USD", region="US")
USUAL = {"id": "S-1", "completed_at": "2026-05-02 12:00", "total": "42.00"}


def read(**cells: str):
    row = USUAL | cells
    return read_row(list(row), list(row.values()), BOSTON)


class TestASale:
    def test_is_read_with_all_that_a_file_can_say(self):
        told = read(
            completed_at="2026-05-02T12:00:30Z",
            email="mara@example.com",
            phone="",
            coupon_codes="LP-1 LP-2",
            discount="5.00",
            currency="EUR",
            ticket="T-1",
            origin="web",
            order_type="sale",
            online_order_id="",
            store="boston",
            till="1",
            associate="ana",
            note="two\nlines",
        )
        assert told.new == NewSale(
            pos_id="S-1",
            completed_at=datetime(2026, 5, 2, 12, 0, 30, tzinfo=UTC),
            total_cents=4200,
            currency="EUR",
            ticket="T-1",
            discount_cents=500,
            email="mara@example.com",
            coupon_codes=("LP-1", "LP-2"),
            origin="web",
            told={"order_type": "sale"},
        )
        assert (told.place.store, told.place.till, told.place.associate) == ("boston", "1", "ana")

    @pytest.mark.parametrize(
        ("cells", "hour"),
        [
            ({}, 16),  # the installation's zone
            ({"time_zone": "Europe/Berlin"}, 10),
            ({"completed_at": "2026-05-02 12:00+01:00"}, 11),
            ({"completed_at": "2026-05-02T12:00Z", "time_zone": "Europe/Berlin"}, 12),
        ],
    )
    def test_was_completed_in_its_own_time_zone(self, cells, hour):
        assert read(**cells).new.completed_at == datetime(2026, 5, 2, hour, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("cells", "phone"), [({"phone": "(415) 555-0123"}, "+14155550123"), ({}, "")]
    )
    def test_may_name_a_phone_or_nobody(self, cells, phone):
        assert (read(**cells).new.phone, read(**cells).new.email) == (phone, "")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": "S 1"}, "Column id: use 1 to 64"),
        ({"completed_at": "02/05/2026 12:00"}, "write 2026-11-21 09:41"),
        ({"completed_at": "2026-02-30 12:00"}, "no such day"),
        ({"completed_at": "2999-01-01 12:00"}, "in the future"),
        ({"completed_at": "0001-01-01 00:00+14:00"}, "before 1970"),
        ({"completed_at": "2026-03-08 02:30"}, "clocks of America/New_York were changed"),
        ({"completed_at": "2026-11-01 01:30"}, "clocks of America/New_York were changed"),
        ({"time_zone": "Boston"}, "IANA"),
        ({"total": "42"}, "a point and two digits"),
        ({"total": "42,00"}, "a comma, which could mean thousands"),
        ({"total": "1,042.00"}, "a comma, which could mean thousands"),
        ({"total": "$42.00"}, "a sign"),
        ({"total": "-42.00"}, "a minus"),
        ({"total": "4.20E+01"}, "a point and two digits"),
        ({"total": ""}, "a point and two digits"),
        ({"total": "", "total_cents": "42.5"}, "whole cents"),
        ({"discount": "5.00", "discount_cents": "500"}, "keep one of them"),
        ({"currency": "usd"}, "ISO 4217"),
        ({"email": "mara@"}, "Column email: That email address is not complete"),
        ({"phone": "12"}, "Column phone: That phone number is incomplete"),
        ({"phone": "4111 1111 1111 1111"}, "looks like a payment card"),
        ({"store": "Boston Main"}, "Column store: use"),
        ({"origin": "x" * 65}, "longer than 64"),
        ({"coupon_codes": "A " * 101}, "at most 100"),
        ({"kind": "return"}, "write sale or refund"),
        ({"sale_id": "S-0"}, "only a refund"),
        ({"kind": "refund"}, "names the id of its sale"),
        ({"kind": "refund", "sale_id": "S-0", "coupon_codes": "A"}, "neither coupon codes"),
        ({"kind": "refund", "sale_id": "S-0", "total": "0.00"}, "refund of nothing"),
        ({"ticket": "a\x00b"}, "can't be shown"),
    ],
)
def test_what_could_mean_two_things_is_refused(cells, words):
    with pytest.raises(Flawed, match=words):
        read(**cells)


def test_a_refund_names_its_sale():
    told = read(kind="Refund", sale_id="S-0", total="10.00", completed_at="")
    assert told.new == NewRefund("S-1", 1000, "USD", sale_id="S-0")


def test_a_comma_too_many_is_named():
    with pytest.raises(Flawed, match="has 4 cells and the first line 3"):
        read_row(list(USUAL), ["S-1", "2026-05-02 12:00", "42", "00"], BOSTON)


@given(st.lists(st.text(max_size=8), min_size=3, max_size=3))
def test_no_cell_breaks_the_reading(cells):
    try:
        read_row(list(USUAL), cells, BOSTON)
    except Flawed as error:
        why = str(error)
    else:
        why = ""
    assert len(why) < 300


class TestAFile:
    def test_knows_which_rows_say_the_same_twice(self):
        raw = b"Total,ID,Completed at,kind\n1.00,A,2026-05-02 12:00,\n"
        raw += b"1.00,A,2026-05-02 12:00,\n2.00,A,2026-05-02 12:00,\n1.00,A,,refund\n"
        rows = read_file(raw).rows
        assert [(row.line, row.twin, row.differs) for row in rows] == [
            (2, None, False),
            (3, 2, False),
            (4, 2, True),
            (5, None, False),
        ]

    def test_names_the_columns_that_it_does_not_use(self):
        raw = b"id,completed_at,total,Emial,why_not_taken\nA,2026-05-02 12:00,1.00,x,y\n"
        assert read_file(raw).unused == ["Emial"]

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (b"", "No column has the title id"),
            (b"A,2026-05-02 12:00,1.00\n", "The first line names the columns"),
            (b"id,completed_at\nA,x\n", "total .42.00. or total_cents .4200., and not both"),
            (b"id,completed_at,total,total_cents\nA,x,1,1\n", "not both"),
            (b"id,id,completed_at,total\nA,A,x,1\n", "Two columns have the title id"),
            (b"id,completed_at,total\n", "no row below"),
            ("id,completed_at,total\nZo\xeb,x,1\n".encode("latin-1"), "UTF-8"),
        ],
    )
    def test_is_refused_as_a_whole_where_its_columns_are_not_clear(self, raw, words):
        with pytest.raises(Unreadable, match=words):
            read_file(raw)
