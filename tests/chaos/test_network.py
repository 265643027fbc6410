"""Nobody is phoned: from the start to the last job nothing leaves this machine."""

import json
import subprocess
import sys

import pytest

from tests.system import ROOT

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]
UNSHARE = ["unshare", "--net", "--mount"]


@pytest.mark.parametrize(
    "jobs", [pytest.param(4, id="short"), pytest.param(100, id="full", marks=pytest.mark.slow)]
)
def test_nothing_leaves_this_machine(jobs: int) -> None:
    """In a network of its own: no name is looked up, no packet goes to any address but loopback."""
    try:
        allowed = subprocess.run(
            [*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, check=False
        )
    except FileNotFoundError as missing:
        pytest.skip(f"{missing.filename} is not installed")
    if allowed.returncode:
        pytest.skip("this user may make no network namespace")
    command = [*UNSHARE, sys.executable, "-m", "tests.chaos.isolated", str(jobs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    # The watch itself works: it saw the look-up and the connection that were made to test it.
    assert seen["self_test"]["names"] >= 1
    assert seen["self_test"]["packets"] >= 1
    assert seen["ends"] == {"SUCCESS": jobs}
    assert (seen["names"], seen["packets"]) == ([], {})
