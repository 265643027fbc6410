"""Compare speed and recall with peers on the same labelled photos, alternating within one run.

``python -m benchmarks.beside`` takes labelled validation photos of faces as JPEG files and has them hidden by
the whole system over HTTP (rapid, fast and balanced), by the legacy baseline over HTTP, and by the
package deface in two processes without any service. What each of them finds on those photos is evaluated by
`obscura.evaluation`.
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.material import QUALITY, material
from benchmarks.peers.deface_blur import PACKAGES
from benchmarks.peers.seed_shape import SeedShape, fixed_network
from benchmarks.running import ROOT, Client, Server, Shape, free_port, load, obscura, wait_until_ready
from benchmarks.whole import FloorProcess, side_by_side
from obscura.cli.evaluate import Ours
from obscura.contract import ObjectClass, Quality
from obscura.detection.loading import load_for
from obscura.evaluation.comparison import compare
from obscura.evaluation.labels import label_photos
from obscura.evaluation.peers import Peer, open_peer
from obscura.evaluation.report import FACE_BINS
from obscura.evaluation.summary import Rules, summarise
from obscura.redaction.regions import GROW
from obscura.settings import Settings

CLIENTS = 8
WARM_UP = 3
"""Turns of each before the first that counts: every process has to meet every size of photo once."""

SIDE = 1600
"""Long side to which the photos are brought: what a marketplace's sellers send is not smaller."""


def labelled(folder: Path, count: int, side: int) -> list[Path]:
    """Write ``count`` labelled photos with faces as JPEG files, with their labels beside; return them.

    ``side`` is the length of their longer sides in pixels.
    """
    chosen: list[Path] = []
    every = [path for path in material().photos if "faces" in path.parts]
    for source in every[:: max(1, len(every) // (count * 2))]:
        label = Path(str(source).replace("/images/", "/labels/")).with_suffix(".txt")
        if len(chosen) < count and label.is_file() and label.read_text().strip():
            target = folder / f"{source.stem}.jpg"
            with Image.open(source) as photo:
                picture = photo.convert("RGB")
            scale = side / max(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            picture.resize(size, Image.Resampling.LANCZOS).save(target, quality=QUALITY)
            (folder / f"{source.stem}.txt").write_text(label.read_text())
            chosen.append(target)
    return chosen


class SeedClient(Client):
    """A client of the legacy API: it polls."""

    def fetch(self, task: str) -> bytes:
        """Poll every 20 ms, which is far more often than the legacy system's own script does."""
        import time  # noqa: PLC0415 - only this client sleeps

        while True:
            answer = json.loads(self._call("GET", f"/task_result/{task}"))
            if answer["status"] == "SUCCESS":
                return base64.b64decode(answer["result"])
            time.sleep(0.02)


@contextmanager
def seed_shape(threads: int) -> Iterator[Server]:
    """Start the legacy baseline, and stop it; 0 threads: OpenCV's default."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="seed-shape-") as folder:
        command = [sys.executable, "-m", "benchmarks.peers.seed_shape", "serve", str(port), folder]
        command += ["--threads", str(threads)]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            wait_until_ready(port, process)
            yield Server(port, process)
        finally:
            process.terminate()
            process.wait(60)


class DefaceProcess(FloorProcess):
    """deface in a process with one core to itself, so that it takes one thread."""

    def __init__(self, files: Sequence[Path], core: int) -> None:
        self._process = subprocess.Popen(
            [
                "/usr/bin/env",
                "taskset",
                "-c",
                str(core),
                sys.executable,
                "-m",
                "benchmarks.peers.deface_blur",
                *map(str, files),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


Turn = Callable[[], dict[str, float]]


def _service(server: Server, data: Sequence[bytes], shape: Shape, kind: type[Client]) -> dict[str, float]:
    done = load(server, data, len(data), CLIENTS, shape, kind)
    return {"cpu_ms": done.cpu_ms, "per_s": done.per_second}


def _deface(both: Sequence[FloorProcess], count: int) -> dict[str, float]:
    cpu_ms, per_s = side_by_side(both, count)
    return {"cpu_ms": cpu_ms, "per_s": per_s}


def speeds(files: Sequence[Path], rounds: int) -> dict[str, dict[str, Any]]:
    """Return CPU milliseconds and photos per second of each, by name: medians and all rounds."""
    data = [file.read_bytes() for file in files]
    rapid, fast, balanced = (
        Shape("/blur_faces", {"quality": quality.value})
        for quality in (Quality.RAPID, Quality.FAST, Quality.BALANCED)
    )
    with ExitStack() as stack:
        ours = stack.enter_context(obscura())
        bare = stack.enter_context(obscura({"OBSCURA_REVIEW": "false"}))
        seed = stack.enter_context(seed_shape(0))
        tuned = stack.enter_context(seed_shape(1))
        both = [DefaceProcess(files, core) for core in sorted(os.sched_getaffinity(0))[:2]]
        for peer in both:
            stack.callback(peer.close)
            peer.line()
        turns: Mapping[str, Turn] = {
            "obscura rapid": partial(_service, ours, data, rapid, Client),
            "obscura rapid, no residual check": partial(_service, bare, data, rapid, Client),
            "obscura fast": partial(_service, ours, data, fast, Client),
            "obscura fast, no residual check": partial(_service, bare, data, fast, Client),
            "legacy design": partial(_service, seed, data, Shape("/blur_faces"), SeedClient),
            "legacy design, one thread a process": partial(
                _service, tuned, data, Shape("/blur_faces"), SeedClient
            ),
            "obscura balanced": partial(_service, ours, data, balanced, Client),
            "deface": partial(_deface, both, 4),
        }
        for turn in list(turns.values()) * WARM_UP:
            turn()
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in turns}
        for _ in range(rounds):
            for name, turn in turns.items():
                seen[name].append(turn())
    return {
        name: {
            **{key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]},
            "rounds": [{key: round(value, 2) for key, value in row.items()} for row in rows],
        }
        for name, rows in seen.items()
    }


def recalls(folder: Path, files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return recall and precision of each at its own threshold, on the same photos."""
    sys.path.append(str(PACKAGES))
    settings = Settings()
    detector = load_for(settings, ObjectClass.FACE, 1)
    peers: list[Peer] = [
        Ours("obscura", Quality.RAPID, detector),
        Ours("obscura", Quality.FAST, detector),
        Ours("obscura", Quality.BALANCED, detector),
        SeedShape(fixed_network(folder), 1),
        open_peer("deface", "face"),
    ]
    data = label_photos([(file, Path(file.name)) for file in files], folder, None)
    compared = compare(data.photos, peers, lambda path: np.asarray(Image.open(path).convert("RGB")))
    rules = Rules(FACE_BINS, 0.5, GROW)
    answer: dict[str, dict[str, Any]] = {}
    for peer, photos, cpu_ms in zip(peers, compared.seen, compared.cpu_ms, strict=True):
        summary = summarise(peer.name, photos, rules, peer.default_score, cpu_ms)
        answer[peer.name] = summary.as_dict()
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print speeds and recalls as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--labelled", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=SIDE, help="long side of the photos, in pixels")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        folder = Path(name)
        files = labelled(folder, chosen.labelled, chosen.side)
        if not files:
            parser.error("no labelled photos: unpack faces.tar and plates.tar into build/photos")
        answer = {"speed": speeds(files[: chosen.photos], chosen.rounds), "recall": recalls(folder, files)}
    print(json.dumps(answer, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
