"""What an order has to say of its status, by the platform that the merchant's account stands on.

The engine gives an order's points, and takes those of its delayed codes, when the status matches
the account's settings "award points when order is marked as" and "process checkout discounts when
order status matches". What to send for each setting: docs/platforms.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import models
from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

LONGEST_STATUS = 64
LONGEST_PATTERN = 500


class Platform(models.TextChoices):
    SHOPIFY = "shopify", "Shopify"
    SHOPIFY_PLUS = "shopify_plus", "Shopify Plus"
    BIGCOMMERCE = "bigcommerce", "BigCommerce"
    ADOBE_COMMERCE = "adobe_commerce", "Adobe Commerce"
    SALESFORCE = "salesforce", "Salesforce Commerce Cloud"
    CUSTOM = "custom", "Custom, or none of these"


class WrongStatus(ValueError):
    """The status can't be one that the account counts. The text says what to do."""


class WrongPattern(ValueError):
    """The account's regular expression can't be one of this platform's, or can't be read."""


@dataclass(frozen=True, slots=True)
class Statuses(ABC):
    """What an account of one platform understands."""

    help: str
    """For the person who fills in the form."""
    usual: str = ""
    """Sent where the merchant chose none."""

    @abstractmethod
    def check(self, status: str, pattern: str) -> None:
        """Raises WrongStatus or WrongPattern."""

    def sent(self, status: str) -> str | None:
        """The status of our orders; None where they have none."""
        return status or self.usual or None

    def is_sure(self, pattern: str) -> bool:
        """Whether a status that passed the check is known to match."""
        return True


@dataclass(frozen=True, slots=True)
class NoStatus(Statuses):
    """The engine counts an order as soon as it arrives."""

    def check(self, status: str, pattern: str) -> None:
        if status:
            raise WrongStatus("This platform's orders have no status: leave it empty.")
        refuse_pattern(pattern)

    def sent(self, status: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class OneOf(Statuses):
    """The account chooses among words that are the same for everyone."""

    words: Mapping[str, str] = field(default_factory=dict)
    """What may be sent, with the account's setting that it goes with."""

    def check(self, status: str, pattern: str) -> None:
        refuse_pattern(pattern)
        if status and status not in self.words:
            known = "; ".join(f"{word} ({setting})" for word, setting in self.words.items())
            raise WrongStatus(f"This platform knows no status {status!r}. It knows {known}.")


@dataclass(frozen=True, slots=True)
class Matching(Statuses):
    """The account has a regular expression of the merchant's own, which the word must match."""

    def check(self, status: str, pattern: str) -> None:
        if pattern and not matches(pattern, status or self.usual):
            raise WrongStatus(
                f"{status or self.usual!r} does not match the account's expression {pattern!r}: no "
                "order would count. Choose a word that does."
            )

    def is_sure(self, pattern: str) -> bool:
        return bool(pattern)


def refuse_pattern(pattern: str) -> None:
    if pattern:
        raise WrongPattern("Only Adobe Commerce and custom accounts have one: leave it empty.")


def matches(pattern: str, word: str) -> bool:
    """Whether the word, or a part of it, matches. Raises WrongPattern.

    In time that grows with the length of both and no faster, whatever the expression: it is typed
    in by people, and Python's own engine could be kept busy for years by one. So it knows no
    look-around and no back references, and what would grow too large is refused.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise WrongPattern(f"Use at most {LONGEST_PATTERN} characters.")
    try:
        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
        SchemaValidator(schema).validate_python(word)
    except SchemaError:
        raise WrongPattern(
            "This expression can't be checked: it is not complete, too large, or has look-around "
            "or back references. Write it without them, such as ^(paid|shipped)$"
        ) from None
    except ValidationError:
        return False
    return True


PLATFORMS: dict[str, Statuses] = {
    Platform.SHOPIFY: NoStatus(
        "Leave the status empty: points come as soon as the order arrives. In-store codes that are "
        "made at the moment (generic redemption) must be switched on by Yotpo."
    ),
    Platform.SHOPIFY_PLUS: NoStatus(
        "As Shopify: leave the status empty; have Yotpo switch on generic redemption."
    ),
    Platform.BIGCOMMERCE: OneOf(
        'completed, which goes with the account\'s setting "any paid"; or the status that the '
        "account names.",
        usual="completed",
        words={
            "completed": "any paid, or Completed",
            "awaitingfulfillment": "Awaiting Fulfillment",
            "awaitingshipment": "Awaiting Shipment",
            "awaitingpickup": "Awaiting Pickup",
            "partiallyshipped": "Partially Shipped",
            "shipped": "Shipped",
        },
    ),
    Platform.ADOBE_COMMERCE: Matching(
        "A word that matches the account's regular expression; complete where none is given. Type "
        "the expression in beside it, and the two are checked.",
        usual="complete",
    ),
    Platform.SALESFORCE: OneOf(
        "0, 3, 4 or 5, as the account's setting says: 0 for CREATED and for every setting that "
        "names CREATED beside others, 3 for NEW, 4 for OPEN, 5 for COMPLETED.",
        usual="0",
        words={
            "0": "CREATED; CREATED or NEW; CREATED, NEW or OPEN; CREATED, NEW, OPEN or COMPLETED",
            "3": "NEW",
            "4": "OPEN",
            "5": "COMPLETED",
        },
    ),
    Platform.CUSTOM: Matching(
        "A word that matches the account's regular expression; paid where none is given. Type the "
        "expression in beside it, and the two are checked.",
        usual="paid",
    ),
}
