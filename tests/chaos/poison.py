"""``python -m tests.chaos.poison FOLDER``: a real worker whose decoder does what hostile photos make one do.

Everything is the product's own but the handler: what stands behind the end of a JPEG says what becomes of the
process that opens it. Every start is noted with its time as a line in FOLDER, under the name of the job.
"""

import ctypes
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from obscura.anonymisation.detect import open_photo
from obscura.contract import DETECT_FACES, DetectionResult, ImageInfo, ModelInfo, Step
from obscura.imaging.configured_limits import validation_limits
from obscura.imaging.resource_limits import within
from obscura.jobs import Claimed
from obscura.settings import Settings
from obscura.worker.process import serve
from obscura.worker.service import Handler, Service, WorkerContext

NAP_S = 20.0


def segfault() -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


def die() -> None:
    """End as the kernel ends a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """Wait for ever in native code, where no signal handler of Python's can run."""
    libc = ctypes.CDLL(None)
    mutex = ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


def spin() -> None:
    """Compute for hours in native code."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def eat() -> None:
    """Take all memory there is."""
    eaten = []
    while True:
        eaten.append(b"x" * (64 << 20))


def nap() -> None:
    """Take long, but not for ever."""
    time.sleep(NAP_S)


POISONS: Mapping[bytes, Callable[[], None]] = {
    item.__name__.encode(): item for item in (segfault, os.abort, die, hang, spin, eat, nap)
}


def _handle(context: WorkerContext, folder: Path, claimed: Claimed) -> Mapping[str, str]:
    data = context.storage.get(claimed.record.photo)
    with (folder / claimed.record.id).open("a") as starts:
        starts.write(f"{time.time()}\n")
    poison = POISONS.get(data.rpartition(b"\xff\xd9")[2])
    if poison is not None:
        with within(validation_limits(context.settings).budget):
            poison()
    size = open_photo(data, context.settings).size
    part = DetectionResult(
        image=ImageInfo(width=size.width, height=size.height),
        model=ModelInfo(name="none", version="0", engine="none"),
        detections=(),
    )
    return {f"p:{claimed.step}": part.model_dump_json(by_alias=True)}


def _build(folder: Path, context: WorkerContext) -> Mapping[Step, Handler]:
    return dict.fromkeys(DETECT_FACES.steps, partial(_handle, context, folder))


if __name__ == "__main__":
    service = Service(DETECT_FACES, partial(_build, Path(sys.argv[1])), lambda _settings: None)
    sys.exit(serve(Settings(), (service,)))
