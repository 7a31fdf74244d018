"""What the engine told of coupon codes of its own accord, before or beside what we read there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from database.conditions import Condition, gives
from stores.models import Installation

# A code is looked for within hours of its redemption; the row is kept somewhat longer.
KEPT = timedelta(days=30)


class ToldCode(models.Model):
    """A coupon code that the engine spoke of: a candidate for settling (rule 4), or to be stopped.

    `cost` is whole points, `value_cents` whole cents; both only where they were told. `made_at` is
    by the engine's clock. Whose it is stands here by a keyed digest of the email alone. The id is
    what our answer to a Create Coupon call gives the engine to keep.
    """

    code = models.CharField(max_length=255)
    engine_id = models.BigIntegerField(null=True, blank=True)
    email_index = models.CharField(max_length=64, blank=True, editable=False)
    title = models.CharField(max_length=255, blank=True)
    cost = models.PositiveBigIntegerField(null=True, blank=True, help_text="In points.")
    value_cents = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    made_at = models.DateTimeField(null=True, blank=True, help_text="By the engine's clock.")
    stop_told_at = models.DateTimeField(
        null=True, blank=True, help_text="When we were told that it shall not count any more."
    )
    stop_reason = models.CharField(max_length=40, blank=True)
    told_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "told code"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["engine_id"], name="told_codes_by_engine_id"),
            models.Index(fields=["email_index", "told_at"], name="told_codes_of_a_member"),
            models.Index(fields=["told_at"], name="told_codes_by_time"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(code=""), name="a_told_code_has_a_code"),
            models.UniqueConstraint(
                fields=["code"],
                condition=Q(engine_id=None),
                name="a_code_told_without_an_id_is_kept_once",
            ),
            models.UniqueConstraint(
                fields=["code", "engine_id"],
                condition=~Q(engine_id=None),
                name="a_code_told_with_an_id_is_kept_once",
            ),
        ]

    def __str__(self) -> str:
        return f"Told code {self.pk}"


def keep(code: str, engine_id: int | None, **facts: Any) -> ToldCode:
    """The row of this code, with what is told of it for the first time."""
    row, is_new = ToldCode.objects.get_or_create(code=code, engine_id=engine_id, defaults=facts)
    if not is_new:
        missing = {name: value for name, value in facts.items() if is_news(row, name, value)}
        if missing:
            ToldCode.objects.filter(pk=row.pk).update(**missing)
            row.refresh_from_db()
    return row


def is_news(row: ToldCode, name: str, value: Any) -> bool:
    return value not in (None, "") and getattr(row, name) in (None, "")


def stop_told_of(code: str, engine_id: int | None, since: datetime) -> str:
    """The reason for which this code was told to count no more since then; empty where it was not.

    A code can come again, so what was told of another redemption of the same code does not count.
    """
    rows = ToldCode.objects.filter(code=code, stop_told_at__gte=since)
    if engine_id is not None:
        rows = rows.filter(Q(engine_id=engine_id) | Q(engine_id=None))
    return rows.values_list("stop_reason", flat=True).order_by("-stop_told_at").first() or ""


def prune() -> int:
    """Periodic: what is too old to be anybody's candidate. How many went."""
    return ToldCode.objects.filter(told_at__lt=Now() - KEPT).delete()[0]


class Question(models.Model):
    """Somebody wants a code to count no more, and only a manager can say what to do."""

    class Why(models.TextChoices):
        USED = "used", "A sale has the code: refund the sale instead, or say no"
        UNKNOWN = "unknown", "This code was not made at a till of ours"
        UNCLEAR = "unclear", "The redemption waits for a manager already"
        SOLD = "sold", "A till says that it was sold; the sale has not come yet"
        TWICE = "twice", "A second sale has the code: it gave its discount twice"
        OTHERS = "others", "A sale of somebody else has the code: this member's points went"

    class By(models.TextChoices):
        SHOPPER = "shopper", "The shopper asks for their points"
        ENGINE = "engine", "The loyalty system ended the code"
        SALE = "sale", "A sale has the code"

    installation = models.ForeignKey(Installation, models.CASCADE)
    redemption = models.ForeignKey(
        "redemptions.PendingRedemption", models.PROTECT, null=True, blank=True
    )
    by = models.CharField(max_length=10, choices=By)
    why = models.CharField(max_length=10, choices=Why)
    code = models.CharField(max_length=255)
    engine_id = models.BigIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    answered_at = models.DateTimeField(null=True, blank=True, editable=False)
    answer = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = "question about a code"
        verbose_name_plural = "questions about codes"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["answered_at"], name="questions_by_answer")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["code", "by"],
                condition=Q(answered_at=None),
                name="a_code_is_asked_about_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(why__in=["used", "unknown", "unclear", "sold", "twice", "others"]),
                name="a_question_has_a_known_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_by_display()} ({self.get_why_display()})"


def find_answered(
    code: str, *, by: str, engine_id: int | None, redemption_id: UUID | None
) -> Question | None:
    """What a manager answered of late about this very code. It can come again as another's."""
    same = Q(redemption=redemption_id) if redemption_id else Q(redemption=None, engine_id=engine_id)
    answered = Question.objects.filter(same, code=code, by=by, answered_at__gte=Now() - KEPT)
    return answered.order_by("-answered_at").first()


def ask_a_manager(
    installation: Installation,
    code: str,
    *,
    by: str,
    why: str,
    engine_id: int | None = None,
    redemption_id: UUID | None = None,
) -> Question:
    """Open until a manager answers; asked again it only says why that is so by now."""
    question, is_new = Question.objects.get_or_create(
        code=code,
        by=by,
        answered_at=None,
        defaults={
            "installation": installation,
            "why": why,
            "engine_id": engine_id,
            "redemption_id": redemption_id,
        },
    )
    if not is_new and question.why != why:
        still_open = Question.objects.filter(pk=question.pk, answered_at=None)
        still_open.update(why=why, redemption_id=redemption_id)
        question.refresh_from_db()
    return question


@gives("code.question")
def watch_questions() -> Iterator[Condition]:
    """For alerts (database/conditions.py): codes of which only a manager can say what to do."""
    groups = (
        Question.objects.filter(answered_at=None)
        .values("why")
        .annotate(count=Count("pk"), since=Min("asked_at"))
        .order_by("why")
    )
    for group in groups:
        why = Question.Why(group["why"])
        yield Condition(
            kind="code.question",
            subject=why.value,
            words=f"{group['count']} codes ask for a manager. {why.label}. See Questions about "
            "codes in the admin.",
            count=group["count"],
            since=group["since"],
            path="/admin/redemptions/question/?asks=yes",
        )


def answer(question: Question, words: str) -> bool:
    """A manager said what was done. False where it was answered before."""
    still_open = Question.objects.filter(pk=question.pk, answered_at=None)
    answered = still_open.update(answered_at=Now(), answer=words[:200])
    question.refresh_from_db()
    return bool(answered)
