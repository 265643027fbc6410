"""Starting, failing to start, surviving and stopping."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from obscura import errors
from obscura.contract import Pipeline
from tests.end_to_end.test_faceblur import finished
from tests.system import ROOT, STOP_S, RunningSystem, free_port

pytestmark = pytest.mark.end_to_end


def processes_of(data_dir: Path) -> set[int]:
    """Return the processes whose environment names this system's folder."""
    needle = str(data_dir.resolve()).encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (entry / "environ").read_bytes() or needle in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found - {os.getpid()}


def wait_until_gone(data_dir: Path, seconds: float) -> set[int]:
    """Return the processes of a system that are left after at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(data_dir)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc on this machine")


def assert_all_ends(running: RunningSystem, number: signal.Signals) -> None:
    """Assert that a signal ends the whole tree with exit code 0, and that nothing of it is left."""
    assert len(processes_of(running.data_dir)) >= 4
    running.process.send_signal(number)
    assert running.process.wait(STOP_S) == 0
    assert wait_until_gone(running.data_dir, STOP_S) == set()
    running.stop()


@needs_proc
def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    """Even SIGKILL of the first process ends all others."""
    running = RunningSystem("standalone", tmp_path / "data")
    running.wait_until_ready()
    running.process.kill()
    running.stop()
    assert wait_until_gone(running.data_dir, STOP_S) == set()


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("pipeline", Pipeline)
def test_killed_workers_lose_no_photo(tmp_path: Path, portrait: Path, pipeline: Pipeline) -> None:
    """With every worker process killed under load, each accepted job still ends in SUCCESS."""
    running = RunningSystem("standalone", tmp_path / "data", settings={"OBSCURA_PIPELINE": pipeline})
    running.wait_until_ready()
    with httpx.Client(base_url=running.url, timeout=60) as client:
        photo = portrait.read_bytes()
        tasks = [client.post("/blur", files={"file": photo}).json()["task_id"] for _ in range(20)]
        children = [
            int(line.split()[0])
            for line in subprocess.run(
                ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
            ).stdout.splitlines()
            if "standalone.child worker" in line
        ]
        own = sorted(set(children) & processes_of(running.data_dir))
        # The first is the parent; its children do the work.
        for pid in own[1:]:
            os.kill(pid, signal.SIGKILL)
        assert {finished(client, task)["status"] for task in tasks} == {"SUCCESS"}
    assert running.stop() == 0


@needs_proc
def test_a_killed_broker_loses_no_photo_and_ctrl_c_ends_all(tmp_path: Path, portrait: Path) -> None:
    """With the broker killed under load it comes back, and each accepted job ends in SUCCESS.

    Ctrl-C then ends the whole tree with exit code 0. (SIGTERM: `tests/chaos/test_kills.py`.)
    """
    running = RunningSystem("standalone", tmp_path / "data")
    running.wait_until_ready()
    with httpx.Client(base_url=running.url, timeout=60) as client:
        photo = portrait.read_bytes()
        tasks = [client.post("/blur", files={"file": photo}).json()["task_id"] for _ in range(12)]
        for pid in processes_of(running.data_dir):
            if b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
                os.kill(pid, signal.SIGKILL)
        refused = client.post("/blur", files={"file": photo})
        assert refused.status_code in {200, 503}
        wait_until_ready(client)
        assert {finished(client, task)["status"] for task in tasks} == {"SUCCESS"}
        assert client.get("/readyz").status_code == 200
    assert_all_ends(running, signal.SIGINT)


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until the gateway has its ledger back."""
    deadline = time.monotonic() + STOP_S
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_port_in_use_is_a_clear_error(system: RunningSystem, tmp_path: Path) -> None:
    """The message names the port; nothing is started."""
    command = [
        sys.executable,
        "-m",
        "standalone",
        "--port",
        str(system.port),
        "--data-dir",
        str(tmp_path / "d"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STOP_S, check=False)
    assert done.returncode == 1
    assert str(system.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_in_use_is_a_clear_error(system: RunningSystem) -> None:
    """Two systems never share a folder."""
    command = [
        sys.executable,
        "-m",
        "standalone",
        "--port",
        str(free_port()),
        "--data-dir",
        str(system.data_dir),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STOP_S, check=False)
    assert done.returncode == 1
    assert "another Obscura" in done.stderr


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """A file in the way is named, without a traceback."""
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "data"
    command = [sys.executable, "-m", "standalone", "--port", str(free_port()), "--data-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STOP_S, check=False)
    assert done.returncode == 1
    assert str(folder) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("spoil", "code"),
    [("missing", errors.ModelMissingError.code), ("corrupt", errors.ModelCorruptError.code)],
)
def test_wrong_weights_are_a_clear_error_at_start(tmp_path: Path, spoil: str, code: str) -> None:
    """Missing or altered weights end the start with a message that names the file."""
    models = tmp_path / "models"
    models.mkdir()
    for path in (ROOT / "models").glob("*"):
        if path.is_file():
            (models / path.name).write_bytes(path.read_bytes())
    weights = models / "plate-yolov8n.onnx"
    if spoil == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    environment = {**os.environ, "OBSCURA_MODELS_DIR": str(models), "OBSCURA_LOG_LEVEL": "warning"}
    command = [
        sys.executable,
        "-m",
        "standalone",
        "--port",
        str(free_port()),
        "--data-dir",
        str(tmp_path / "d"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 1
    assert code in done.stderr
    assert "plate-yolov8n.onnx" in done.stderr
    assert "Traceback" not in done.stderr
