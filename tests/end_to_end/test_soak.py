"""Many photos in a row, as the seed's own clients post them."""

import base64
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import photos
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
CLIENTS = 8
POLL_S = 0.05


def process_tree(root: int) -> set[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found, todo = set(), [root]
    while todo:
        pid = todo.pop()
        found.add(pid)
        todo += children.get(pid, [])
    return found


def resident_mb(root: int) -> float:
    """Return the memory that a process tree has for itself, in MB (shared pages counted in parts)."""
    total = 0
    for pid in process_tree(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def some_photos(folder: Path | None) -> list[bytes]:
    """Return real photos where there are some, and compositions of the portrait otherwise."""
    if folder is not None:
        return [path.read_bytes() for path in sorted((folder / "images" / "val").iterdir())[:50]]
    sizes = itertools.product((2, 3), (1, 2), (160, 256))
    return [photos.encoded(photos.group(columns, rows, tile), quality=90) for columns, rows, tile in sizes]


def blur_like_the_seed(client: httpx.Client, photo: bytes) -> bool:
    """Post, poll until SUCCESS, decode; return whether all of it went well."""
    posted = client.post("/blur_faces", files={"file": ("photo.jpg", photo)})
    if posted.status_code != 200:
        return False
    task_id = posted.json()["task_id"]
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        body: dict[str, Any] = client.get(f"/task_result/{task_id}").json()
        if body["status"] == "SUCCESS":
            return len(base64.b64decode(body["result"], validate=True)) > 1000
        if body["status"] not in {"PENDING", "RUNNING"}:
            return False
        time.sleep(POLL_S)
    return False


def run(system: RunningSystem, pool_of_photos: list[bytes], number: int) -> list[bool]:
    """Blur ``number`` photos with eight clients at once."""
    work = list(itertools.islice(itertools.cycle(pool_of_photos), number))
    with httpx.Client(base_url=system.url, timeout=60) as client, ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda photo: blur_like_the_seed(client, photo), work))


@pytest.fixture
def several(request: pytest.FixtureRequest) -> list[bytes]:
    """Return the photos that are blurred in turn."""
    try:
        folder = request.getfixturevalue("shared_pack")("faces")
    except pytest.skip.Exception:
        folder = None
    return some_photos(folder)


def test_photos_in_a_row(system: RunningSystem, several: list[bytes]) -> None:
    """Eight clients at once: no failure."""
    assert all(run(system, several, 24))


@pytest.mark.slow
def test_memory_over_many_photos(
    tmp_path: Path, several: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """No failure; after the first quarter the memory of all processes together grows by at most a fifth."""
    number = 200
    system = RunningSystem("standalone", tmp_path / "data")
    try:
        system.wait_until_ready()
        assert all(run(system, several, number // 4))
        before = resident_mb(system.process.pid)
        began = time.monotonic()
        assert all(run(system, several, number - number // 4))
        seconds = time.monotonic() - began
        after = resident_mb(system.process.pid)
    finally:
        assert system.stop() == 0
    with capsys.disabled():
        rate = (number - number // 4) / seconds
        print(f"\n{number} photos: {before:.0f} MB -> {after:.0f} MB, {rate:.1f} photos/s")
    assert after <= 1.2 * before
