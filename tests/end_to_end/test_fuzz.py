"""schemathesis, with all of its checks, on everything that the live description names.

The description is read from the running system: a route that is added is tried by that alone. ``make fuzz``
runs it at full length.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.test_faceblur import finished
from tests.photos import PORTRAIT
from tests.system import ROOT, RunningSystem

pytestmark = pytest.mark.end_to_end
FULL = int(os.environ.get("OBSCURA_FUZZ_EXAMPLES", "100"))
LONG_S = 3600
KEYS = """
[auth.openapi.bearer]
bearer = "${FUZZ_KEY}"

[auth.openapi.header]
api_key = "${FUZZ_KEY}"
"""


def has_only_errors_of_the_tool(report: str) -> bool:
    """Return whether a report has no failure, and no error but one of schemathesis 4.32 itself.

    It sometimes ends the spoiling of an operation's forms when it validates a file that it has moved. The
    requests that it had sent until then count.
    """
    kinds = re.search(r"^Errors:\n((?: .*\n)+)", report, re.MULTILINE)
    error = kinds and re.fullmatch(r" +\S+ Runtime Error: (\d+)\n", kinds[1])
    # Its message stands above and below the traceback.
    all_known = error is not None and report.count("Unsupported type: 'Binary'") == 2 * int(error[1])
    return all_known and "Failures:\n" not in report


def fuzz(url: str, folder: Path, *options: str, key: str | None = None) -> None:
    """Try every operation; fail with the report where one broke a promise, or was left out."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--continue-on-failure", "--no-color", *options]
    # Who asks with wait=30 for a task that is far back in the queue gets an answer after 30 s.
    command += ["--max-response-time", "120"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(ROOT)}
    # Run elsewhere: its notes of earlier failures do not belong into the checkout.
    place = Path(shutil.copy(ROOT / "tests" / "fuzz" / "schemathesis.toml", folder))
    if key is not None:
        # By scheme: the tool then knows when it sends a wrong key of its own instead.
        place.write_text(place.read_text() + KEYS)
        environment["FUZZ_KEY"] = key
        # It mutates headers, and then puts the key over what it mutated. Without keys all checks run.
        command += ["--exclude-checks", "negative_data_rejection"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=LONG_S, check=False
    )
    report = done.stdout.decode(errors="replace")
    is_sound = done.returncode == 0 or has_only_errors_of_the_tool(report)
    assert is_sound, report + done.stderr.decode(errors="replace")
    described = httpx.get(f"{url}/openapi.json").json()["paths"].values()
    number = sum(len(operations) for operations in described)
    assert f"Selected: {number}/{number}" in report
    assert f"Tested: {number}" in report


def test_no_request_breaks_a_promise_of_the_description(system_url: str, tmp_path: Path) -> None:
    """Each value at its bounds and beyond: no fault, nothing undocumented, the right ones accepted.

    The same requests every time: what chance comes upon is for `make fuzz`.
    """
    fuzz(system_url, tmp_path, "--phases", "coverage")
    # Other tests look into the same system's storage: what was asked for here has to have ended.
    with httpx.Client(base_url=system_url, timeout=60) as client:
        last = client.post("/blur", files={"file": PORTRAIT.read_bytes()}, data={"priority": "bulk"})
        assert finished(client, last.json()["task_id"])["status"] == "SUCCESS"


@pytest.fixture(params=["off", "on"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningSystem]:
    """Start a system of this test's own, without keys and with, that takes as much as comes."""
    many = "1000000"
    settings = {
        "OBSCURA_API_KEYS": request.param,
        "OBSCURA_RATE_LIMIT": "0",
        "OBSCURA_ADDRESS_RATE_LIMIT": "0",
        "OBSCURA_QUEUE_LIMIT": many,
        "OBSCURA_BULK_QUEUE_LIMIT": many,
        "OBSCURA_VIDEO_QUEUE_LIMIT": many,
        "OBSCURA_RESIDUAL_CHECK": "off",
    }
    running = RunningSystem("standalone", tmp_path / "data", settings=settings)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


@pytest.mark.slow
@pytest.mark.timeout(LONG_S)
def test_a_hundred_requests_per_operation(fresh: RunningSystem, tmp_path: Path) -> None:
    """At full length; where keys are asked for, also that each operation insists on one."""
    words = ["-m", "obscura.cli", "keys", "create", "fuzz", "--data-dir", str(fresh.data_dir)]
    words += ["--scopes", "submit,read,admin"]
    made = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    asks = "securitySchemes" in httpx.get(f"{fresh.url}/openapi.json").text
    key = made.stdout.strip() if asks else None
    # Without its phase of examples: it puts all into one request, and they exclude each other.
    phases = ("--phases", "coverage,fuzzing,stateful")
    fuzz(fresh.url, tmp_path, *phases, "--max-examples", str(FULL), key=key)
