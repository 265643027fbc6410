"""Growth: latency with one client; throughput and memory over queue length and workers.

``python -m benchmarks.growth latency|queue|workers`` prints JSON.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis

from benchmarks.floor import Asked, Floor
from benchmarks.material import photos
from benchmarks.processes import roles
from benchmarks.running import Client, Server, Shape, form, load, obscura
from obscura.anonymisation import Target, redact_photo
from obscura.anonymisation.detect import detection_options, open_photo
from obscura.anonymisation.pipeline import PhotoPipeline
from obscura.contract import JobKind, JobOptions, ObjectClass, Quality
from obscura.detection.loading import load_for
from obscura.geometry import Box
from obscura.handlers.redaction import Redactor, Upload
from obscura.jobs import JobRecord, NewJob
from obscura.jobs.commands import ACTIVE, EXPIRY
from obscura.settings import JOB_STORE_URL_FILE, Settings

FAST = Shape("/blur_faces", {"quality": "fast"})


def _in_process() -> Callable[[bytes], bytes]:
    """Return what a worker does with a photo, as a call: the same code without service."""
    settings = Settings()
    options = JobOptions(classes=(ObjectClass.FACE,), quality=Quality.FAST)
    pipeline = PhotoPipeline(
        {ObjectClass.FACE: load_for(settings, ObjectClass.FACE, 1)}, detection_options(options)
    )
    redactor = Redactor.of(settings)
    fields = NewJob("bench", JobKind.BLUR, options, "photos/bench").fields()
    row = JobRecord.from_fields("bench", {**fields, "state": "running", "created": "0"})

    def work(data: bytes) -> bytes:
        photo = open_photo(data, settings)
        first = pipeline.detect(photo)
        redacted, _ = redactor.redact(row, Upload(data, photo), first.parts.values())
        hidden = [Box(*region) for region in redacted.report.regions]
        pipeline.find_residual(first, redacted.shown, hidden, options.residual_check)
        return redacted.data

    return work


def latency(rounds: int) -> dict[str, Any]:
    """Return how much longer one client waits than the same work takes in its own process, in turns."""
    data = photos("0.3", 8)
    work = _in_process()
    outside: list[float] = []
    inside: list[float] = []
    with obscura({"OBSCURA_CONCURRENCY": "1", "OBSCURA_THREADS": "1"}) as server:
        client = Client(server.port, FAST)
        bodies = [form(photo, FAST.fields) for photo in data]
        for number in range(rounds + 8):
            began = time.perf_counter()
            client.fetch(client.post(bodies[number % 8]))
            middle = time.perf_counter()
            work(data[number % 8])
            end = time.perf_counter()
            if number >= 8:  # noqa: PLR2004 - each photo once, to be warm
                outside.append((middle - began) * 1000)
                inside.append((end - middle) * 1000)
        client.close()
    added = sorted(a - b for a, b in zip(outside, inside, strict=True))
    return {
        "photos": rounds,
        "over_http_p50_ms": round(statistics.median(outside), 2),
        "in_process_p50_ms": round(statistics.median(inside), 2),
        "added_p50_ms": round(statistics.median(added), 2),
        "added_p90_ms": round(added[int(len(added) * 0.9)], 2),
        "added_least_ms": round(added[0], 2),
    }


def _memory(server: Server, client: redis.Redis) -> dict[str, float]:
    used = server.usage()
    return {
        "valkey_data_mb": round(int(client.info("memory")["used_memory"]) / 2**20, 2),
        "valkey_rss_mb": round(used["valkey"].memory_mb, 1),
        "gateway_rss_mb": round(used["gateway"].memory_mb, 1),
    }


def over_queue(lengths: Sequence[int], count: int) -> dict[str, Any]:
    """Return throughput and memory with so many jobs waiting.

    The jobs are entered over HTTP like any others; meanwhile the workers stand still: the queue fills.
    """
    (photo,) = photos("0.3", 1)
    settings = {"OBSCURA_QUEUE_LIMIT": "20000", "OBSCURA_REVIEW": "false"}
    rows: list[dict[str, float]] = []
    with obscura(settings) as server:
        assert server.folder is not None  # noqa: S101 - a system of ours has one
        url = (server.folder / JOB_STORE_URL_FILE).read_text().strip()
        job_store = redis.Redis.from_url(url, decode_responses=True)
        load(server, [photo], 20, 8, FAST)
        for length in lengths:
            with standing_still(server):
                _fill(server, form(photo, FAST.fields), length + count - job_store.zcard(ACTIVE))
            memory, before = _memory(server, job_store), server.usage()
            done_before, began = _done(job_store), time.perf_counter()
            while (done := _done(job_store) - done_before) < count:
                time.sleep(0.02)
            wall = time.perf_counter() - began
            after = server.usage()
            cpu = sum(used.cpu_s - before[role].cpu_s for role, used in after.items() if role in before)
            row = {"queued": length, "per_s": round(done / wall, 2), "cpu_ms": round(cpu * 1000 / done, 2)}
            rows.append(row | memory)
            print(rows[-1], file=sys.stderr, flush=True)
            _drain(job_store)
        job_store.close()
    return {"rows": rows}


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """Stop the worker's processes for a while (SIGSTOP)."""
    stopped = roles(server.process.pid)["worker"]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def _fill(server: Server, body: bytes, count: int) -> None:
    """Enter ``count`` jobs over four connections."""
    if count <= 0:
        return

    def post(number: int) -> None:
        client = Client(server.port, FAST)
        for _ in range(number):
            client.post(body)
        client.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, [count // 4 + 1] * 4))


def _drain(job_store: redis.Redis) -> None:
    """Drop the jobs that still wait from the queues."""
    for queue in job_store.scan_iter("photos*", _type="list"):
        job_store.delete(queue)
    job_store.delete(ACTIVE)


def _done(job_store: redis.Redis) -> int:
    return int(job_store.zcard(EXPIRY))


def workers(counts: Sequence[int], rounds: int) -> dict[str, Any]:
    """Return throughput and CPU with so many worker processes, in turns."""
    data = photos("2", 8)
    shape = Shape("/blur", {})
    seen: Mapping[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            with obscura({"OBSCURA_CONCURRENCY": str(count), "OBSCURA_THREADS": "1"}) as server:
                load(server, data, 4, count, shape)
                done = load(server, data, 12, 8, shape)
                seen[count].append({"per_s": done.per_second, "cpu_ms": done.cpu_ms})
    return {
        str(count): {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
        for count, rows in seen.items()
    }


def boxes(counts: Sequence[int]) -> dict[str, Any]:
    """Return the cost of hiding so many boxes in 2 megapixels, without detection."""
    settings = Settings()
    (data,) = photos("2", 1)
    photo = open_photo(data, settings)
    answer: dict[str, Any] = {}
    for count in counts:
        targets = [
            Target("face", Box(0, 0, 24, 32).shift(20 + 30 * (number % 50), 20 + 40 * (number // 50)))
            for number in range(count)
        ]
        work = partial(redact_photo, data, targets, before=photo)
        times = []
        for _ in range(7):
            began = time.process_time()
            work()
            times.append((time.process_time() - began) * 1000)
        answer[str(count)] = round(statistics.median(times), 2)
    return {"cpu_ms": answer}


def pixels(rounds: int) -> dict[str, Any]:
    """Return the floor over pixels, by quality, residual check included."""
    answer: dict[str, Any] = {}
    for quality in (Quality.FAST, Quality.BALANCED):
        floor = Floor(Asked(quality=quality))
        for name in ("0.3", "2", "12"):
            data = photos(name, 3)
            for photo in data:
                floor.work(photo)
            times = []
            for number in range(rounds):
                began = time.process_time()
                floor.work(data[number % 3])
                times.append((time.process_time() - began) * 1000)
            answer[f"{quality} {name} MP"] = round(statistics.median(times), 1)
    return {"cpu_ms": answer}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one thing and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("what", choices=["latency", "queue", "workers", "boxes", "pixels"])
    parser.add_argument("--rounds", type=int, default=60)
    chosen = parser.parse_args(arguments)
    match chosen.what:
        case "latency":
            answer = latency(chosen.rounds)
        case "queue":
            answer = over_queue((10, 10_000, 10, 1_000), 300)
        case "workers":
            answer = workers((1, 2), 3)
        case "boxes":
            answer = boxes((0, 1, 5, 20, 100, 500))
        case _:
            answer = pixels(6)
    print(json.dumps(answer, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
