"""A constant stream of photos: latency, memory and failures by the minute.

``python -m benchmarks.soak --minutes 30`` starts a system of its own, measures its capacity with
clients that wait for their photos, and then sends photos at ``--share`` of that, each at its time whether or
not the ones before are done. Every minute it prints a line; at the end it writes ``soak.json`` and three
pictures into ``--out``. It exits with 1 if any answer was a 5xx, a photo failed, or a connection broke.
"""

import argparse
import http.client
import itertools
import json
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.curves import curves
from benchmarks.material import SIZES, photos
from benchmarks.processes import roles, usage
from benchmarks.running import BOUNDARY, Server, Shape, form, load, obscura

MINUTE_S: Final = 60.0
SAMPLE_S: Final = 5.0
CALLERS: Final = 128
WAIT_S: Final = 20
IDLE_S: Final = 15.0
GIVE_UP_S: Final = 300.0
KINDS: Final = ("POST", "GET status", "GET picture", "photo done")
SERVER_ERRORS: Final = range(500, 600)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: when it was asked for in seconds of the run, what it was, seconds it took, status."""

    at_s: float
    kind: str
    seconds: float
    status: int


@dataclass(frozen=True)
class Plan:
    """A run: photos a second, seconds, and the request for each."""

    per_s: float
    seconds: float
    shape: Shape = field(default_factory=Shape)


@dataclass
class Seen:
    """What a run saw; appended to by many threads."""

    answers: list[Answer] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, str, float]] = field(default_factory=list)
    late_s: float = 0.0


class Caller:
    """Sends one photo after another over a connection of its own for each thread."""

    def __init__(self, port: int, shape: Shape, seen: Seen) -> None:
        self._port, self._shape, self._seen = port, shape, seen
        self._local = threading.local()
        self.began = time.perf_counter()

    def photo(self, body: bytes) -> None:
        """Hand a photo in, wait for its end, ask for its state once more, and fetch the picture."""
        came = time.perf_counter()
        try:
            status, text = self._ask("POST", self._shape.path, body)
            if status != http.HTTPStatus.OK:
                return
            task = json.loads(text)["task_id"]
            if not self._ended(task, came + GIVE_UP_S):
                return
            self._note("photo done", came, int(http.HTTPStatus.OK))
            self._ask("GET status", f"/task_result/{task}")
            self._ask("GET picture", f"/task_result/{task}/image")
        except (OSError, http.client.HTTPException) as error:
            self._local.connection = None
            self._seen.troubles[f"connection: {type(error).__name__}"] += 1

    def _ended(self, task: str, deadline: float) -> bool:
        while time.perf_counter() < deadline:
            status, text = self._ask("", f"/task_result/{task}?wait={WAIT_S}")
            state = json.loads(text).get("status") if status == http.HTTPStatus.OK else f"status {status}"
            if state == "SUCCESS":
                return True
            if status != http.HTTPStatus.OK or state == "FAILURE":
                self._seen.troubles[f"photo: {state}"] += 1
                return False
        self._seen.troubles["photo: no end"] += 1
        return False

    def _ask(self, kind: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        # A gateway closes connections that are idle for half a minute.
        if connection is None or time.perf_counter() - self._local.used > IDLE_S:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=GIVE_UP_S)
            self._local.connection = connection
        began = time.perf_counter()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        self._local.used = time.perf_counter()
        if kind:
            self._note(kind, began, answer.status)
        elif answer.status in SERVER_ERRORS:
            self._note("GET status", began, answer.status)
        return answer.status, text

    def _note(self, kind: str, began: float, status: int) -> None:
        now = time.perf_counter()
        self._seen.answers.append(Answer(began - self.began, kind, now - began, status))


def _sample(server: Server, began: float, seen: Seen, stop: threading.Event) -> None:
    """Note the memory of every process every few seconds."""
    while not stop.wait(SAMPLE_S):
        now = time.perf_counter() - began
        for role, pids in roles(server.process.pid).items():
            for pid in pids:
                resident = usage([pid]).memory_mb
                if resident:
                    seen.memory.append((now, f"{role} {pid}", resident))


def run(server: Server, bodies: Sequence[bytes], plan: Plan) -> Seen:
    """Send photos at the plan's rate, and return what was seen once the last of them has ended."""
    seen = Seen()
    caller = Caller(server.port, plan.shape, seen)
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(server, caller.began, seen, stop), daemon=True)
    sampler.start()
    told = MINUTE_S
    with ThreadPoolExecutor(CALLERS) as pool:
        for number, body in enumerate(itertools.cycle(bodies)):
            due = number / plan.per_s
            if due >= plan.seconds:
                break
            early = due - (time.perf_counter() - caller.began)
            time.sleep(max(0.0, early))
            seen.late_s = max(seen.late_s, -early)
            pool.submit(caller.photo, body)
            if due >= told:
                ended = int(told / MINUTE_S) - 1
                print(json.dumps(minutes(seen)[ended : ended + 1]), flush=True)
                told += MINUTE_S
    stop.set()
    sampler.join()
    return seen


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def minutes(seen: Seen) -> list[dict[str, Any]]:
    """Return a row per minute: answers, p50 and p95 of each kind in ms, memory of each process in MiB."""
    answers, memory = list(seen.answers), list(seen.memory)
    last = int(max((answer.at_s for answer in answers), default=0.0) / MINUTE_S)
    rows = []
    for minute in range(last + 1):
        row: dict[str, Any] = {"minute": minute + 1}
        here = [answer for answer in answers if int(answer.at_s / MINUTE_S) == minute]
        for kind in KINDS:
            times = [answer.seconds * 1000 for answer in here if answer.kind == kind]
            if times:
                row[kind] = {
                    "count": len(times),
                    "p50_ms": round(statistics.median(times), 1),
                    "p95_ms": round(_quantile(times, 0.95), 1),
                }
        resident: dict[str, float] = {}
        for at_s, name, value in memory:
            if int(at_s / MINUTE_S) == minute:
                resident[name] = max(value, resident.get(name, 0.0))
        row["rss_mb"] = {name: round(value, 1) for name, value in sorted(resident.items())}
        rows.append(row)
    return rows


def _growth(values: Sequence[float]) -> float | None:
    """Return the median of the last third over that of the first, the first value left out as warm-up."""
    steady = values[1:]
    third = len(steady) // 3
    if third == 0:
        return None
    return round(statistics.median(steady[-third:]) / statistics.median(steady[:third]), 3)


def verdict(seen: Seen, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return statuses, troubles, and how much each p95 and the memory of each process grew."""
    statuses = Counter(str(answer.status) for answer in seen.answers if answer.kind != "photo done")
    names = {name for row in rows for name in row["rss_mb"]}
    return {
        "statuses": dict(sorted(statuses.items())),
        "server_errors": sum(answer.status in SERVER_ERRORS for answer in seen.answers),
        "troubles": dict(seen.troubles),
        "p95_growth": {kind: _growth([row[kind]["p95_ms"] for row in rows if kind in row]) for kind in KINDS},
        "rss_growth": {
            name: _growth([row["rss_mb"][name] for row in rows if name in row["rss_mb"]])
            for name in sorted(names)
        },
        "latest_start_s": round(seen.late_s, 2),
    }


def draw(rows: Sequence[Mapping[str, Any]], told: str, out: Path) -> None:
    """Write the pictures of answers, photos and memory."""
    latency = {
        f"{kind} {share}": [(row["minute"], row[kind][f"{share}_ms"]) for row in rows if kind in row]
        for kind in KINDS
        for share in ("p50", "p95")
    }
    photos_done = {name: latency.pop(name) for name in tuple(latency) if name.startswith("photo")}
    names = sorted({name for row in rows for name in row["rss_mb"]})
    memory = {
        name: [(row["minute"], row["rss_mb"][name]) for row in rows if name in row["rss_mb"]]
        for name in names
    }
    pictures = (("answers", "ms", latency), ("photos", "ms", photos_done), ("memory", "MiB", memory))
    for name, unit, series in pictures:
        picture = curves(f"{name}, {told}", unit, "minutes", {key: row for key, row in series.items() if row})
        (out / f"soak_{name}.svg").write_text(picture, encoding="utf-8")


def capacity(server: Server, data: Sequence[bytes], count: int, shape: Shape) -> float:
    """Return the photos a second that the system does for eight clients, after a warm-up."""
    load(server, data, max(8, count // 4), 8, shape)
    return load(server, data, count, 8, shape).per_second


def _parsed(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the measured capacity")
    parser.add_argument("--rate", type=float, help="photos a second, in place of a share of a measurement")
    parser.add_argument("--probe", type=int, default=80, help="photos that the capacity is measured with")
    parser.add_argument("--megapixels", choices=sorted(SIZES), default="2")
    parser.add_argument("--pipeline", default="fused")
    parser.add_argument("--out", type=Path, default=Path("build/soak"))
    return parser.parse_args(list(arguments) if arguments is not None else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, run, report."""
    chosen = _parsed(arguments)
    data = photos(chosen.megapixels, 8)
    shape = Shape()
    with obscura({"OBSCURA_PIPELINE": chosen.pipeline}) as server:
        most = None if chosen.rate else capacity(server, data, chosen.probe, shape)
        per_s = chosen.rate or most * chosen.share
        print(f"capacity {most or 0:.2f}/s, sending {per_s:.2f}/s for {chosen.minutes:g} minutes", flush=True)
        bodies = [form(photo, shape.fields) for photo in data]
        seen = run(server, bodies, Plan(per_s, chosen.minutes * MINUTE_S, shape))
    rows = minutes(seen)
    found = verdict(seen, rows)
    told = f"{per_s:.2f} photos/s of {chosen.megapixels} MP for {chosen.minutes:g} minutes"
    chosen.out.mkdir(parents=True, exist_ok=True)
    draw(rows, told, chosen.out)
    report = {"capacity_per_s": most, "sent_per_s": per_s, "verdict": found, "minutes": rows}
    (chosen.out / "soak.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 1 if found["server_errors"] or found["troubles"] else 0


if __name__ == "__main__":
    sys.exit(main())
