import pytest

from members.masking import mask_email, mask_name


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Ada Byron", "A••• B•••"),
        ("Ada", "A•••"),
        ("", ""),
        ("  ", ""),
        ("عمر", "ع•••"),
    ],
    ids=["two words", "one word", "none", "spaces", "right-to-left"],
)
def test_a_name_shows_its_initials(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ada@example.com", "a•••@example.com"),
        ("a@example.com", "a•••@example.com"),
        ("@example.com", "•••@example.com"),
        ("", ""),
        ("no email", ""),
    ],
    ids=["usual", "short", "no local part", "none", "no at"],
)
def test_an_email_shows_its_first_letter_and_its_domain(address: str, masked: str) -> None:
    assert mask_email(address) == masked
