"""Yotpo Loyalty & Referrals, API v2. Identifies a customer by email wherever that is known.

The calls raise what `Session.call` raises. What changes something there is never repeated here: the
engine has no idempotency key.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ssl import SSLContext
from typing import Any

from connectors.answers import Reply
from connectors.errors import NotFound, ReplyLost
from connectors.fields import list_of, present
from connectors.limits import Limits
from connectors.session import Session
from connectors.yotpo.orders import Order, Refund
from connectors.yotpo.payloads import (
    Campaign,
    CodeRecord,
    Customer,
    Option,
    Redemption,
    Tier,
)

SYSTEM = "yotpo"
MOST_CODES = 10_000
CANCELLATION = "/redemptions/{id}/cancellation_completed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """From the Loyalty admin: Settings, General settings. `base_url` ends in /api/v2."""

    base_url: str
    guid: str = field(repr=False)
    api_key: str = field(repr=False)


class Yotpo:
    """The engine of one merchant. Shared by all threads of a process.

    `read_seconds` and `write_seconds` are the deadlines of a whole call; `tls` replaces the usual
    certificates.
    """

    def __init__(
        self,
        credentials: Credentials,
        limits: Limits | None = None,
        *,
        read_seconds: float = 8.0,
        write_seconds: float = 10.0,
        connect_seconds: float = 3.0,
        pool_size: int = 128,
        tls: SSLContext | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._read_seconds = read_seconds
        self._write_seconds = write_seconds
        self._session = Session(
            SYSTEM,
            credentials.base_url,
            {"x-guid": credentials.guid, "x-api-key": credentials.api_key},
            self.limits,
            connect_seconds=connect_seconds,
            pool_size=pool_size,
            tls=tls,
        )

    def customer(
        self,
        *,
        email: str | None = None,
        phone: str | None = None,
        pos_account_id: str | None = None,
        customer_id: str | None = None,
        with_history: bool = False,
    ) -> Customer:
        """https://loyaltyapi.yotpo.com/reference/fetch-customer-details

        By exactly one identifier (else ValueError); `phone` is E.164 and must match to the digit.
        Raises NotFound when the engine knows nobody by it.
        """
        who = identifier(
            customer_email=email,
            phone_number=phone,
            pos_account_id=pos_account_id,
            customer_id=customer_id,
        )
        # Its default is one thing in the reference's text and another in its form.
        reply = self._get("/customers", who | {"with_history": "true" if with_history else "false"})
        customer = reply.read(Customer.parse)
        return replace(customer, engine_time=reply.engine_time, received_at=reply.received_at)

    def options(
        self,
        *,
        email: str | None = None,
        phone: str | None = None,
        customer_id: str | None = None,
        in_store: bool = True,
        discount_types: Container[str] | None = None,
    ) -> list[Option]:
        """https://loyaltyapi.yotpo.com/reference/fetch-active-redemption-options

        What this customer can have, or everyone where none is named. `in_store` leaves out what is
        for the web shop only. With `discount_types`, in lower case, only those are read.
        """
        who = present(customer_email=email, phone_number=phone, customer_id=customer_id)
        only = {"is_offline": "true"} if in_store else {}
        parse = partial(Option.parse, among=discount_types)
        return self._get("/redemption_options", who | only).read(list_of(parse))

    def create_redemption(
        self,
        *,
        email: str,
        option_id: int,
        points: int | None = None,
        delayed: bool = False,
        currency: str | None = None,
        asked_at: float | None = None,
    ) -> Redemption:
        """https://loyaltyapi.yotpo.com/reference/create-redemption

        Turns points into a coupon code, at once; with `delayed` they go when an order brings the
        code. `points` is how many, for an option where the shopper chooses. `currency` is ISO 4217.
        Raises ReplyLost, with the engine's id, also for a reply without an approved code.
        """
        body = present(
            customer_email=email,
            redemption_option_id=option_id,
            points_to_redeem=points,
            delay_points_deduction=delayed or None,
            currency=currency,
        )
        reply = self._post("/redemptions", body, moves_points=True, asked_at=asked_at)
        redemption = reply.read(Redemption.parse)
        if not (redemption.approved and redemption.code):
            raise ReplyLost(*reply.call, reply.status, engine_id=redemption.id)
        return redemption

    def redemption_code(self, code: str) -> CodeRecord:
        """https://loyaltyapi.yotpo.com/reference/get-redemption-code-data

        Raises NotFound for a code that the engine did not hand out.
        """
        reply = self._get("/redemption_codes", {"code": code})
        if reply.data is None:
            raise NotFound(*reply.call, reply.status)
        return reply.read(CodeRecord.parse)

    def upload_codes(
        self, *, option_id: int, codes: Sequence[str], asked_at: float | None = None
    ) -> None:
        """https://loyaltyapi.yotpo.com/reference/add-coupon-codes

        Fill a custom coupon's pool: at most 10,000 codes a call, none with a comma (ValueError).
        What it does with a code that it has already is documented nowhere.
        """
        if not 0 < len(codes) <= MOST_CODES or any("," in code for code in codes):
            raise ValueError("A call carries 1 to 10,000 codes without commas.")
        body = {"redemption_option_id": option_id, "codes": ",".join(codes)}
        self._post("/redemption_codes", body, moves_points=True, asked_at=asked_at).acknowledge()

    def approve_cancellation(
        self, redemption_id: int, code: str, *, asked_at: float | None = None
    ) -> None:
        """https://loyaltyapi.yotpo.com/reference/approve-redemption-cancellation

        Gives the points of a redemption back and ends its code.
        """
        self._post(
            CANCELLATION.format(id=redemption_id),
            {"reward_text": code},
            template=CANCELLATION,
            moves_points=True,
            asked_at=asked_at,
        ).acknowledge()

    def create_order(self, order: Order, *, asked_at: float | None = None) -> None:
        """Tell of a sale. Points come later: a yes only says that it was received."""
        self._post("/orders", order.body(), asked_at=asked_at).acknowledge()

    def create_refund(self, refund: Refund, *, asked_at: float | None = None) -> None:
        """Tell of a refund. Worked off later: a yes only says that it was received."""
        self._post("/refunds", refund.body(), asked_at=asked_at).acknowledge()

    def adjust_points(
        self, *, email: str, points: int, title: str, asked_at: float | None = None
    ) -> None:
        """https://loyaltyapi.yotpo.com/reference/adjust-a-customers-point-balance

        Give, or with a negative number take. `title` stands in the member's history. Raises
        Throttled also while the engine changes the same customer elsewhere (423).
        """
        body = {
            "customer_email": email,
            "point_adjustment_amount": points,
            "apply_adjustment_to_points_earned": False,
            "history_title": title,
        }
        self._post("/points/adjust", body, moves_points=True, asked_at=asked_at).acknowledge()

    def vip_tiers(self) -> list[Tier]:
        """https://loyaltyapi.yotpo.com/reference/fetch-vip-tiers

        Asks nothing of a customer, so it also shows whether the credentials are right.
        """
        return self._get("/vip_tiers", {}).read(list_of(Tier.parse))

    def save_customer(
        self,
        *,
        email: str,
        first_name: str | None = None,
        last_name: str | None = None,
        phone: str | None = None,
        opted_in: bool | None = None,
        customer_id: str | None = None,
        pos_account_id: str | None = None,
    ) -> None:
        """https://loyaltyapi.yotpo.com/reference/createupdate-customer-records

        Makes the customer, or changes what is given; `phone` is E.164. Can be read back only after
        some seconds, and repeating it does no harm.
        """
        body = present(
            email=email,
            first_name=first_name,
            last_name=last_name,
            phone_number=phone,
            opted_in=opted_in,
            id=customer_id,
            pos_account_id=pos_account_id,
        )
        self._post("/customers", body).acknowledge()

    def save_birthday(self, *, email: str, day: int, month: int, year: int | None = None) -> None:
        """https://loyaltyapi.yotpo.com/reference/set-customer-birthday

        Raises NotFound for a customer who is too new to be read.
        """
        body = present(customer_email=email, day=day, month=month, year=year)
        self._post("/customer_birthdays", body).acknowledge()

    def campaigns(
        self, *, email: str | None = None, customer_id: str | None = None
    ) -> list[Campaign]:
        """https://loyaltyapi.yotpo.com/reference/get-active-campaigns

        The ways to earn points, for this customer where one is named.
        """
        who = present(customer_email=email, customer_id=customer_id)
        return self._get("/campaigns", who).read(list_of(Campaign.parse))

    def warm(self, connections: int, *, quiet_seconds: float) -> bool:
        """Have so many connections ready, without a call, unless all was quiet for so long.

        False where they are not: too quiet, or out of reach.
        """
        return self._session.quiet_seconds() < quiet_seconds and self._session.warm(connections)

    def close(self) -> None:
        self._session.close()

    def _get(self, path: str, params: Mapping[str, str]) -> Reply:
        return self._session.call("GET", path, params=params, deadline=self._read_seconds)

    def _post(self, path: str, body: Mapping[str, Any], **how: Any) -> Reply:
        return self._session.call("POST", path, json=body, deadline=self._write_seconds, **how)


def identifier(**names: str | None) -> dict[str, str]:
    who = present(**names)
    if len(who) != 1:
        raise ValueError("A customer is looked up by exactly one identifier.")
    return who
