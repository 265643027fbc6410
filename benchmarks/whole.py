"""Compare the whole system with its floor, alternating within one run.

``python -m benchmarks.whole --megapixels 2 --clients 8`` starts a system and two floor processes, lets them
take turns over the same photos, and prints medians and spread of their ratios. Wall times on a shared machine
are noise; CPU times and ratios within one round are what counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.floor import Asked
from benchmarks.material import SIZES, photos
from benchmarks.running import ROOT, Load, Server, Shape, load, obscura
from obscura.contract import ObjectClass, Quality


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    megapixels: str = "2"
    clients: int = 8
    asked: Asked = field(default_factory=Asked)
    rounds: int = 5
    count: int = 24

    @property
    def shape(self) -> Shape:
        """How the system is asked for it."""
        classes = self.asked.classes
        path = "/blur" if len(classes) > 1 else f"/blur_{classes[0].value}s"
        return Shape(path, {"quality": self.asked.quality.value})


class FloorProcess:
    """One floor, waiting for rounds."""

    def __init__(self, asked: Asked, files: Sequence[Path]) -> None:
        command = [sys.executable, "-m", "benchmarks.floor", *asked.arguments(), "--photos", *map(str, files)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        return self._process.stdout.readline()

    def begin(self, count: int) -> None:
        """Start a round of ``count`` photos."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, float]:
        """Wait for the end of the round."""
        return dict(json.loads(self.line()))

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def floors(asked: Asked, data: Sequence[bytes]) -> Iterator[tuple[FloorProcess, FloorProcess]]:
    """Start two floors, warm."""
    with tempfile.TemporaryDirectory(prefix="obscura-floor-") as folder:
        files = [Path(folder, f"{number}.jpg") for number in range(len(data))]
        for file, photo in zip(files, data, strict=True):
            file.write_bytes(photo)
        both = (FloorProcess(asked, files), FloorProcess(asked, files))
        try:
            for floor in both:
                floor.line()
            yield both
        finally:
            for floor in both:
                floor.close()


def side_by_side(both: Sequence[FloorProcess], count: int) -> tuple[float, float]:
    """Return CPU milliseconds per photo and photos per second of two floors at work at once."""
    began = time.perf_counter()
    for floor in both:
        floor.begin(count // 2)
    cpu = [floor.end()["cpu_ms"] for floor in both]
    return statistics.mean(cpu), count / (time.perf_counter() - began)


def measured(plan: Plan, server: Server, data: Sequence[bytes]) -> dict[str, Any]:
    """Return what the system and its floor cost in turns."""
    rows: list[dict[str, Any]] = []
    with floors(plan.asked, data) as both:
        load(server, data, max(len(data), 8), plan.clients, plan.shape)
        for number in range(plan.rounds):
            # Who begins changes, so that a drift of the machine falls on both.
            if number % 2:
                floor, done = side_by_side(both, plan.count), _loaded(plan, server, data)
            else:
                done, floor = _loaded(plan, server, data), side_by_side(both, plan.count)
            rows.append(_row(floor, done))
    return {"plan": _named(plan), **summary(rows)}


def _loaded(plan: Plan, server: Server, data: Sequence[bytes]) -> Load:
    return load(server, data, plan.count, plan.clients, plan.shape)


def _row(floor: tuple[float, float], done: Load) -> dict[str, Any]:
    return {
        "floor_cpu_ms": floor[0],
        "floor_per_s": floor[1],
        "cpu_ms": done.cpu_ms,
        "per_s": done.per_second,
        "cpu_ratio": done.cpu_ms / floor[0],
        "wall_ratio": done.per_second / floor[1],
        "p50_ms": statistics.median(done.latencies_s) * 1000,
        **{f"{role}_cpu_ms": spent * 1000 / done.count for role, spent in done.cpu_s.items()},
        **{f"{role}_peak_mb": used.peak_mb for role, used in done.memory.items()},
    }


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the median of every column, and the spread of the ratios."""
    medians = {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
    spread = {
        f"{key}_range": [round(min(row[key] for row in rows), 3), round(max(row[key] for row in rows), 3)]
        for key in ("cpu_ratio", "wall_ratio")
    }
    return {**medians, **spread}


def _named(plan: Plan) -> dict[str, Any]:
    return {
        "megapixels": plan.megapixels,
        "clients": plan.clients,
        "classes": [item.value for item in plan.asked.classes],
        "quality": plan.asked.quality.value,
        "review": plan.asked.review,
        "rounds": plan.rounds,
        "photos_a_round": plan.count,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one plan and print it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__)
    parser.add_argument("--megapixels", choices=sorted(SIZES), default="2")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--classes", nargs="+", type=ObjectClass, default=list(ObjectClass))
    parser.add_argument("--quality", type=Quality, default=Quality.BALANCED)
    parser.add_argument("--no-review", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--pipeline", default="fused")
    chosen = parser.parse_args(arguments)
    asked = Asked(tuple(chosen.classes), chosen.quality, not chosen.no_review)
    plan = Plan(chosen.megapixels, chosen.clients, asked, chosen.rounds, chosen.count)
    data = photos(plan.megapixels, 8)
    settings = {
        "OBSCURA_PIPELINE": chosen.pipeline,
        "OBSCURA_RESIDUAL_CHECK": "quick" if asked.review else "off",
    }
    with obscura(settings) as server:
        print(json.dumps(measured(plan, server, data), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
