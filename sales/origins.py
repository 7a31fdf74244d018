"""Which sales the engine hears of from somebody else: recorded here, and not delivered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from stores.models import Installation

LONGEST_PATTERN = 100


def normal_pattern(text: str) -> str:
    """Without regard to capitals; `*` stands for any characters, also none."""
    pattern = text.strip().casefold()
    if not pattern or not pattern.isprintable():
        raise ValidationError("Give a word, in which * may stand for anything.")
    # Some letters become several when their capitals are folded.
    if len(pattern) > LONGEST_PATTERN:
        raise ValidationError(f"Use at most {LONGEST_PATTERN} characters.")
    return pattern


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text, in any capitals, is as the pattern says."""
    first, *more = pattern.split("*")
    text = text.strip().casefold()
    if not more:
        return text == first
    *between, last = more
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


@dataclass(frozen=True, slots=True)
class Origin:
    """What a POS says of where a sale comes from. Empty where it says nothing."""

    origin: str = ""
    order_type: str = ""
    source: str = ""
    email: str = ""


class OriginRule(models.Model):
    """The first rule of an installation that fits a sale decides; without one it is delivered."""

    class Field(models.TextChoices):
        ORIGIN = "origin", "Origin"
        ORDER_TYPE = "order_type", "Order type"
        SOURCE = "source", "Source"
        EMAIL = "email", "Email"

    installation = models.ForeignKey(Installation, models.CASCADE, related_name="origin_rules")
    position = models.PositiveSmallIntegerField(default=1, help_text="The lowest is asked first.")
    field = models.CharField(max_length=20, choices=Field)
    pattern = models.CharField(
        max_length=LONGEST_PATTERN,
        help_text="In any capitals; * stands for anything: web*, *@marketplace.example",
    )
    delivers = models.BooleanField(
        "deliver",
        default=False,
        help_text="On: such sales are delivered, whatever later rules say. Off: they are recorded "
        "and not delivered, for another system tells the engine of them.",
    )

    class Meta:
        ordering: ClassVar = ["installation", "position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "field", "pattern"], name="an_origin_rule_is_given_once"
            )
        ]

    def __str__(self) -> str:
        told = "delivered" if self.delivers else "not delivered"
        return f"{self.get_field_display()} is {self.pattern}: {told}"

    def clean(self) -> None:
        self.pattern = normal_pattern(self.pattern)
        if self.field == self.Field.EMAIL:
            self.check_names_some()

    def check_names_some(self) -> None:
        """A rule is shown, logged and kept with sales; and one for all would end all earning."""
        if not self.pattern.startswith("*"):
            words = "Begin with *, as in *@marketplace.example: a rule names nobody."
            raise ValidationError({"pattern": words})
        if not self.pattern.strip("*@."):
            words = "This fits everybody's email: say whose, as in *@marketplace.example."
            raise ValidationError({"pattern": words})

    def fits(self, sale: Origin) -> bool:
        said: str = getattr(sale, self.field)
        return bool(said) and fits(self.pattern, said)


def rule_that_holds(rules: Iterable[OriginRule], sale: Origin) -> OriginRule | None:
    """The rule by which it is not delivered. `rules` are in their order."""
    first = next((rule for rule in rules if rule.fits(sale)), None)
    return None if first is None or first.delivers else first


def origin_of(new: Any) -> Origin:
    """Of a sale as it is told, or as it is kept, in so far as the row still names its buyer."""
    return Origin(
        origin=new.origin,
        order_type=text_of(new.told, "order_type"),
        source=text_of(new.told, "source"),
        email=new.email or "",
    )


def text_of(told: dict[str, Any], name: str) -> str:
    said = told.get(name)
    return said if isinstance(said, str) else ""
