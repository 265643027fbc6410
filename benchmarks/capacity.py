"""Capacity model from measured costs: ``python -m benchmarks.capacity``.

The model is one line per resource; `docs/explanation/capacity.md` tells where each cost was measured and what
it leaves out. Other costs can be given: ``--costs FILE`` with the keys of `Costs`.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

DAY_S: Final = 86_400
GIB: Final = 2**30
HEADROOM: Final = 0.7
"""Share of a resource that is planned for: queues grow without bound towards 1."""

PEAK: Final = 2.0
"""Busiest hour over the day's mean, as a marketplace has it."""


@dataclass(frozen=True)
class Costs:
    """What one photo costs; CPU in milliseconds of one core, traffic in bytes and calls.

    Attributes
    ----------
    worker_ms, gateway_ms, broker_ms
        CPU of each role per photo.
    photo_bytes, result_bytes
        Length of a photo and of its result.
    broker_calls, broker_bytes
        Commands to Valkey and bytes through it per photo.
    row_bytes
        Memory of Valkey per job that is not forgotten yet.
    broker_calls_per_s
        Commands that one Valkey does on one core.
    result_ttl_s
        Seconds that results and rows are kept.
    """

    worker_ms: float = 110.0
    gateway_ms: float = 8.0
    broker_ms: float = 3.0
    photo_bytes: int = 450_000
    result_bytes: int = 440_000
    broker_calls: int = 61
    broker_bytes: int = 16_000
    row_bytes: int = 4_600
    broker_calls_per_s: int = 60_000
    result_ttl_s: int = 3_600


@dataclass(frozen=True)
class Need:
    """Resources for a rate; whole cores, with headroom."""

    per_s: float
    worker_cores: int
    gateway_cores: int
    broker_cores: float
    broker_mbit_s: float
    broker_memory_gib: float
    storage_gib: float
    storage_write_mb_s: float
    storage_read_mb_s: float
    first_wall: str


def need(per_s: float, costs: Costs) -> Need:
    """Return what ``per_s`` photos a second, at their peak, need."""
    kept = per_s * costs.result_ttl_s
    broker = max(costs.broker_ms / 1000, costs.broker_calls / costs.broker_calls_per_s) * per_s
    return Need(
        per_s=round(per_s, 1),
        worker_cores=_cores(per_s * costs.worker_ms / 1000),
        gateway_cores=_cores(per_s * costs.gateway_ms / 1000),
        broker_cores=round(broker / HEADROOM, 2),
        broker_mbit_s=round(per_s * costs.broker_bytes * 8 / 1e6, 1),
        broker_memory_gib=round(kept * costs.row_bytes / GIB, 2),
        storage_gib=round(kept * costs.result_bytes / GIB, 1),
        storage_write_mb_s=round(per_s * (costs.photo_bytes + costs.result_bytes) / 1e6, 1),
        # The worker reads the photo, a client its result.
        storage_read_mb_s=round(per_s * (costs.photo_bytes + costs.result_bytes) / 1e6, 1),
        first_wall=_wall(broker / HEADROOM, per_s, costs),
    )


def _cores(busy: float) -> int:
    return max(1, math.ceil(busy / HEADROOM))


def _wall(broker: float, per_s: float, costs: Costs) -> str:
    """Return the first bottleneck at this rate: Valkey does everything on one thread."""
    if broker > 1:
        shards = math.ceil(broker)
        return f"Valkey's one thread: {shards} independent systems behind one balancer"
    most = HEADROOM / max(costs.broker_ms / 1000, costs.broker_calls / costs.broker_calls_per_s)
    return f"none yet; Valkey's one thread at {most:.0f} photos/s ({most / per_s:.1f} times this)"


def cores_bound(cores: int, costs: Costs) -> float:
    """Return how many photos a second ``cores`` do together when nothing else is in their way."""
    return cores * 1000 / (costs.worker_ms + costs.gateway_ms + costs.broker_ms)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the needs of three scales."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--costs", type=Path, help="JSON with costs that differ")
    chosen = parser.parse_args(arguments)
    given = json.loads(chosen.costs.read_text(encoding="utf-8")) if chosen.costs else {}
    unknown = set(given) - {field.name for field in fields(Costs)}
    if unknown:
        print(f"unknown costs: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    costs = Costs(**given)
    scales = {
        "104 photos/s": 104.0,
        "1 million a day": 1e6 / DAY_S * PEAK,
        "100 million a day": 1e8 / DAY_S * PEAK,
    }
    print(json.dumps({name: asdict(need(rate, costs)) for name, rate in scales.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
