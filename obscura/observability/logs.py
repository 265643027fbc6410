"""Structured logs on standard error with the request id of the job."""

import logging
import re
import resource
import sys
from typing import Any, assert_never

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from obscura.settings import LogFormat

__all__ = ["configure_logging", "forbid_core_dumps"]


# They announce and report every message with ids of their own and without ours; the worker says it itself.
_URL = re.compile(r"(https?://)(?:[^\s\"'<>\\/?#]*@)?([^\s\"'<>\\/?#@]*)[^\s\"'<>\\]*", re.IGNORECASE)
CHATTY = (
    "celery.worker.strategy",
    "celery.app.trace",
    "multiprocessing",
    "uvicorn.access",
    "httpx",
    "httpcore",
)


def configure_logging(level: str, form: LogFormat = LogFormat.JSON) -> None:
    """Send structlog's and the standard library's records to standard error.

    Parameters
    ----------
    level
        Least severe level that is written: debug, info, warning or error.
    form
        JSON objects for machines, or lines for people.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(form),
            _hosts_only,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _renderers(form: LogFormat) -> list[structlog.typing.Processor]:
    """Return what makes a line; never with local variables, which hold photos, ids and options."""
    match form:
        case LogFormat.JSON:
            transformer = ExceptionDictTransformer(show_locals=False)
            return [structlog.processors.ExceptionRenderer(transformer), structlog.processors.JSONRenderer()]
        case LogFormat.TEXT:
            plain = structlog.dev.plain_traceback
            return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
        case _:
            assert_never(form)


def _hosts_only(_logger: object, _name: str, line: Any) -> str:  # noqa: ANN401 - what a renderer returns
    """Cut every http URL in a finished line down to scheme and host.

    Callers name addresses to be told of their tasks; who they are is in paths, queries and user parts.
    """
    return _URL.sub(r"\1\2", str(line))


def forbid_core_dumps() -> None:
    """Keep the memory of this process and its children, which holds photos, off the disk when they die."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
