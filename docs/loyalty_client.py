"""A POS's side of the JSON API: what is sent again, with which key, and for how long."""

import os
import random
import sys
import time
import uuid
from datetime import UTC, datetime

import requests

TIMEOUTS = (3, 15)  # seconds: to connect, and between two bytes of the answer
PATIENCE = 60  # seconds for one act, all of its tries together
NOT_NOW = {"still-running", "another-under-way"}
OPEN = {"requested", "uncertain"}


class Problem(Exception):
    """The answer is no. Branch on `kind`; show `detail` to the person at the till."""

    def __init__(self, told):
        self.kind = told["type"].rpartition(":")[2]
        self.detail = told["detail"]
        self.told = told
        super().__init__(f"{self.kind}: {self.detail}")


class NoAnswer(Exception):
    """Nobody knows whether it was done. Keep the body and its key, and send both again later."""


class Loyalty:
    def __init__(self, api, key):
        self.api = api
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {key}"

    def send(self, method, path, body=None, act=None):
        """Try until there is an answer. `act` is this act's key: the same in every try."""
        ends, longest = time.monotonic() + PATIENCE, 0.5
        while True:
            told, wait = self.try_once(method, path, body, act)
            if told is not None:
                return told
            wait = max(wait, random.uniform(0, longest))
            if time.monotonic() + wait > ends:
                raise NoAnswer(f"{method} {path}")
            time.sleep(wait)
            longest = min(2 * longest, 8)

    def try_once(self, method, path, body, act):
        """The answer, or None and how many seconds to wait at least."""
        headers = {"Idempotency-Key": act} if act else {}
        url = f"{self.api}/{path}"
        try:
            answer = self.http.request(method, url, json=body, headers=headers, timeout=TIMEOUTS)
            told = answer.json()
        except requests.RequestException:  # no answer, half of one, or a proxy's page
            return None, 0
        if answer.ok:
            return told, 0
        problem = Problem(told)
        passes = answer.status_code in {429, 500, 502, 503, 504} or problem.kind in NOT_NOW
        if not passes or problem.kind == "engine-misconfigured":
            raise problem
        return None, float(answer.headers.get("Retry-After", 0))

    def look_up(self, email):
        return self.send("POST", "members/lookup", {"email": email})

    def redeem(self, member, offer, ticket, act):
        """A code that counts. While the outcome is not known the same act is asked for again."""
        body = {"member": {"id": member}, "offer_id": offer, "ticket": ticket}
        ends = time.monotonic() + PATIENCE
        while True:
            redemption = self.send("POST", "redemptions", body, act)
            if redemption["state"] not in OPEN:
                return redemption
            if time.monotonic() > ends:
                raise NoAnswer("redemptions")
            time.sleep(1)

    def hold(self, redemption, ticket):
        return self.send("POST", f"redemptions/{redemption}/hold", {"ticket": ticket})

    def undo(self, redemption):
        """Only when this POS no longer takes the code."""
        return self.send("POST", f"redemptions/{redemption}/reverse", {"withdrawn": True})

    def sell(self, sale):
        """Its id is its key: told twice, it counts once."""
        return self.send("POST", "sales", sale)


def main():
    """A sale with $5 off, as a till would do it."""
    loyalty = Loyalty(os.environ["API"], os.environ["KEY"])
    ticket = f"T-{uuid.uuid4().hex[:8]}"
    member = loyalty.look_up("ruth@example.com")
    redemption = loyalty.redeem(member["id"], 90121, ticket, act=uuid.uuid4().hex)
    loyalty.hold(redemption["id"], ticket)  # payment starts
    sale = loyalty.sell(
        {
            "id": f"S-{ticket}",
            "ticket": ticket,
            "completed_at": datetime.now(UTC).isoformat(),
            "total_cents": 2500,
            "discount_cents": redemption["value_cents"],
            "currency": "USD",
            "email": member["email"],
            "coupon_codes": [redemption["code"]],
        }
    )
    print("sold; the code was", sale["codes"][0]["outcome"])


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"Refused. {problem}")
    except NoAnswer as act:
        sys.exit(f"No answer to {act}: keep it, and send the same again.")
