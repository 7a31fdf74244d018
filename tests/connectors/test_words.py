import pytest

from connectors.words import words_of


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Could not find customer", "Could not find customer"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"errors": ["One", "Two"]}, "One; Two"),
        ({"errors": {"base": ["One"]}}, "One"),
        ({"message": "No"}, "No"),
        ({"amount": ["is greater than the balance"]}, "amount: is greater than the balance"),
        ({"error": {"points_to_redeem": ["is missing"]}}, "points_to_redeem: is missing"),
        ({"status": 422, "error": None}, ""),
        ([], ""),
        (None, ""),
        (42, ""),
    ],
)
def test_takes_the_words_out_of_every_shape(said: object, words: str) -> None:
    assert words_of(said) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No customer mara@example.com here", "No customer [email] here"),
        ("No customer mara%40example.com", "No customer [email]"),
        ("<mara.quill+tag@example.com> is taken", "<[email]> is taken"),
        ("Phone +14155550123 is taken", "Phone [number] is taken"),
        ("Phone (415) 555-0123 is taken", "Phone [number] is taken"),
        ("Phone %2B14155550123", "Phone [number]"),
        ("Phone 415.555.0123.", "Phone [number]."),
        ("Needs 500 points, has 120", "Needs 500 points, has 120"),
        ("No\r\nX-Evil: 1\x00\u202e", "No X-Evil: 1"),
        ("Bad key hush-hush-1", "Bad key [secret]"),
    ],
    ids=range(10),
)
def test_takes_out_whom_and_what_it_must_not_show(text: str, shown: str) -> None:
    assert words_of(text, ["hush-hush-1"]) == shown


def test_is_at_most_300_characters() -> None:
    assert len(words_of("no " * 1000)) == 300


def test_reads_no_endless_nesting() -> None:
    said: object = "deep"
    for _ in range(900):
        said = [said]
    assert words_of(said) == ""


def test_is_quick_with_megabytes() -> None:
    assert len(words_of("x" * 5_000_000)) == 300
