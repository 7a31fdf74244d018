import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.db import connection

from database.encryption import DecryptionFailed, blind_index, decrypt, encrypt
from members.models import Member

ADDRESS = "ada@example.com"


@pytest.mark.parametrize(
    "text",
    ["", ADDRESS, "ليلى@example.com", "a" * 10_000, "\0", "😀"],
    ids=["empty", "email", "right-to-left", "long", "NUL", "emoji"],
)
def test_what_was_encrypted_is_decrypted(text: str) -> None:
    assert decrypt(encrypt(text)) == text


def test_the_same_text_is_encrypted_differently_each_time() -> None:
    assert encrypt(ADDRESS) != encrypt(ADDRESS)


def test_without_its_key_a_value_is_an_error(settings) -> None:
    token = encrypt(ADDRESS)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(DecryptionFailed) as caught:
        decrypt(token)
    assert token not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("token", ["", ADDRESS, "gAAAA"], ids=["empty", "plain text", "cut off"])
def test_what_was_never_encrypted_is_an_error(token: str) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(token)


@pytest.mark.database
def test_the_table_holds_no_plain_text(db: None) -> None:
    Member.objects.seen(ADDRESS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM members_member")
        row = str(cursor.fetchone())
    assert "gAAAA" in row  # how every Fernet token begins
    assert "@" not in row
    assert "example" not in row


@pytest.mark.database
def test_a_row_without_its_key_is_an_error_and_never_its_ciphertext(db: None, settings) -> None:
    Member.objects.seen(ADDRESS)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for read in (Member.objects.get, Member.objects.values().get):
        with pytest.raises(DecryptionFailed):
            read()


@pytest.mark.parametrize(
    "lookup",
    ["exact", "iexact", "in", "contains", "icontains", "startswith", "regex", "gt", "lt", "range"],
)
def test_an_encrypted_column_cannot_be_searched(lookup: str) -> None:
    with pytest.raises(FieldError, match="blind index"):
        Member.objects.filter(**{f"email__{lookup}": [ADDRESS, ADDRESS]})


def test_an_empty_encrypted_column_can_be_asked_for(db: None) -> None:
    Member.objects.seen(ADDRESS)
    assert Member.objects.filter(email__isnull=False).count() == 1


def test_a_blind_index_is_the_same_for_the_same_text() -> None:
    assert blind_index(ADDRESS) == blind_index(ADDRESS)
    assert blind_index(ADDRESS) != blind_index("ida@example.com")


def test_a_blind_index_is_worth_nothing_without_its_key(settings) -> None:
    index = blind_index(ADDRESS)
    settings.BLIND_INDEX_KEY = "k" * 48
    assert blind_index(ADDRESS) != index
