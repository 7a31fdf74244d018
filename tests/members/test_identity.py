import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from members.identity import (
    CardNumber,
    Email,
    Incomplete,
    Phone,
    Unreadable,
    email_identity,
    passes_luhn,
    read_email,
    read_identity,
    read_phone,
)


def full_width(text: str) -> str:
    """As a Japanese keyboard writes it."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


SAN_FRANCISCO, LONDON, ROME = "+14155550199", "+442079460199", "+390612345678"

# name of the form -> (region, what was typed, the number in E.164)
PHONES = {
    "US national": ("US", "(415) 555-0199", SAN_FRANCISCO),
    "US hyphens": ("US", "415-555-0199", SAN_FRANCISCO),
    "US dots": ("US", "415.555.0199", SAN_FRANCISCO),
    "US spaces": ("US", "415 555 0199", SAN_FRANCISCO),
    "US slash": ("US", "415/555-0199", SAN_FRANCISCO),
    "US digits alone": ("US", "4155550199", SAN_FRANCISCO),
    "US with the trunk 1": ("US", "1 415 555 0199", SAN_FRANCISCO),
    "US international": ("US", "+1 (415) 555-0199", SAN_FRANCISCO),
    "US E.164": ("US", "+14155550199", SAN_FRANCISCO),
    "US with outer spaces": ("US", "  415 555 0199\t", SAN_FRANCISCO),
    "US no-break spaces": ("US", "415\u00a0555\u00a00199", SAN_FRANCISCO),
    "US en dashes": ("US", "415\u2013555\u20130199", SAN_FRANCISCO),
    "US full-width digits": ("US", full_width("4155550199"), SAN_FRANCISCO),
    "US full-width plus": ("US", full_width("+14155550199"), SAN_FRANCISCO),
    "US Arabic digits": ("US", "٤١٥٥٥٥٠١٩٩", SAN_FRANCISCO),
    "British one from the US": ("US", "+44 20 7946 0199", LONDON),
    "British one dialled from the US": ("US", "011 44 20 7946 0199", LONDON),
    "GB national": ("GB", "020 7946 0199", LONDON),
    "GB brackets": ("GB", "(020) 7946 0199", LONDON),
    "GB without the trunk 0": ("GB", "20 7946 0199", LONDON),
    "GB international": ("GB", "+44 20 7946 0199", LONDON),
    "GB international with the trunk 0": ("GB", "+44 (0)20 7946 0199", LONDON),
    "GB dialled with 00": ("GB", "0044 20 7946 0199", LONDON),
    "GB mobile": ("GB", "07700 900199", "+447700900199"),
    "American one from GB": ("GB", "+1 415 555 0199", SAN_FRANCISCO),
    "IT keeps its 0": ("IT", "06 1234 5678", ROME),
    "IT international": ("IT", "+39 06 1234 5678", ROME),
    "IT dialled with 00": ("IT", "0039 06 1234 5678", ROME),
    "IT mobile": ("IT", "333 123 4567", "+393331234567"),
}


@pytest.mark.parametrize(("region", "typed", "number"), PHONES.values(), ids=PHONES.keys())
def test_a_phone_is_read_in_every_usual_form(region: str, typed: str, number: str) -> None:
    assert read_identity(typed, region) == Phone(number)


@pytest.mark.parametrize(("region", "typed", "number"), PHONES.values(), ids=PHONES.keys())
def test_the_enrolment_form_reads_the_same_number(region: str, typed: str, number: str) -> None:
    assert read_phone(typed, region) == number


@pytest.mark.parametrize(
    ("region", "typed"),
    [("US", "555-0199"), ("US", "5550199"), ("US", "12345"), ("GB", "7946 0199"), ("IT", "06 12")],
    ids=["US hyphen", "US digits", "US short", "GB", "IT"],
)
def test_a_number_without_its_area_code_is_incomplete(region: str, typed: str) -> None:
    with pytest.raises(Incomplete, match="add the area code"):
        read_identity(typed, region)


def test_the_region_decides_what_a_number_without_country_means() -> None:
    # Ten digits are an American number, and none that anybody has in the United Kingdom.
    assert read_phone("2125550199", "US") == "+12125550199"
    assert read_phone("02079460199", "GB") == LONDON


# Numbers of the networks' own test cards.
CARDS = {
    "13 digits": "4222222222222",
    "14 digits": "30569309025904",
    "15 digits": "378282246310005",
    "16 digits": "4111111111111111",
    "19 digits": "6304000000000000000",
    "in groups": "4111 1111 1111 1111",
    "with hyphens": "4111-1111-1111-1111",
    "after a plus": "+4111111111111111",
    "full-width": full_width("4111111111111111"),
}


@pytest.mark.parametrize("region", ["US", "GB", "IT"])
@pytest.mark.parametrize("typed", CARDS.values(), ids=CARDS.keys())
def test_a_payment_card_is_refused(typed: str, region: str) -> None:
    with pytest.raises(CardNumber, match="Nothing was kept"):
        read_identity(typed, region)


def test_the_words_about_a_card_do_not_repeat_it() -> None:
    with pytest.raises(CardNumber) as caught:
        read_identity(CARDS["16 digits"], "US")
    assert not any(character.isdigit() for character in str(caught.value))


@pytest.mark.parametrize(
    ("region", "typed"),
    [("DE", "4222222222222"), ("DE", "378282246310005")],
    ids=["13 digits", "15 digits"],
)
def test_a_possible_phone_is_no_card_even_if_its_digits_add_up(region: str, typed: str) -> None:
    assert read_identity(typed, region) == Phone(f"+49{typed}")


@pytest.mark.parametrize(
    "typed",
    ["411111111117", "4111111111111112", "41111111111111111115", "63040000000000000001"],
    ids=["12 digits", "a wrong check digit", "20 digits", "a card's 19 and another"],
)
def test_other_long_numbers_are_unreadable_and_no_cards(typed: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_identity(typed, "US")
    assert not isinstance(caught.value, CardNumber)


@pytest.mark.parametrize(
    ("digits", "passes"),
    [("4111111111111111", True), ("4111111111111112", False), ("79927398713", True)]
    + [(f"7992739871{last}", False) for last in "012456789"],
)
def test_the_check_digit(digits: str, passes: bool) -> None:
    assert passes_luhn(digits) is passes


EMAILS = {
    "plain": ("ada@shop.example.com", "ada@shop.example.com"),
    "outer spaces": ("  ada@example.com\n", "ada@example.com"),
    "the domain's capitals": ("ada@EXAMPLE.Com", "ada@example.com"),
    "the local part as typed": ("Ada.Lovelace@example.com", "Ada.Lovelace@example.com"),
    "a plus-tag": ("ada+till@example.com", "ada+till@example.com"),
    "an apostrophe": ("o'neil@example.com", "o'neil@example.com"),
    "another alphabet": ("müller@bücher.example.com", "müller@bücher.example.com"),
}


@pytest.mark.parametrize(("typed", "address"), EMAILS.values(), ids=EMAILS.keys())
def test_an_email_is_read(typed: str, address: str) -> None:
    assert read_identity(typed, "US") == Email(address)


NO_EMAILS = {
    "no local part": "@example.com",
    "no domain": "ada@",
    "no dot in the domain": "ada@example",
    "two ats": "ada@@example.com",
    "an inner space": "ada @example.com",
    "a dot at its end": "ada.@example.com",
    "with a name": "Ada <ada@example.com>",
    "a link": "mailto:ada@example.com",
    "an address literal": "ada@[127.0.0.1]",
    "this machine": "ada@localhost",
    "a label too long": f"ada@{'b' * 64}.com",
    "NUL": "ada@example.com\0",
    "SQL": "'; DROP TABLE members_member; --@example.com",
    "HTML": "<b>ada</b>@example.com",
    "emoji in the domain": "ada@ex😀mple.com",
}


@pytest.mark.parametrize("typed", NO_EMAILS.values(), ids=NO_EMAILS.keys())
def test_what_is_no_email_is_unreadable(typed: str) -> None:
    with pytest.raises(Unreadable, match=r"looks like name@example\.com"):
        read_identity(typed, "US")


NONSENSE = {
    "nothing": "",
    "spaces": " \t\n\u00a0",
    "a name": "Ada Lovelace",
    "emoji": "😀🎉",
    "SQL": "' OR 1=1 --",
    "HTML": "<script>alert(1)</script>",
    "NUL": "\0",
    "NUL in a number": "415\x00555 0199",
    "signs alone": "+()-",
    "a zero": "0",
    "no such country": "+999 123 456 789",
    "words and a number": "call 415 555 0199 today",
    "an extension": "415 555 0199 x5",
    "letters for digits": "1-800-FLOWERS",
    "10,000 digits": "4" * 10_000,
    "10,000 letters": "a" * 10_000,
    "10,000 letters of an email": f"{'a' * 10_000}@example.com",
    "10,000 ats": "@" * 10_000,
}


@pytest.mark.parametrize("region", ["US", "GB", "IT"])
@pytest.mark.parametrize("typed", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_refused_in_words(typed: str, region: str) -> None:
    with pytest.raises(Unreadable, match=r"\w+ \w+"):
        read_identity(typed, region)


@pytest.mark.parametrize("typed", NONSENSE.values(), ids=NONSENSE.keys())
def test_the_enrolment_form_takes_no_nonsense_for_a_phone(typed: str) -> None:
    with pytest.raises(Unreadable):
        read_phone(typed, "US")


@pytest.mark.parametrize("typed", NONSENSE.values(), ids=NONSENSE.keys())
def test_the_enrolment_form_takes_no_nonsense_for_an_email(typed: str) -> None:
    with pytest.raises(Unreadable):
        read_email(typed)


def test_a_card_beside_other_words_is_a_card() -> None:
    with pytest.raises(CardNumber):
        read_phone("4111 1111 1111 1111 exp 12/27", "US")


@given(st.text(st.characters(codec=None), max_size=300), st.sampled_from(["US", "GB", "IT"]))
def test_whatever_is_typed_is_read_or_refused(typed: str, region: str) -> None:
    def outcome() -> object:
        try:
            return read_identity(typed, region)
        except Unreadable as refused:
            return str(refused)

    assert outcome()


@example("00000000000", "GB")
@given(st.text("0123456789+()-. ", max_size=30), st.sampled_from(["US", "GB", "IT", "DE"]))
def test_a_number_that_is_read_is_read_again_as_itself(typed: str, region: str) -> None:
    try:
        number = read_phone(typed, region)
    except Unreadable:
        number = "+14155550199"
    assert read_phone(number, region) == number


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada@example.com", " ADA@Example.COM ", True),
        ("ada@example.com", "a.da@example.com", False),
        ("ada@example.com", "ada+tag@example.com", False),
    ],
    ids=["spaces and capitals", "dots", "plus-tags"],
)
def test_an_emails_identity_is_trimmed_and_lower_case_no_more(
    one: str, other: str, same: bool
) -> None:
    assert (email_identity(one) == email_identity(other)) is same
