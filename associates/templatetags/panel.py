"""How the panel writes numbers and ages."""

from datetime import datetime

from django import template
from django.utils import timezone

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """12345 -> 12,345"""
    return f"{number:,}"


@register.filter
def points(number: int) -> str:
    """12345 -> 12,345 points"""
    return f"{number:,} point{'' if number == 1 else 's'}"


@register.filter
def age(moment: datetime) -> str:
    """How long ago, as one says it at a till."""
    minutes = max(int((timezone.now() - moment).total_seconds() // 60), 0)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"
