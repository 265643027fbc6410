"""The health check of the images, tried on a running system and on what it must notice."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.system import RunningSystem

SCRIPT = Path(__file__).parents[2] / "deploy" / "image" / "healthy"
BASH = shutil.which("bash") or "bash"
HALVES = ("ready", "consuming")


def healthy(*arguments: str, folder: Path | None = None) -> int:
    """Return the exit code of the check, run with nothing but what a container gives it."""
    environment = {"PATH": os.environ["PATH"]} | ({"OBSCURA_HEARTBEAT_DIR": str(folder)} if folder else {})
    return subprocess.run(
        [BASH, str(SCRIPT), *arguments], env=environment, check=False, capture_output=True
    ).returncode


@pytest.mark.end_to_end
def test_a_running_worker_and_gateway_are_healthy(system: RunningSystem) -> None:
    """A worker leaves fresh heartbeats of both kinds; the gateway answers."""
    assert {path.name for path in system.heartbeats.iterdir()} == set(HALVES)
    assert healthy("worker", "120", folder=system.heartbeats) == 0
    assert healthy("gateway", str(system.port)) == 0


@pytest.mark.parametrize("half", HALVES)
def test_a_worker_of_which_half_is_stale_is_ill(half: str, tmp_path: Path) -> None:
    """A model that is not loaded, or a consumer that fetches nothing, each count alone; so does no file."""
    for name in HALVES:
        (tmp_path / name).touch()
    assert healthy("worker", "60", folder=tmp_path) == 0
    old = time.time() - 600
    os.utime(tmp_path / half, (old, old))
    assert healthy("worker", "60", folder=tmp_path) == 1
    assert healthy("worker", "3600", folder=tmp_path) == 0
    (tmp_path / half).unlink()
    assert healthy("worker", "3600", folder=tmp_path) == 1


def test_a_gateway_that_is_not_there_is_ill() -> None:
    """Nobody listens: the check fails, and at once."""
    with socket.socket() as held:
        # Bound and not listening: nobody else gets the port meanwhile.
        held.bind(("127.0.0.1", 0))
        assert healthy("gateway", str(held.getsockname()[1])) == 1


def test_the_check_says_what_it_can_be_asked() -> None:
    """An unknown kind is an error of its own, not an illness."""
    assert healthy("database") == 2
