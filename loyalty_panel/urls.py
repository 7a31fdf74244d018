"""Every address of the house."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from access import till_views
from access.views import launch
from loyalty_panel.health import healthz, readyz

admin.site.site_header = admin.site.site_title = "Loyalty Panel"
admin.site.index_title = "What the shop's managers look after"
handler400 = "loyalty_panel.last_resort.bad_request"
handler500 = "loyalty_panel.last_resort.server_error"
urlpatterns = [
    # First, for somebody waits for what is there.
    path("panel/<slug:installation>/", include("associates.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("panel/<slug:installation>/launch", launch, name="launch"),
    path("panel/<slug:installation>/pair", till_views.pair, name="pair"),
    path("panel/<slug:installation>/pair/poll", till_views.pair_poll, name="pair-poll"),
    path("panel/<slug:installation>/pair/leave", till_views.pair_leave, name="pair-leave"),
    path("panel/<slug:installation>/people/sign-in", till_views.sign_in, name="sign-in"),
    path("panel/<slug:installation>/people/lock", till_views.lock, name="people-lock"),
    path("panel/<slug:installation>/people/active", till_views.active, name="active"),
    path("api/v1/", include("api.urls")),
    path("webhooks/", include("webhooks.urls")),
    path("admin/", admin.site.urls),
]
