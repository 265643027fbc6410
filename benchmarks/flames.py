"""Flame graphs of the gateway and of worker processes under load.

``python -m benchmarks.flames FOLDER`` needs py-spy (``uv pip install --target build/tools py-spy``): it
samples running processes from outside, without changing them. Small photos at the fast quality, so that work
outside the networks shows.
"""

import argparse
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.material import photos
from benchmarks.processes import roles, usage
from benchmarks.running import ROOT, Server, Shape, load, obscura

SECONDS = 25
RATE = 200


def subjects(server: Server) -> dict[str, int]:
    """Return the processes to profile: gateway, a worker's first process, its busiest child."""
    found = roles(server.process.pid)
    workers = sorted(found["worker"])
    busiest = max(workers[1:], key=lambda pid: usage([pid]).cpu_s)
    return {"gateway": found["gateway"][0], "worker_parent": workers[0], "worker": busiest}


def record(folder: Path, server: Server) -> None:
    """Profile all processes at once, while the load runs."""
    tool = ROOT / "build" / "tools" / "bin" / "py-spy"
    processes = [
        subprocess.Popen(
            [
                *(str(tool), "record", "--pid", str(pid), "-d", str(SECONDS), "-r", str(RATE)),
                *("-f", "flamegraph", "-o", str(folder / f"flame_{name}.svg"), "--nonblocking"),
            ]
        )
        for name, pid in subjects(server).items()
    ]
    for process in processes:
        process.wait(SECONDS * 4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Put load on a system and profile it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flames", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megapixels", default="0.3")
    parser.add_argument("--quality", default="fast")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    data = photos(chosen.megapixels, 8)
    shape = Shape("/blur", {"quality": chosen.quality})
    with obscura() as server:
        load(server, data, 16, 8, shape)
        painter = threading.Thread(target=record, args=(chosen.folder, server))
        painter.start()
        while painter.is_alive():
            done = load(server, data, 40, 8, shape)
            print({role: round(spent * 1000 / done.count, 1) for role, spent in done.cpu_s.items()})
        painter.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
