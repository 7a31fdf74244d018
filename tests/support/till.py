"""A till that talks to the panel as its page does, without a browser: for races."""

import re
import uuid
from html import unescape

import requests

from tests.support.servers import Panel

ACT = re.compile(r'name="act" value="([^"]+)"')
SHOWN = re.compile(r'"shown": "([^"]+)"')
ASK = re.compile(r'hx-post="([^"]+/ask)"')
OFFER = re.compile(r'name="offer" value="(\d+)"')
CODE = re.compile(r'id="coupon-code"[^>]*>([^<]+)<')
UNDO = re.compile(r'hx-post="([^"]+/undo)"')


class TillPage:
    """One page with a bearer of its own."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.http = requests.Session()
        self.http.trust_env = False
        # A kept connection may be closed by the server just as it is used again.
        self.http.headers["Connection"] = "close"
        bearer = self.http.post(f"{panel.address}launch", json={}, timeout=10).json()["bearer"]
        self.http.headers["Authorization"] = f"Bearer {bearer}"

    def post(self, path: str, **fields: str) -> requests.Response:
        return self.http.post(f"{self.panel.url}{path}", data=fields, timeout=60)

    def look_up(self, query: str) -> str:
        answer = self.post("/panel/demo/lookup", query=query)
        assert answer.ok, answer.text
        return answer.text

    def ask(self, page: str, offer: int = 0) -> str:
        """Open the dialog of the `offer`th button; the act that it would send."""
        number = OFFER.findall(page)[offer]
        dialog = self.post(ASK.search(page)[1], offer=number, shown=unescape(SHOWN.search(page)[1]))
        assert dialog.ok, dialog.text
        return unescape(ACT.search(dialog.text)[1])

    def redeem(self, act: str, **fields: str) -> requests.Response:
        """As an associate does: what was not sent (a machine under load) is pressed again."""
        for _ in range(5):
            answer = self.post("/panel/demo/redeem", act=act, **fields)
            if answer.status_code != 503 or "No points were taken" not in answer.text:
                break
        return answer

    def undo(self, coupon: str, member_id: uuid.UUID | str) -> requests.Response:
        return self.post(UNDO.search(coupon)[1], member=str(member_id))


def code_of(answer: requests.Response) -> str:
    """The coupon's code on that part of the page, or nothing."""
    found = CODE.search(answer.text)
    return unescape(found[1]).strip() if found else ""
