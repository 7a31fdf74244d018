"""Whatever comes: no 500, and nothing changes that should not.

A few hundred in `make test`; `make webhooks-fuzz` asks for 10,000 (WEBHOOK_EXAMPLES).
"""

import json
import os
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.models import Member
from outbox.models import Delivery
from redemptions.models import PendingRedemption
from stores.models import Installation
from tests.webhooks.conftest import handle_all
from tests.webhooks.examples import CANCEL_CALLS, CREATE_CALLS, EVENTS, NOT_OURS
from webhooks.models import Webhook
from webhooks.views import buckets

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("WEBHOOK_EXAMPLES", "150"))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\0", "\ud800", "9" * 400, "-1", "1e400", "NaN", "YLTY-8Q2F", "'", "x" * 300]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
BODIES = [*EVENTS.values(), *NOT_OURS.values(), *CREATE_CALLS.values(), *CANCEL_CALLS.values()]
ADDRESSES = [
    "all",
    "create_coupon",
    "cancel_coupon",
    "redemption_created",
    "%F0%9F%98%80",
    "x" * 90,
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An example of the contract with some of its fields changed, left out or added; or cut off."""
    body: Any = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    for _ in range(draw(st.integers(0, 4))):
        place = body
        while place and draw(st.booleans()):
            inner = [value for value in place.values() if isinstance(value, dict)]
            if not inner:
                break
            place = draw(st.sampled_from(inner))
        name = draw(st.sampled_from([*place, "secret", "id", "codes", "eventid"]))
        if draw(st.booleans()):
            place[name] = draw(JSON)
        else:
            place.pop(name, None)
    text = json.dumps(body).encode()
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


@pytest.fixture
def used(installation: Installation, mara: Member) -> PendingRedemption:
    """What a sale has must stay as it is, whatever anybody tells."""
    return PendingRedemption.objects.create(
        installation=installation,
        member=mara,
        act_key="k",
        offer_id=1,
        offer_name="$5.00 Off",
        offer_kind="fixed",
        points=500,
        currency="USD",
        state="used",
        code="YLTY-8Q2F",
        engine_id=10869305,
        sold_at="2026-05-02T16:30:00Z",
    )


def test_whatever_comes_is_answered_and_changes_nothing_else(secret, installation, used):
    client = Client(raise_request_exception=True)
    unchanged = PendingRedemption.objects.values().get()
    members = Member.objects.count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        body=mutated(), event=st.sampled_from(ADDRESSES), shows=st.booleans(), form=st.booleans()
    )
    def tell(body: bytes, event: str, shows: bool, form: bool) -> None:
        buckets.forget()
        headers = {"X-Api-Secret": secret} if shows else {}
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        address = f"/webhooks/yotpo/{installation.pk}/{secret}/{event}"
        answer = client.post(address, body, content_type=kind, headers=headers)
        assert answer.status_code in {200, 400, 404, 422}

    tell()
    # Refused, because a body has it both ways, and not failed.
    handle_all()

    assert PendingRedemption.objects.values().get() == unchanged
    assert Member.objects.count() == members
    assert Webhook.objects.exists()
    assert not Webhook.objects.filter(state__in=["parked", "waiting"]).exists()
    assert not Delivery.objects.filter(state="parked").exists()
