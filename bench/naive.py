"""The look-up as it is written at first: stock Django, and two requests one after the other.

Served like the panel, to show what the panel's plain means are worth. ENGINE_URL, ENGINE_GUID,
ENGINE_KEY and ENGINE_CA say where the engine is; DATABASE holds the sessions.
"""

import os

import django
import requests
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

PAGE = """<h2>{{ customer.first_name }} {{ customer.last_name }}</h2>
<p>{{ customer.points_balance }} points, {{ customer.vip_tier_name }}</p>
{% for option in options %}<p>{{ option.name }}: {{ option.cost_text }}</p>{% endfor %}"""

settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()


@csrf_exempt
def lookup(request: HttpRequest) -> HttpResponse:
    email = request.POST["query"]
    found = {"customer": read("/customers", email), "options": read("/redemption_options", email)}
    return HttpResponse(engines["django"].from_string(PAGE).render(found, request))


def read(what: str, email: str) -> object:
    answer = requests.get(
        os.environ["ENGINE_URL"] + what,
        params={"customer_email": email},
        headers={"x-guid": os.environ["ENGINE_GUID"], "x-api-key": os.environ["ENGINE_KEY"]},
        verify=os.environ.get("ENGINE_CA") or True,
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


urlpatterns = [path("lookup", lookup)]
application = WSGIHandler()
