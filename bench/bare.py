"""The least that a view can do which keeps what it did: insert a row, and update it where the panel
does so, too (/rows), or only insert it (/inserts).

Served like the panel, on a database of the same kind with the same settings. DATABASE_URL says
which. `python -m bench.bare` makes its table.
"""

import uuid
from typing import ClassVar

import django
import environ
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

DATABASE = environ.Env().db("DATABASE_URL")
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    DATABASE["CONN_MAX_AGE"] = 60
else:
    DATABASE["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 20, "timeout": 10}}
settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": DATABASE},
)
django.setup()


class Row(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    state = models.CharField(max_length=20)
    objects: ClassVar = models.Manager["Row"]()

    class Meta:
        app_label = "bare"

    def __str__(self) -> str:
        return self.state


@csrf_exempt
def write(request: HttpRequest) -> HttpResponse:
    row = Row.objects.create(state="requested")
    Row.objects.filter(pk=row.pk, state="requested").update(state="issued")
    return HttpResponse(status=201)


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    Row.objects.create(state="done")
    return HttpResponse(status=201)


urlpatterns = [path("rows", write), path("inserts", insert)]
application = WSGIHandler()

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(Row)
