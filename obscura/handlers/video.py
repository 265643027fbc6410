"""Handler of videos: fetch the file, process it in a child process, store the result.

The worker itself loads no model and decodes no video. It writes the child's progress into the job record, and
kills the child if the job was erased, if it makes no progress, or at the time limit.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import structlog

import obscura
from obscura.contract import VIDEO, Step
from obscura.errors import (
    BackendUnavailableError,
    ObscuraError,
    PhotoError,
    PhotoTooCostlyError,
    ProcessingError,
    ProcessingFailedError,
    RequestError,
    ServiceError,
)
from obscura.imaging.containers.video import HEAD_BYTES, VideoFormat, format_of
from obscura.jobs import Claimed, JobRecord
from obscura.observability import Stage, stage
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.worker.scratch import scratch_directory
from obscura.worker.service import Handler, Service, WorkerContext, threads

__all__ = ["video_service"]

POLL_S: Final = 0.5
SECRETS: Final = frozenset(
    {name for name, item in Settings.model_fields.items() if "SecretStr" in str(item.annotation)}
    | {"redis_url"}
)
"""Settings that the child does not get, since it decodes untrusted files."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Upload:
    """The uploaded video and privacy mask as local files."""

    video: Path
    mask: Path | None = None


def _work(context: WorkerContext, claimed: Claimed) -> Mapping[str, str]:
    with scratch_directory(context.settings.video_dir) as folder:
        upload = _fetched(context.storage, claimed.record, folder)
        kind = _format_of(upload.video)
        target = folder / f"result.{kind}"
        report = _Child(context, claimed).run(upload, target)
        with target.open("rb") as file, stage(Stage.STORE):
            context.storage.put_file(claimed.result_key, file)
            report["bytes"] = target.stat().st_size
    return {"picture": claimed.result_key, "media_type": kind.media_type, "report": json.dumps(report)}


def _fetched(storage: Storage, record: JobRecord, folder: Path) -> _Upload:
    """Return the upload of a job as local files: the storage's own file if it is one without a mask.

    A mask is stored behind the video, where demuxers would read on, so both are then copied to files.
    """
    key, length = record.photo, record.options.mask_bytes
    own = storage.local_path(key)
    if own is not None and not length:
        return _Upload(own)
    end = storage.size(key) - length
    video = _written(folder / "source", storage.chunks(key, 0, end))
    return _Upload(video, _written(folder / "mask", storage.chunks(key, end)) if length else None)


def _written(path: Path, parts: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(parts)
    return path


def _format_of(path: Path) -> VideoFormat:
    with path.open("rb") as file:
        return format_of(file.read(HEAD_BYTES))


class _Child:
    """The child process that works on one video."""

    def __init__(self, context: WorkerContext, claimed: Claimed) -> None:
        self._context = context
        self._claimed = claimed
        self._progress_at = time.monotonic()

    def run(self, upload: _Upload, target: Path) -> dict[str, Any]:
        """Process the video and return its report; the child has ended afterwards.

        Raises
        ------
        PhotoError, RequestError, ProcessingError
            The error that the child reported, or that its exit status means.
        LeaseLostError
            If the lease of the step does not hold any more.
        """
        command = [sys.executable, "-m", "obscura.video.child"]
        process = subprocess.Popen(  # noqa: S603 - fixed arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        )
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        try:
            # Both pipes exist: they were requested above.
            reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
            reader.start()
            self._send_request(process.stdin, upload, target)
            return self._read_outcome(process, lines)
        finally:
            process.kill()
            process.wait()
            reader.join()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]  # see above

    def _send_request(self, pipe: IO[bytes] | None, upload: _Upload, target: Path) -> None:
        settings = self._context.settings
        request = {
            "source": str(upload.video.resolve()),
            "mask": None if upload.mask is None else str(upload.mask.resolve()),
            "target": str(target.resolve()),
            "options": self._claimed.record.options.model_dump(mode="json", by_alias=True),
            "settings": settings.model_dump(mode="json", exclude=set(SECRETS)),
            "threads": threads(settings),
        }
        with suppress(BrokenPipeError):
            # If the child has died already, its exit status is reported below.
            pipe.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]  # a requested pipe
            pipe.flush()  # type: ignore[union-attr]  # the same

    def _read_outcome(
        self, process: "subprocess.Popen[bytes]", lines: "queue.SimpleQueue[bytes | None]"
    ) -> dict[str, Any]:
        """Read the child's messages until its report; raise the error that it reports instead."""
        self._progress_at = time.monotonic()
        last: Mapping[str, str] = {}
        while True:
            with suppress(queue.Empty):
                line = lines.get(timeout=POLL_S)
                if line is None:
                    _ended(process.wait())
                message = json.loads(line)
                if "report" in message:
                    report: dict[str, Any] = message["report"]
                    return report
                if "error" in message:
                    raise _error_of(**message["error"])
                self._progress_at = time.monotonic()
                last = {"video": json.dumps(message["progress"])}
            self._check(last)

    def _check(self, fields: Mapping[str, str]) -> None:
        """Extend the lease; raise PhotoTooCostlyError if the child makes no progress."""
        limit = self._context.settings.video_stall_s
        if time.monotonic() - self._progress_at > limit:
            message = f"no frame of the video was finished in {limit:g} s"
            raise PhotoTooCostlyError(message)
        try:
            self._context.extend_lease(self._claimed, fields)
        except ServiceError as error:
            # No other worker can claim the step while the job store is away, so the work continues.
            log.warning("lease_not_extended", code=error.code)


def _environment() -> dict[str, str]:
    """Return the child's environment, without OBSCURA_* variables: its settings come with the request."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")}
    root = str(Path(obscura.__file__).parent.parent)
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))}


def _read(pipe: IO[bytes], lines: "queue.SimpleQueue[bytes | None]") -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _ended(code: int) -> NoReturn:
    """Raise the error for the exit status of a child that reported neither a result nor an error."""
    if code == -signal.SIGKILL:
        # Only the kernel's out-of-memory killer does this before the child has reported.
        message = "the video needs more memory than is available"
        raise PhotoTooCostlyError(message)
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    log.error("video_child_died", how=name)
    message = "the process that worked on the video died"
    raise ProcessingFailedError(message)


def _kinds(base: type[ObscuraError]) -> Iterator[type[ObscuraError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


def _error_of(code: str, message: str) -> ObscuraError:
    """Return the exception for an error code that the child reported."""
    known = {kind.code: kind for base in (ProcessingError, RequestError, PhotoError) for kind in _kinds(base)}
    return known.get(code, ProcessingFailedError)(message)


def _build(context: WorkerContext) -> Mapping[Step, Handler]:
    return {Step.VIDEO: partial(_work, context)}


def _check(settings: Settings) -> None:
    if find_spec("av") is None:
        message = "videos need the extra `video`: pip install 'obscura-photo[video]'"
        raise BackendUnavailableError(message)
    with scratch_directory(settings.video_dir):
        # Also removes the scratch directories of killed workers.
        pass


def video_service() -> Service:
    """Return the service that redacts videos."""
    return Service(VIDEO, _build, _check)
