"""Ways to earn, as `GET /campaigns` lists them: shown only, points come by `orders`."""

from __future__ import annotations

from typing import Any

from sandbox.params import Params
from sandbox.yotpo import customers
from sandbox.yotpo.store import Work

CAMPAIGNS = (
    (7101, "SpendBasedCampaign", "Make a purchase", "Earn 1 point for every $1", "1 point per $1"),
    (7102, "BirthdayCampaign", "Celebrate a birthday", "Earn 100 points", "100 points"),
    (7103, "ReferralCampaign", "Refer a friend", "Earn 500 points", "500 points"),
)
STATUS = {
    "global_completions_left": None,
    "customer_actions_completed": 0,
    "customer_times_completed": 0,
    "customer_minutes_until_next_action": 0,
    "customer_minutes_until_next_completion": 0,
}


def listed(work: Work, params: Params) -> list[dict[str, Any]]:
    """All campaigns; `with_status` needs a customer."""
    if params.flag("with_status"):
        customers.needed(work, params)
        return [{**_public(*row), "status": STATUS} for row in CAMPAIGNS]
    return [_public(*row) for row in CAMPAIGNS]


def _public(
    campaign_id: int, kind: str, title: str, details: str, reward_text: str
) -> dict[str, Any]:
    return {
        "id": campaign_id,
        "title": title,
        "details": details,
        "type": kind,
        "cta_text": None,
        "reward_text": reward_text,
        "icon": "fa-star",
        "url": None,
        "max_completions_per_user": None,
        "min_actions_required": 1,
        "expires_at": None,
        "display_order": campaign_id - 7100,
    }
