from django.apps import AppConfig


class AssociatesConfig(AppConfig):
    name = "associates"
