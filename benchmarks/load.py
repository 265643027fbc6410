"""Run locust against a system started for it, or against ``--host``: ``make load``.

locust lives in a folder of its own (``build/load``): its many packages have no place beside the product's.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from benchmarks.running import ROOT, obscura

PACKAGES: Final = ROOT / "build" / "load"
RESULTS: Final = ROOT / "build" / "load_results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Load a system for a while; return locust's exit code, which is 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--host", help="URL of a running system; unset: one of its own")
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=120)
    chosen = parser.parse_args(arguments)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with nullcontext() if chosen.host else obscura() as server:
        host = chosen.host if server is None else f"http://127.0.0.1:{server.port}"
        command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))]
        command += ["--headless", "--only-summary", "--host", host, "--users", str(chosen.users)]
        command += ["--spawn-rate", "2", "--run-time", f"{chosen.seconds}s", "--stop-timeout", "60"]
        command += ["--csv", str(RESULTS / "load"), "--html", str(RESULTS / "load.html")]
        environment = {**os.environ, "PYTHONPATH": f"{PACKAGES}{os.pathsep}{ROOT}"}
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
