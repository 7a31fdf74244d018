"""Is the process alive, and may it be sent work?"""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

_migrated: list[bool] = []


@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Alive: answers without looking at anything else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """Ready: the database answers and every migration is in. 503 with the reason if not."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        unapplied = not is_migrated()
    except DatabaseError:
        return JsonResponse({"status": "unready", "reason": "database"}, status=503)
    if unapplied:
        return JsonResponse(
            {"status": "unready", "reason": "migrations", "do": "python manage.py migrate"},
            status=503,
        )
    return JsonResponse({"status": "ok"})


def is_migrated() -> bool:
    """Looked up until it is true once: migrations do not come undone under a running process."""
    if not _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _migrated.append(True)
    return True
