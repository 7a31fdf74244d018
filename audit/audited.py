"""What managers do in the admin to rows that may be changed there goes into the trail."""

from typing import Any

from django.db import models, transaction
from django.http import HttpRequest

from audit.record import NOWHERE, Where, Who, record


class Audited:
    """First among a ModelAdmin's bases: whatever is added, changed or deleted is recorded."""

    def where(self, obj: Any) -> Where:
        """Where such a row belongs, for its entries."""
        return NOWHERE

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        if change and not form.changed_data:
            return
        self.record(
            request,
            "changed" if change else "added",
            obj,
            before={name: plain(form.initial.get(name)) for name in form.changed_data if change},
            after={
                name: kept_of(obj, name, form)
                for name in (form.changed_data if change else form.cleaned_data)
            },
        )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.record(request, "deleted", obj)
        super().delete_model(request, obj)  # type: ignore[misc]

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.record(request, "deleted", obj)
        super().delete_queryset(request, queryset)  # type: ignore[misc]

    def record(self, request: HttpRequest, what: str, obj: models.Model, **values: Any) -> None:
        kind = str(obj._meta.verbose_name).lower().replace(" ", "_")
        record(
            act=f"{kind}.{what}",
            who=Who.user(request.user),
            subject=obj,
            where=self.where(obj),
            **values,
        )


def kept_of(obj: models.Model, name: str, form: Any) -> Any:
    """What the row holds; for what it does not hold itself, as a user's groups, what was chosen."""
    holds = name in {field.name for field in obj._meta.concrete_fields}
    return plain(getattr(obj, name) if holds else form.cleaned_data[name])


def plain(value: Any) -> Any:
    """A row by its id."""
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, list | models.QuerySet):
        return [plain(one) for one in value]
    return value
