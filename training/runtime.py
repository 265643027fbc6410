"""Make torch and ultralytics usable offline, also where torchvision's compiled operators do not load.

Call :func:`prepare_runtime` before anything else imports ``ultralytics`` or ``torchvision``.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.paths import BUILD

if TYPE_CHECKING:
    from torch import nn

# torch.library drops its definitions when the library object is collected.
_KEPT_ALIVE: list[Any] = []


def prepare_runtime() -> None:
    """Switch off every network access of ultralytics and stand in for missing torchvision operators.

    Safe to call more than once. Where the real operators load (CUDA builds) they are left alone.
    """
    if _KEPT_ALIVE:
        return
    config = Path(os.environ.setdefault("YOLO_CONFIG_DIR", str(BUILD / "ultralytics")))
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    config.mkdir(parents=True, exist_ok=True)
    _KEPT_ALIVE.append(_declare_missing_operators())
    _stop_synchronising()


def load_model(weights: Path) -> nn.Module:
    """Load a checkpoint of ours as an unfused float32 detection model on the CPU.

    A checkpoint is a pickle and runs code when loaded: give this only files of known origin
    (the starters, or what :mod:`training.train` wrote).

    Parameters
    ----------
    weights
        A ``.pt`` file in ultralytics' layout.

    Returns
    -------
    nn.Module
        The network in evaluation mode; the exponential average where the file holds one.
    """
    prepare_runtime()
    torch = import_module("torch")
    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    model: nn.Module = checkpoint.get("ema") or checkpoint["model"]
    return model.float().eval()


def _declare_missing_operators() -> object:
    torch = import_module("torch")
    library = None
    try:
        import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for operator in ("nms", "qnms"):
            library.define(operator + signature)
        ops = import_module("torchvision").ops
        ops.nms = import_module("ultralytics.utils.nms").TorchNMS.nms
    return library or object()


def _stop_synchronising() -> None:
    utils = import_module("ultralytics.utils")
    settings_file = Path(utils.SETTINGS_FILE)
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    if settings.get("sync"):
        utils.SETTINGS.update(sync=False)
