"""What only a manager can answer about a code, and what the engine told of codes."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.look_only import LookOnly
from audit.record import Where, Who, record
from redemptions.sold import SoldCode
from redemptions.told import Question, ToldCode, answer

MAY_SETTLE = "redemptions.settle"


class IsOpen(admin.SimpleListFilter):
    title = "asks for a manager"
    parameter_name = "asks"

    def lookups(self, request, model_admin):
        return [("yes", "Yes")]

    def queryset(self, request, queryset):
        return queryset.filter(answered_at=None) if self.value() == "yes" else queryset


class AnswerForm(ActionForm):
    answer = forms.CharField(max_length=200, required=False, label="What was done: ")


@admin.register(Question)
class QuestionAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("asked_at", "by", "why", "code", "redemption", "answered_at", "answer")
    list_filter = (IsOpen, "by", "why", "installation", "asked_at")
    list_select_related = ("redemption",)
    search_fields = ("code", "=engine_id", "redemption__id")
    search_help_text = "A code, the engine's redemption id, or a redemption's id."
    readonly_fields = ("asked_at", "answered_at", "answer")
    action_form = AnswerForm
    actions = ("set_answered",)

    @admin.action(description="Answered", permissions=["answer"])
    def set_answered(self, request: HttpRequest, chosen: QuerySet[Question]) -> None:
        words = request.POST.get("answer", "").strip()
        if not words:
            self.message_user(request, "Say what was done: it is kept.", messages.ERROR)
            return
        done = sum(answer_one(request, question, words) for question in chosen)
        self.message_user(request, f"{done} answered.", messages.SUCCESS)

    def has_answer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_SETTLE)


def answer_one(request: HttpRequest, question: Question, words: str) -> bool:
    with transaction.atomic():
        if not answer(question, words):
            return False
        record(
            act="question.answered",
            who=Who.user(request.user),
            subject=question,
            where=Where.at(installation=question.installation),
            after={"why": question.why},
            reason=words[:200],
        )
    return True


@admin.register(ToldCode)
class ToldCodeAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("told_at", "code", "engine_id", "title", "cost", "stop_told_at", "stop_reason")
    list_filter = ("stop_reason", "told_at")
    search_fields = ("code", "=engine_id")
    search_help_text = "A code, or the engine's redemption id."
    readonly_fields = ("told_at",)


@admin.register(SoldCode)
class SoldCodeAdmin(LookOnly, admin.ModelAdmin):
    """Most are a shop's own coupons. One with a redemption was sold before that was known here."""

    list_display = ("told_at", "code", "sale", "redemption", "outcome")
    list_filter = (("redemption", admin.EmptyFieldListFilter), "outcome", "told_at")
    list_select_related = ("redemption",)
    search_fields = ("code", "sale", "redemption__id")
    search_help_text = "A code, an order's id, or a redemption's id."
    readonly_fields = ("told_at",)
