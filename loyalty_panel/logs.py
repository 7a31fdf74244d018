"""Structured logs: one line an event, with the request's id, and nobody's name in it.

The rule is that nothing personal is logged in the first place. The scrubber below is the
second lock on that door: a library's exception text can quote what a customer typed.
"""

import logging
import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

TASK_LOGGERS = ("django.tasks", "django_tasks", "django_tasks_db", "procrastinate")
IN_ADDRESS = r"[^\s\"'<>()\[\]{},;:=&?]"
# From the beginning of a word only: a long one without an @ is then read once, not once a letter.
EMAIL = re.compile(rf"(?<!{IN_ADDRESS}){IN_ADDRESS}+(?:@|%40){IN_ADDRESS}+")
PHONE = re.compile(r"(?:\+|%2[Bb])\d[\d .()-]{6,18}\d")


def scrub(text: str) -> str:
    """The text without email addresses and international phone numbers."""
    return PHONE.sub("[phone]", EMAIL.sub("[email]", text))


def scrub_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: scrub_value(value) for key, value in event.items()}


def scrub_value(value: object) -> object:
    """Numbers and flags as they are; of anything else only its scrubbed text."""
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def shared_processors() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def logging_config(*, json: bool) -> dict[str, Any]:
    """Django's LOGGING: JSON for machines, or a plain line for a person's terminal."""
    # No line says which line of code, thread or process wrote it: so that is not looked for.
    logging._srcfile = None  # as the library's own manual puts it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    shared = shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(allow=[])],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    # A string from here on, so that tracebacks are scrubbed as well.
                    structlog.processors.format_exc_info,
                    scrub_event,
                    renderer,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Its own handlers would mail tracebacks and print in another format.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # Our request line says the same with the route in place of the path.
            "django.request": {"handlers": [], "level": "CRITICAL", "propagate": False},
            "django.server": {"handlers": [], "level": "CRITICAL", "propagate": False},
            "django.security.csrf": {"handlers": [], "level": "CRITICAL", "propagate": False},
            # Both print whole URLs, and a look-up's URL at the engine holds the email.
            "urllib3": {"handlers": [], "level": "CRITICAL", "propagate": False},
            "requests": {"handlers": [], "level": "CRITICAL", "propagate": False},
            # Tell of every task as it comes and goes; ours tell what they do.
            **{name: {"level": "WARNING"} for name in TASK_LOGGERS},
            # Tells at every start that it can't draw bitmaps; ours are vectors.
            "pyBarcode": {"level": "WARNING"},
        },
    }
