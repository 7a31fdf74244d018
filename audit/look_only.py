"""What managers may see in the admin and nobody may change there."""

from django.http import HttpRequest


class LookOnly:
    """For a ledger: its rows are the app's to write. First among a ModelAdmin's bases."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
