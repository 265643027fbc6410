"""``.pt`` weights on torch. No other module imports torch or ultralytics."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["keep_ultralytics_quiet", "open_ultralytics"]

GPU_BATCH = 16
# Switches off telemetry and every integration with an external service.
QUIET_SETTINGS = dict.fromkeys(
    (
        "sync",
        "clearml",
        "comet",
        "dvc",
        "mlflow",
        "raytune",
        "tensorboard",
        "wandb",
        "vscode_msg",
        "openvino_msg",
    ),
    False,
)


class _TorchSession:
    def __init__(self, torch: Any, network: Any, device: str, *, half: bool) -> None:  # noqa: ANN401 - no types
        self.name = "ultralytics-f16" if half else "ultralytics"
        self.device = device
        self.batch_size = 1 if device == "cpu" else GPU_BATCH
        self._torch, self._network, self._half = torch, network, half

    def run(self, batch: Sequence[Pixels]) -> Floats:
        if self._network is None:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        torch = self._torch
        with torch.inference_mode():
            pictures = torch.from_numpy(np.stack(batch)).to(self.device).permute(0, 3, 1, 2)
            tensor = (pictures.half() if self._half else pictures.float()) / 255
            output = self._network(tensor.contiguous())
            raw = output[0] if isinstance(output, (tuple, list)) else output
            return np.asarray(raw.float().cpu().numpy(), dtype=np.float32)

    def close(self) -> None:
        self._network = None


def open_ultralytics(path: Path, threads: int, device: str, *, exact: bool) -> Session:
    """Load a checkpoint; raise BackendUnavailableError where torch cannot.

    A checkpoint is a pickle and can run code: pass only paths whose checksum was compared
    (`obscura.detection.weights.verified_path`).

    Parameters
    ----------
    path
        The file.
    threads
        CPU threads of one inference, at least 1.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    exact
        Whether to compute in f32 on a GPU too, where f16 is faster.
    """
    try:
        torch, network = _load(path)
        place = _device(torch, device)
        half = place != "cpu" and not exact
        if place == "cpu":
            torch.set_num_threads(max(1, threads))
        elif exact:
            # TF32 has a mantissa of ten bits, which is not f32.
            torch.backends.cudnn.allow_tf32 = False
        network = network.to(place)
        network = network.half() if half else network.float()
    except BackendUnavailableError:
        raise
    except Exception as error:
        message = f"torch and ultralytics cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error
    return _TorchSession(torch, network, place, half=half)


def _load(path: Path) -> tuple[Any, Any]:
    keep_ultralytics_quiet()
    import torch  # noqa: PLC0415 - the engine is loaded when it is used, after the fork
    import ultralytics  # noqa: PLC0415 - the checkpoint's classes live there

    # Also set before the import, by the settings file; repeated for releases that ignore it.
    ultralytics.settings.update(sync=False)
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    network = checkpoint.get("ema") or checkpoint["model"]
    network = network.float().eval()
    network.fuse(verbose=False)
    return torch, network


def _device(torch: Any, wanted: str) -> str:  # noqa: ANN401 - torch's module object
    if wanted == "cpu" or not torch.cuda.is_available():
        return "cpu"
    return "cuda:0" if wanted in {"auto", "cuda"} else wanted


@cache
def keep_ultralytics_quiet() -> None:
    """Keep ultralytics from using the network, installing packages and reading the user's settings file.

    It reads these environment variables and its settings file once, at import. The settings folder is
    temporary and is removed when the process exits.
    """
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_VERBOSE"] = "false"
    folder = tempfile.mkdtemp(prefix="obscura-yolo-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["YOLO_CONFIG_DIR"] = folder
    file = Path(folder, "Ultralytics", "settings.json")
    file.parent.mkdir(mode=0o700)
    file.write_text(json.dumps(QUIET_SETTINGS), encoding="utf-8")
