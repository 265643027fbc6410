"""One key sends a thousand hostile requests of all kinds while another key's client posts photos."""

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import redis

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import JOB_STORE_URL_FILE, Settings
from tests import hostile_requests, photos
from tests.chaos.test_memory import resident_mb
from tests.chaos.tools import ENDS, objects, processes
from tests.hostile_requests import Attacker
from tests.system import RunningSystem
from tests.webhooks import SECRET, Receiver

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(3600)]
REQUESTS = 1000
ATTACKERS = 12
GUEST_CLIENTS = 4
GUEST_PHOTOS = 160
WARM_UP = 40
NOISE_FACTOR = 1.25
"""What two measurements of the same differ by on a busy machine."""
PATIENCE_S = 900.0
MAX_WORKER_MB = 2500.0
"""A worker with networks (600 MB) that reads 49 megapixels in its budget (256 MiB and 32 bytes a pixel)."""
MAX_GATEWAY_MB = 500.0
ROLES = ("gateway", "worker")
GIVEN_BACK = 1.35


@dataclass
class Guest:
    """A client that posts photos and waits for each; ``seconds`` per photo."""

    url: str
    key: str
    seconds: list[float] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def post(self, client: httpx.Client) -> None:
        """Blur one photo."""
        began = time.perf_counter()
        answer = client.post("/blur", files={"file": photos.PORTRAIT.read_bytes()})
        assert answer.status_code == 200, answer.text
        task = answer.json()["task_id"]
        while (body := client.get(f"/task_result/{task}", params={"wait": 30}).json())["status"] not in ENDS:
            pass
        assert body["status"] == "SUCCESS", body
        self.seconds.append(time.perf_counter() - began)
        self.tasks.append(task)

    def run(self, number: int, *, until_stopped: bool = False) -> list[float]:
        """Blur ``number`` photos, or as many as there is time for; return the seconds of each."""
        self.seconds = []

        def work(_client: int) -> None:
            headers = {"authorization": f"Bearer {self.key}"}
            with httpx.Client(base_url=self.url, timeout=PATIENCE_S, headers=headers) as client:
                while len(self.seconds) < number or (until_stopped and not self.stop.is_set()):
                    self.post(client)

        with ThreadPoolExecutor(GUEST_CLIENTS) as pool:
            list(pool.map(work, range(GUEST_CLIENTS)))
        return self.seconds


@dataclass
class Memory:
    """Memory of a system's processes in MB, and of the job store."""

    system: RunningSystem
    store: redis.Redis
    peaks: dict[str, float] = field(default_factory=dict)

    def now(self) -> dict[str, float]:
        """Return the largest process of each part, and what the job store holds."""
        found = {"store": self.store.info("memory")["used_memory"] / hostile_requests.MIB}
        for role in ROLES:
            sizes = []
            for pid in processes(self.system, role):
                try:
                    sizes.append(resident_mb([pid]))
                except OSError:
                    continue
            found[role] = max(sizes, default=0.0)
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the peaks meanwhile."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.3):
                for name, size in self.now().items():
                    self.peaks[name] = max(size, self.peaks.get(name, 0.0))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@dataclass
class Installation:
    """A running system with two keys."""

    system: RunningSystem
    store: redis.Redis
    guest: Guest
    attacker: Attacker


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Start it, with a receiver of webhooks that never answers."""
    with Receiver({"/hangs": [0]}) as receiver:
        settings = {
            "OBSCURA_API_KEYS": "on",
            "OBSCURA_RATE_LIMIT": "0",
            "OBSCURA_ADDRESS_RATE_LIMIT": "0",
            "OBSCURA_WEBHOOK_HOSTS": receiver.origin,
            "OBSCURA_WEBHOOK_SECRET": SECRET,
            "OBSCURA_SWEEP_INTERVAL_S": "5",
            "OBSCURA_REAPER_INTERVAL_S": "5",
        }
        system = RunningSystem("standalone", tmp_path / "data", settings=settings)
        try:
            system.wait_until_ready()
            url = (system.data_dir / JOB_STORE_URL_FILE).read_text("utf-8")
            key_store, store = KeyStore(Settings(redis_url=url)), redis.Redis.from_url(url)
            scopes = frozenset({Scope.SUBMIT, Scope.READ})
            keys = [key_store.create(name, scopes)[1] for name in ("guest", "attacker")]
            guest = Guest(system.url, keys[0])
            attacker = Attacker(system.url, keys[1], store, guest.tasks, f"{receiver.origin}/hangs")
            yield Installation(system, store, guest, attacker)
            attacker.close()
            key_store.close()
            store.close()
        finally:
            system.stop()


def attack(attacker: Attacker) -> None:
    """Send the hostile requests, from many connections at once."""
    with ThreadPoolExecutor(ATTACKERS) as pool:
        list(pool.map(attacker.attack, hostile_requests.mixed(REQUESTS)))


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20)[-1]


def wait_until_no_original_stays(system: RunningSystem) -> None:
    """Wait until the originals of ended jobs are erased."""
    deadline = time.monotonic() + 120
    while objects(system, "photos"):
        assert time.monotonic() < deadline, objects(system, "photos")
        time.sleep(0.5)


def test_hostile_requests_of_one_key_leave_another_alone(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other's 95th percentile at most doubles, nothing is lost or crashes, memory is given back."""
    guest, attacker = installation.guest, installation.attacker
    guest.run(WARM_UP)
    alone = guest.run(GUEST_PHOTOS)
    memory = Memory(installation.system, installation.store)
    before = memory.now()
    with memory.watched(), ThreadPoolExecutor(1) as pool:
        beside = pool.submit(guest.run, GUEST_PHOTOS, until_stopped=True)
        attack(attacker)
        guest.stop.set()
        seconds = beside.result()
        ends = attacker.wait_for_ends()
    wait_until_no_original_stays(installation.system)
    for task in dict.fromkeys(attacker.tasks):
        assert attacker.client.delete(f"/task_result/{task}").status_code == 204
    for batch in attacker.batches:
        assert attacker.client.delete(f"/batches/{batch}").status_code == 204
    guest.run(WARM_UP)
    after = memory.now()
    with capsys.disabled():
        print(
            f"\n{REQUESTS} hostile requests; guest alone: p50 {statistics.median(alone):.3f} s, p95 "
            f"{p95(alone):.3f} s; beside: {len(seconds)} photos, p50 {statistics.median(seconds):.3f} s, "
            f"p95 {p95(seconds):.3f} s, max {max(seconds):.3f} s\nmemory in MB before {before}, at most "
            f"{memory.peaks}, after {after}\nends {ends}\n{hostile_requests.as_text(attacker.answers)}"
        )
    hostile_requests.assert_answered_well(attacker)
    assert p95(seconds) <= 2 * NOISE_FACTOR * p95(alone)
    assert memory.peaks["worker"] < MAX_WORKER_MB
    assert memory.peaks["gateway"] < MAX_GATEWAY_MB
    for name, size in after.items():
        assert size <= GIVEN_BACK * before[name] + 10, name
