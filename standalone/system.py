"""The supervisor: start, watch and stop the child processes of an embedded system."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Self

from obscura.access import is_reachable, requires_keys
from obscura.contract import Pipeline
from obscura.errors import EmbeddedServerError
from obscura.settings import JOB_STORE_URL_FILE, Settings
from obscura.settings.loading import settings_or_exit

READY_S = 180.0
POLL_S = 0.1
STOP_S = {"gateway": 25.0, "worker": 40.0, "videos": 20.0, "valkey": 10.0}
WORKERS = {"worker", "videos"}
SESSION_END_S = 2.0
MAX_RESTARTS = 5
RESTART_WINDOW_S = 120.0


@dataclass(frozen=True)
class Place:
    """Where a system listens and stores its data."""

    host: str
    port: int
    data_dir: Path

    @property
    def address(self) -> str:
        """The URL of the system for its users."""
        shown = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"


@dataclass
class Part:
    """One child process."""

    role: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: list[float] = field(default_factory=list)
    is_asked: bool = False
    """Whether SIGTERM was sent."""

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process in its own session, so that Ctrl-C reaches the supervisor only."""
        command = [sys.executable, "-m", "standalone.child", self.role, *self.arguments]
        self.process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
        self.is_asked = False

    @property
    def has_died(self) -> bool:
        """Whether the process was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def may_restart(self) -> bool:
        """Count a restart; return whether there were at most `MAX_RESTARTS` in `RESTART_WINDOW_S` seconds."""
        now = time.monotonic()
        self.restarts = [moment for moment in self.restarts if now - moment < RESTART_WINDOW_S]
        self.restarts.append(now)
        return len(self.restarts) <= MAX_RESTARTS

    def ask_to_end(self) -> None:
        """Send SIGTERM once, without waiting."""
        if self.process is not None and not self.is_asked and self.process.poll() is None:
            self.process.terminate()
        self.is_asked = True

    def stop(self) -> None:
        """Stop the process, and kill its session if it does not end in time."""
        if self.process is None:
            return
        self.ask_to_end()
        if self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S[self.role])
        self._end_session(self.process)

    @staticmethod
    def _end_session(process: subprocess.Popen[bytes]) -> None:
        """Kill the remaining processes of the session and wait for their end."""
        deadline = time.monotonic() + SESSION_END_S
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            while time.monotonic() < deadline:
                os.killpg(process.pid, 0)
                time.sleep(POLL_S)
        process.wait()


def check_port(host: str, port: int) -> None:
    """Raise EmbeddedServerError unless a server can listen on ``host:port``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"cannot listen on {host}:{port} ({error.strerror}); choose another port"
            raise EmbeddedServerError(message) from error


@contextmanager
def _sole_use(folder: Path) -> Iterator[IO[str]]:
    """Lock the data folder for this system; raise EmbeddedServerError if another one uses it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_file = (folder / "lock").open("w")
    except OSError as error:
        message = f"cannot use the folder {folder} ({error.strerror}); choose another --data-dir"
        raise EmbeddedServerError(message) from error
    with lock_file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"another Obscura is using {folder}; stop it or choose another --data-dir"
            raise EmbeddedServerError(message) from error
        yield lock


class System:
    """All child processes of a system; use it as a context manager.

    If ``OBSCURA_REDIS_URL`` is set, that server is used and no Valkey is started.
    """

    def __init__(self, place: Place, *, bocashi_only: bool = False, quiet: bool = False) -> None:
        self.place = place
        self._quiet = quiet
        self._runtime = Path(tempfile.mkdtemp(prefix="obscura-"))
        self._socket = str(self._runtime / "valkey.sock")
        self._job_store_url = place.data_dir / JOB_STORE_URL_FILE
        flags = ["--bocashi-only"] if bocashi_only else []
        gateway = Part("gateway", ["--host", place.host, "--port", str(place.port), *flags])
        self._parts = [Part("worker", []), Part("videos", []), gateway]
        if not os.environ.get("OBSCURA_REDIS_URL"):
            arguments = ["--socket", self._socket, "--data-dir", str(place.data_dir.resolve())]
            self._parts.insert(0, Part("valkey", arguments))
        self._environment = self._make_environment()
        self.stop_asked = False

    def _make_environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        environment.setdefault("OBSCURA_REDIS_URL", f"unix://{self._socket}")
        environment.setdefault("OBSCURA_STORAGE_DIR", str(self.place.data_dir.resolve() / "photos"))
        environment.setdefault("OBSCURA_VIDEO_DIR", str(self.place.data_dir.resolve() / "videos"))
        rows = self.place.data_dir.resolve() / "verification.db"
        environment.setdefault("OBSCURA_DATABASE_URL", f"sqlite:///{rows}")
        environment.setdefault("OBSCURA_LOG_LEVEL", "warning")
        # One worker serves all queues, so the fused pipeline is the fastest: a photo is decoded once.
        environment.setdefault("OBSCURA_PIPELINE", Pipeline.FUSED)
        # The service packages are in the same folder as this package.
        root = str(Path(__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
        return environment

    def start(self) -> None:
        """Start all processes and return once the system is ready.

        Raises
        ------
        EmbeddedServerError
            If a process ends before that, or it takes longer than `READY_S` seconds.
        """
        # `obscura keys` reads the URL of the embedded server from this file.
        self._job_store_url.touch(mode=0o600)
        self._job_store_url.write_text(self._environment["OBSCURA_REDIS_URL"], "utf-8")
        for part in self._parts:
            part.start(self._environment)
        deadline = time.monotonic() + READY_S
        while not self.stop_asked and not self._is_ready():
            dead = next((part for part in self._parts if part.has_died), None)
            if dead is not None:
                message = f"the process `{dead.role}` could not start (see its message above)"
                raise EmbeddedServerError(message)
            if time.monotonic() > deadline:
                message = f"not ready after {READY_S:.0f} s"
                raise EmbeddedServerError(message)
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        request = urllib.request.Request(f"{self.place.address}/readyz")  # noqa: S310 - our own http address
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - the same
                return int(answer.status) == 200  # noqa: PLR2004 - OK
        except (urllib.error.URLError, OSError):
            return False

    def watch(self) -> None:
        """Restart processes that die, until asked to stop.

        Raises
        ------
        EmbeddedServerError
            If a process dies too often, see `Part.may_restart`.
        """
        while not self.stop_asked:
            for part in self._parts:
                if part.has_died and not self.stop_asked:
                    if not part.may_restart():
                        message = f"the process `{part.role}` keeps dying"
                        raise EmbeddedServerError(message)
                    # Kills the rest of its session: a remaining Valkey would still hold the socket.
                    part.stop()
                    part.start(self._environment)
            time.sleep(POLL_S)

    def ask_to_stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Make ``start`` and ``watch`` return; also a signal handler."""
        self.stop_asked = True

    def stop(self) -> None:
        """Stop the gateway first, so that no more jobs are accepted, then the workers, and Valkey last."""
        *others, gateway = self._parts
        gateway.stop()
        for part in others:
            if part.role in WORKERS:
                part.ask_to_end()
        for part in reversed(others):
            part.stop()
        self._job_store_url.unlink(missing_ok=True)
        shutil.rmtree(self._runtime, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        self.stop()


def _on_keys(place: Place) -> str:
    """Return a hint about API keys for the operator, empty if the system is local and needs none."""
    if requires_keys(settings := Settings(), place.host):
        where = f"--data-dir {place.data_dir}"
        return f"\nAPI keys are required. Create one with: obscura keys create NAME {where}"
    if is_reachable(settings, place.host):
        return "\nWARNING: other machines can reach it without an API key (OBSCURA_API_KEYS=off)."
    return ""


def run(place: Place, greeting: str, *, bocashi_only: bool = False) -> int:
    """Run a whole system in the foreground until SIGINT or SIGTERM; return the exit code.

    ``greeting`` is printed once the system is ready, with ``{address}`` filled in.
    """
    settings_or_exit()
    try:
        check_port(place.host, place.port)
        with _sole_use(place.data_dir):
            system = System(place, bocashi_only=bocashi_only)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, system.ask_to_stop)
            with system:
                if system.stop_asked:
                    return 0
                print(greeting.format(address=place.address), flush=True)  # noqa: T201 - for the person at the terminal
                if note := _on_keys(place):
                    print(note, file=sys.stderr, flush=True)  # noqa: T201 - the same
                system.watch()
    except EmbeddedServerError as error:
        print(f"obscura: {error.message}", file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return 1
    return 0
