"""Heartland's address: hints that nobody signed, and no address made of them."""

import html

import pytest
from django.http import QueryDict
from django.test import Client

from access.heartland import ticket_of
from access.launching import LaunchRefused
from stores.models import Installation

OURS = "https://quill.retail.heartland.us"
FULL = {
    "ticket_id": "100234",
    "customer_id": "77",
    "account_uuid": "0b5f7b6e-6f0b-4a53-9f0f-0d7f5a1b2c3d",
    "subdomain": "quill",
    "pos_url": f"{OURS}/#sales/tickets/edit/100234",
}
FOREIGN = {
    "another account's page": {"pos_url": "https://other.retail.heartland.us/#sales"},
    "a page of nobody we know": {"pos_url": "https://evil.example/"},
    "ours as a name and a password": {"pos_url": "https://quill.retail.heartland.us@evil.example/"},
    "ours as a folder": {"pos_url": "https://evil.example/quill.retail.heartland.us"},
    "ours with more behind it": {"pos_url": "https://quill.retail.heartland.us.evil.example/"},
    "another port": {"pos_url": "https://quill.retail.heartland.us:8443/"},
    "without TLS": {"pos_url": "http://quill.retail.heartland.us/"},
    "no scheme": {"pos_url": "//quill.retail.heartland.us/"},
    "a script": {"pos_url": "javascript:alert(1)"},
    "a file": {"pos_url": "file:///etc/passwd"},
    "no address": {"pos_url": "https://["},
    "another account": {"subdomain": "other"},
    "a whole host as the account": {"subdomain": "quill.retail.heartland.us"},
    "an address as the account": {"subdomain": "evil.example/?"},
}


def query(**told: str) -> QueryDict:
    asked = QueryDict(mutable=True)
    asked.update(told)
    return asked


@pytest.fixture
def heartland(db: None) -> Installation:
    return Installation.objects.create(
        id="quill", name="Quill", pos=Installation.Pos.HEARTLAND, origins=[OURS]
    )


def test_the_ticket_is_known(heartland: Installation):
    assert ticket_of(query(**FULL), heartland) == "100234"


@pytest.mark.parametrize("told", FOREIGN.values(), ids=FOREIGN.keys())
def test_of_another_account_it_is_refused(heartland: Installation, told: dict[str, str]):
    with pytest.raises(LaunchRefused, match="another Heartland account") as refused:
        ticket_of(query(**{**FULL, **told}), heartland)
    assert refused.value.status == 403


@pytest.mark.parametrize("missing", [*FULL, "everything"])
def test_what_is_not_told_is_no_contradiction(heartland: Installation, missing: str):
    told = {} if missing == "everything" else {k: v for k, v in FULL.items() if k != missing}
    assert ticket_of(query(**told), heartland) == told.get("ticket_id", "")


@pytest.mark.parametrize("ticket", ["", "a b", "<script>", "x" * 65, "../1", "1\n"])
def test_what_is_no_ticket_is_none(heartland: Installation, ticket: str):
    assert ticket_of(query(**{**FULL, "ticket_id": ticket}), heartland) == ""


def test_elsewhere_the_address_says_nothing(installation: Installation):
    assert ticket_of(query(**FULL), installation) == ""
    assert ticket_of(query(**{**FULL, **FOREIGN["a script"]}), installation) == ""


def test_its_page_stands_beside_that_sale_and_may_be_framed_by_it(
    client: Client, heartland: Installation
):
    answer = client.get("/panel/quill/", FULL)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'data-sale="100234"' in page and "panel/heartland.js" in page
    assert f"frame-ancestors {OURS}" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("told", FOREIGN.values(), ids=FOREIGN.keys())
def test_its_page_says_why_it_does_not_open(
    client: Client, heartland: Installation, told: dict[str, str]
):
    answer = client.get("/panel/quill/", {**FULL, **told})
    assert answer.status_code == 403
    page = html.unescape(answer.content.decode())
    assert "names another Heartland account" in page
    assert "data-sale" not in page
    # What the policy of the page names is on the installation's list, and nothing else.
    assert not any(value in page.replace(OURS, "") for value in told.values() if len(value) > 5)


def test_nothing_of_its_address_but_the_ticket_reaches_the_page(
    client: Client, heartland: Installation
):
    page = client.get("/panel/quill/", FULL).content.decode()
    for name in ("customer_id", "account_uuid", "pos_url"):
        assert f'"{FULL[name]}"' not in page


def test_another_pos_has_none_of_it(client: Client, installation: Installation):
    page = client.get("/panel/shop/", FULL).content.decode()
    assert "heartland" not in page and "data-sale" not in page
