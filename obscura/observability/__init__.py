"""Logs: one JSON object a line on standard error, with the request id of the job that it speaks of."""

import logging
import resource
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer

__all__ = ["configure_logging", "forbid_core_dumps"]


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's records to standard error as JSON lines.

    Parameters
    ----------
    level
        Least severe level that is written: debug, info, warning or error.
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
            # Never with local variables: they hold photos, ids and options.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Addresses in access logs carry task ids; the gateway writes its own lines.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def forbid_core_dumps() -> None:
    """Keep the memory of this process and its children, which holds photos, off the disk when they die."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
