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


_URL = re.compile(r"(https?://)(?:[^\s\"'<>\\/?#]*@)?([^\s\"'<>\\/?#@]*)[^\s\"'<>\\]*", re.IGNORECASE)
# Loggers that log every message or request; the project logs these itself, with the request id.
CHATTY = (
    "celery.worker.strategy",
    "celery.app.trace",
    "multiprocessing",
    "uvicorn.access",
    "httpx",
    "httpcore",
)


def configure_logging(level: str, form: LogFormat = LogFormat.JSON) -> None:
    """Configure structlog and the standard library's logging to write to standard error.

    Parameters
    ----------
    level
        Lowest level that is written: debug, info, warning or error.
    form
        One JSON object per line, or text for people.
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
    """Return the processors that render a line.

    Local variables of tracebacks, which hold photos, are omitted.
    """
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
    """Reduce every http URL in a rendered line to scheme and host.

    Clients name URLs of webhooks and photos; paths, queries and user names may identify people.
    """
    return _URL.sub(r"\1\2", str(line))


def forbid_core_dumps() -> None:
    """Disable core dumps of this process and its children, whose memory contains photos."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
