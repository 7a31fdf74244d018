import pytest

from stores.loopback import is_loopback

HERE = ["localhost", "LOCALHOST", "shop.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
ELSEWHERE = [
    "",
    None,
    "*",
    "0.0.0.0",
    "::",
    "192.0.2.7",
    "10.0.0.1",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "notlocalhost",
    "loyalty.yotpo.com",
    "2130706433",
    "127.1",
]


@pytest.mark.parametrize("host", HERE)
def test_this_machine(host: str) -> None:
    assert is_loopback(host) is True


@pytest.mark.parametrize("host", ELSEWHERE)
def test_not_surely_this_machine(host: str | None) -> None:
    assert is_loopback(host) is False
