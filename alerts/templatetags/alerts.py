from django import template

from alerts.models import Alert

register = template.Library()


@register.simple_tag
def open_alerts() -> int:
    """How many there are that nobody has muted or set aside. One query."""
    return Alert.objects.heard().count()
