"""Origins and words are kept in the one way in which they are compared."""

import pytest
from django.core.exceptions import ValidationError

from stores.models import Installation
from stores.origins import normal_origin, normal_word

# Written so -> kept so.
GOOD = {
    "https://till.example.com": "https://till.example.com",
    "HTTPS://Till.Example.COM": "https://till.example.com",
    " https://till.example.com/ \n": "https://till.example.com",
    "https://till.example.com:443": "https://till.example.com",
    "https://till.example.com:8443": "https://till.example.com:8443",
    "https://till.example.com:80": "https://till.example.com:80",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "https://192.0.2.7:8443": "https://192.0.2.7:8443",
    "https://[2001:DB8::1]:8443": "https://[2001:db8::1]:8443",
    "http://localhost:3000": "http://localhost:3000",
    "http://127.0.0.1:80": "http://127.0.0.1",
    "http://[::1]:8000": "http://[::1]:8000",
    "http://till.localhost": "http://till.localhost",
}
BAD = [
    *("", "till.example.com", "//till.example.com", "https://", "https:///x", "https://:443"),
    *("https://*.example.com", "https://*", "*", "null", "file:///till", "data:text/html,x"),
    *("ftp://till.example.com", "javascript:alert(1)", "chrome-extension://abcdef"),
    *("https://till.example.com/pos", "https://till.example.com?x", "https://till.example.com/#x"),
    *("https://ana@till.example.com", "https://ana:x@till.example.com", "https://till example.com"),
    *(
        "https://till.example.com;",
        "https://till.example.com'",
        "https://a.example https://b.example",
    ),
    *("https://till..example.com", "https://.example.com", "https://-till.example.com"),
    *("https://till.example.com:0", "https://till.example.com:70000", "https://till.example.com:x"),
    *(
        "https://till.example.com:",
        "https://[::1",
        "https://bücher.example",
        "https://till_.example",
    ),
    *("https://till\t.example.com", "https://till.\nexample.com", "https://till.example.com\0"),
]
PLAIN = ["http://till.example.com", "http://192.0.2.7", "http://localhost.example.com"]


@pytest.mark.parametrize(("written", "kept"), GOOD.items(), ids=GOOD.keys())
def test_an_origin_is_kept_as_browsers_write_it(written: str, kept: str) -> None:
    assert normal_origin(written) == kept
    assert normal_origin(kept) == kept


@pytest.mark.parametrize("written", BAD)
def test_what_is_no_exact_origin_is_refused_with_how_to_write_one(written: str) -> None:
    with pytest.raises(ValidationError, match=r"is not an origin\. Write https://host"):
        normal_origin(written)


@pytest.mark.parametrize("written", PLAIN)
def test_plain_http_is_for_this_machine(written: str) -> None:
    with pytest.raises(ValidationError, match="must start with https://"):
        normal_origin(written)


@pytest.mark.parametrize(("written", "kept"), [(" Web ", "web"), ("ÜBER uns", "über uns")])
def test_a_word_is_kept_without_regard_to_capitals(written: str, kept: str) -> None:
    assert normal_word(written) == kept


@pytest.mark.parametrize("written", ["", "  ", "a\nb", "a\0", "w" * 65])
def test_what_is_no_word_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="is not a word of 1 to 64"):
        normal_word(written)


@pytest.mark.django_db
@pytest.mark.database
def test_an_installation_keeps_each_once_and_normal() -> None:
    shop = Installation(
        id="shop",
        name="A shop",
        origins=["https://A.example", "https://a.example:443", "https://b.example"],
    )
    shop.full_clean()
    shop.save()
    kept = Installation.objects.get()
    assert kept.origins == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize("given", ["https://a.example", {"a": 1}, [1], [None], None, 7])
def test_what_is_no_list_of_texts_is_refused(given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Installation(id="shop", name="A shop", origins=given).clean_fields()
    assert set(caught.value.message_dict) == {"origins"}
