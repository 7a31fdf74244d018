"""A short list of texts in one column, written one a line."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models


class LinesFormField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 3, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line for line in map(str.strip, (value or "").splitlines()) if line]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class LinesField(models.JSONField):
    """`normal` gives each entry its one way of being written, or raises ValidationError.

    As with every field, that happens in `full_clean`.
    """

    empty_values = [[]]  # None is no list

    def __init__(self, *args: Any, normal: Callable[[str], str], **options: Any) -> None:
        self.normal = normal
        super().__init__(*args, **{"default": list, "blank": True, **options})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "normal": self.normal}

    def clean(self, value: Any, model_instance: models.Model | None) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValidationError("Give a list of texts.")
        lines: list[str] = super().clean(value, model_instance)
        return list(dict.fromkeys(map(self.normal, lines)))

    def formfield(self, **options: Any) -> Any:
        options = {"form_class": LinesFormField, "show_hidden_initial": False, **options}
        return models.Field.formfield(self, **options)
