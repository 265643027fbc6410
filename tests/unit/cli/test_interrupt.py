"""Ctrl-C at any moment ends the command line without a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.photos import PORTRAIT, ROOT

ENDED = {130, -signal.SIGINT}
# The command line, which says when its first module has been loaded. Where the tests run in the background,
# their children would ignore Ctrl-C.
STARTED = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from obscura.cli.entry import main
os.write(1, b".")
main()
"""


@pytest.mark.parametrize("delay_s", [0.15, 0.4, 0.8, 1.6])
def test_an_interrupted_command_says_nothing_of_its_insides(tmp_path: Path, delay_s: float) -> None:
    """While libraries load, processes start and work; to all of them, as a terminal sends it."""
    for number in range(40):
        (tmp_path / f"{number}.jpg").write_bytes(PORTRAIT.read_bytes())
    words = [sys.executable, "-c", STARTED, "blur", str(tmp_path), "-o", str(tmp_path / "out")]
    words += ["--workers", "2", "--residual-check", "off"]
    command = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert command.stdout is not None
    # Before that, the interpreter itself is starting, which nothing of ours can guard.
    assert command.stdout.read(1) == b"."
    time.sleep(delay_s)
    os.killpg(command.pid, signal.SIGINT)
    time.sleep(0.3)
    if command.poll() is None:
        os.killpg(command.pid, signal.SIGINT)
    _, notes = command.communicate(timeout=60)
    assert b"Traceback" not in notes, notes.decode()
    assert command.returncode in ENDED
