import shlex

from django.conf import settings
from gunicorn.config import Config

from tests.ground.checkout import ROOT


def processes() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def test_there_are_a_web_a_worker_and_a_release_process():
    assert processes().keys() == {"web", "worker", "release"}


def test_the_worker_delivers_and_settles_redemptions():
    assert processes()["worker"] == "python manage.py run_worker"
    assert "loyalty_panel.jobs.settle" in settings.PERIODIC_JOBS


def test_a_release_migrates_and_collects_static_files():
    migrate, collect = processes()["release"].split(" && ")

    assert migrate.startswith("python manage.py migrate")
    assert collect.startswith("python manage.py collectstatic")


def test_the_web_process_listens_on_the_port_it_is_given():
    assert "--bind 0.0.0.0:${PORT:-8000}" in processes()["web"]


def test_the_web_process_keeps_no_access_log():
    """Paths and query strings can hold people; the panel logs its requests itself."""
    assert gunicorn_settings()["accesslog"] is None


def test_the_web_process_has_threads_and_no_control_socket():
    settings = gunicorn_settings()

    assert settings["worker_class"] == "gthread"
    assert settings["control_socket_disable"] is True


def gunicorn_settings() -> dict[str, object]:
    """What gunicorn makes of our options; it exits on one that it does not know."""
    program, *options = shlex.split(processes()["web"])
    assert program == "gunicorn"
    numbers = [option if "{" not in option else "1" for option in options]
    return vars(Config().parser().parse_args(numbers))
