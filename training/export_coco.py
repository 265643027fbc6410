"""Turn the COCO checkpoint into the one network of the classes ``person`` and ``screen``.

The checkpoint (``weights/yolov8n_coco_init.pt`` of the shared material) was recovered from an 8-bit export,
so its weights are written as 8-bit integers with a scale per output channel again: a quarter of float32, and
runtimes fold the product once at load. Of its 80 classes four stay: person; tv, laptop, cell phone. There is
no ``.pt`` beside it: the network runs on CPUs in photo workers.

Run ``python -m training.export_coco``; it writes ``models/coco-yolov8n.onnx`` and ``models/extra.toml``.
"""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import TYPE_CHECKING, Any

from training.export import export_onnx, rounded_network, store_in_bytes
from training.manifest import LICENCE, sha256
from training.paths import MODELS, shared_folder

if TYPE_CHECKING:
    from pathlib import Path

KEPT = (0, 62, 63, 67)
"""COCO's numbers of person, tv, laptop and cell phone, in the order of the network's scores."""

CLASSES = {"person": 0.15, "screen": 0.25}
"""Thresholds by class, chosen with `benchmarks.extra_classes`."""


def main() -> None:
    """Write the network and its manifest."""
    torch = import_module("torch")
    network: Any = rounded_network(shared_folder() / "weights" / "yolov8n_coco_init.pt")
    head = network.model[-1]
    for branch in head.cv3:
        last = branch[-1]
        for name in ("weight", "bias"):
            kept = getattr(last, name).data[list(KEPT)].clone()
            setattr(last, name, torch.nn.Parameter(kept, requires_grad=False))
    head.nc, head.no = len(KEPT), len(KEPT) + 4 * head.reg_max
    target = MODELS / "coco-yolov8n.onnx"
    export_onnx(network, target)
    store_in_bytes(target)
    version = dt.datetime.now(tz=dt.UTC).strftime("%Y.%m.%d")
    (MODELS / "extra.toml").write_text(_manifest(target, version), encoding="utf-8")


def _manifest(weights: Path, version: str) -> str:
    blocks = ["# The weights of classes beyond faces and plates. Written by training/export_coco.py.\n"]
    blocks += [
        f'\n[{name}-yolov8n]\nclass = "{name}"\nversion = "{version}"\nlicence = "{LICENCE}"\n'
        f"input_size = 640\nmin_confidence = {threshold}\nmax_overlap = 0.6\n"
        f'\n[{name}-yolov8n.files.onnx]\npath = "{weights.name}"\nsha256 = "{sha256(weights)}"\n'
        for name, threshold in CLASSES.items()
    ]
    return "".join(blocks)


if __name__ == "__main__":
    main()
