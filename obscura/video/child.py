"""``python -m obscura.video.child``: process one video in a killable process.

It reads an order, one line of JSON, and writes lines of JSON: how far it is, and in the end what was done or
why nothing was. It ends when whoever gave the order does: its standard input stays open until then.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import av.logging
import structlog
from pydantic import BaseModel, ConfigDict

from obscura.contract import JobOptions, VideoProgress
from obscura.errors import ObscuraError, PhotoTooCostlyError, ProcessingFailedError
from obscura.imaging.configured_limits import probe_budget
from obscura.observability.logs import configure_logging, forbid_core_dumps
from obscura.settings import Settings
from obscura.video.source import VideoLimits, check_source

__all__ = ["Order", "main"]

TELL_S: Final = 0.5
PR_SET_PDEATHSIG: Final = 1
log = structlog.get_logger(__name__)


class Order(BaseModel):
    """What to do: all files lie on this machine; ``settings`` are the worker's, without its secrets."""

    model_config = ConfigDict(frozen=True)

    source: Path
    target: Path
    mask: Path | None = None
    options: JobOptions
    settings: dict[str, Any]
    threads: int


def main() -> int:
    """Do what the order on standard input says."""
    # What libraries print must not come between the lines.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    settings = Settings(**order.settings)
    _end_with_parent()
    configure_logging(settings.log_level, settings.log_format)
    forbid_core_dumps()
    # It would write file names and tags into the log.
    av.logging.set_level(av.logging.PANIC)
    _bound_memory(settings.video_memory_mb << 20)
    try:
        _say(answers, {"report": _done(order, settings, answers)})
    except ObscuraError as error:
        _say(answers, {"error": {"code": error.code, "message": error.message}})
    except MemoryError:
        message = f"the video took more than {settings.video_memory_mb} MiB of memory"
        _say(answers, {"error": {"code": PhotoTooCostlyError.code, "message": message}})
    except Exception:
        log.exception("video_crashed")
        message = "the video could not be processed"
        _say(answers, {"error": {"code": ProcessingFailedError.code, "message": message}})
    return 0


def _done(order: Order, settings: Settings, answers: IO[str]) -> dict[str, Any]:
    limits = VideoLimits(
        max_pixels=settings.video_max_pixels,
        max_side=settings.max_side,
        max_frames=settings.video_max_frames,
        max_seconds=settings.video_max_s,
    )
    # What cannot be used is told before engines and models are loaded for it.
    check_source(order.source, limits, probe_budget(settings))
    from obscura.anonymisation.build_request import request_of  # noqa: PLC0415 - the same
    from obscura.anonymisation.detect import detection_options  # noqa: PLC0415 - see above
    from obscura.detection.loading import load_all  # noqa: PLC0415 - see above
    from obscura.video.redact import VideoRequest, redact_video  # noqa: PLC0415 - the same

    options = order.options
    how = request_of(options, settings, b"" if order.mask is None else order.mask.read_bytes())
    request = VideoRequest(
        policy=how.policy,
        detection=detection_options(options),
        metadata=options.metadata,
        audio=options.audio,
        beep=options.beep,
        limits=limits,
        keep=how.keep,
        mask=how.mask,
    )
    detectors = tuple(load_all(settings, options.classes, order.threads).values())
    told_at = 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= TELL_S or done == total:
            told_at = now
            told = VideoProgress.model_validate({"stage": str(stage), "done": done, "total": total})
            _say(answers, {"progress": told.model_dump()})

    return redact_video(order.source, order.target, detectors, request, tell).as_dict()


def _say(answers: IO[str], line: Mapping[str, Any]) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.flush()


def _bound_memory(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _end_with_parent() -> None:
    """End this process at once when its parent is gone: by the kernel where it can, by the pipe elsewhere."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
