"""The route is what logs show: never the path, which holds a secret."""

from django.urls import path

from webhooks.views import receive

urlpatterns = [
    path("<str:source>/<str:installation>/<str:secret>/<str:event>", receive, name="webhook"),
]
