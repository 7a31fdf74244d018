"""A till of level C and its people, and the manager who pairs it and issues PINs."""

import re

import requests
from playwright.sync_api import Page, expect

from tests.support.servers import Database, Panel

PIN, TILL, START = "274951", "Till 1", re.compile(r'id="start-pin">(\d+)<')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def found(pattern: re.Pattern[str], page: str) -> str:
    match = pattern.search(page)
    assert match, f"The page has no {pattern.pattern}."
    return match[1]


class Admin:
    """The manager of the demo, in a browser of their own."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.url = f"{panel.url}/admin/"
        self.http = requests.Session()
        self.http.trust_env = False
        self.post("login/", username="manager", password="demo-manager", next="/admin/")

    def post(self, path: str, **fields: str) -> str:
        page = self.http.get(self.url + path, timeout=30)
        token = {"csrfmiddlewaretoken": found(TOKEN, page.text)}
        answer = self.http.post(self.url + path, {**token, **fields}, timeout=30)
        assert answer.ok, answer.text
        return answer.text

    def pair(self, code: str, till: str) -> None:
        seen = self.post("access/pairingrequest/pair/", code=code)
        number = found(re.compile(rf'value="(\d+)">{till}'), seen)
        self.post("access/pairingrequest/pair/", code=code, till=number, answer="approve")

    def start_pin(self, associate_id: int) -> str:
        act = {"action": "start_pin", "_selected_action": str(associate_id)}
        return found(START, self.post("access/person/", **act))


def id_of(database: Database, code: str) -> int:
    [(number,)] = database.execute("SELECT id FROM stores_associate WHERE code = ?", code)
    return int(str(number))


def press(page: Page, digits: str) -> None:
    """On the number pad."""
    for digit in digits:
        page.get_by_role("button", name=digit, exact=True).click()


def paired(page: Page, admin: Admin) -> None:
    code = page.locator("#pairing-code")
    expect(code).to_have_text(re.compile(r"^\w{4}-\w{4}$"))
    admin.pair(code.inner_text(), "Till 1")


def signed_in(page: Page, admin: Admin, database: Database, code: str, name: str) -> None:
    """With a PIN of their own, from the names that the till shows."""
    start = admin.start_pin(id_of(database, code))
    page.reload()
    page.get_by_role("button", name=name, exact=True).click()
    for digits, then in ((start, "of your own"), (PIN, "once more"), (PIN, f"· {TILL}")):
        page.locator("#pin").press_sequentially(digits)
        expect(page.get_by_text(then)).to_be_visible()
    expect(page.get_by_text("· Till 1")).to_be_visible()
