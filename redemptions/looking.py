"""Looking at a member at the engine, with the two clocks side by side."""

from connectors.yotpo.client import Yotpo
from redemptions.evidence import Sight, skew_of
from redemptions.models import PendingRedemption


def look(engine: Yotpo, redemption: PendingRedemption) -> Sight:
    """The member with their history. Raises the connector's errors.

    Redemptions are dated by the database's clock, so that is the one to compare the engine's with;
    this machine's may differ from both.
    """
    customer = engine.customer(email=redemption.member.email, with_history=True)
    return Sight(customer, skew_of(customer, redemption.database_time()))
