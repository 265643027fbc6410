"""Compare an exported ONNX file with the network it came from, on real photos at several sizes.

Run ``python -m training.check_export --class face --weights W``; exits with status 1 on a difference
of more than 0.5 pixels in a box or 0.001 in a score.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.export import rounded_network
from training.paths import MODELS, OBJECT_CLASSES, model_name, pack_folder, starter_weights
from training.predict import Forward, onnx_forward, openvino_forward

if TYPE_CHECKING:
    from numpy.typing import NDArray

# width, height: square, wide, tall, and sizes the network was never traced with.
SIZES = ((640, 640), (640, 416), (320, 512), (960, 576), (1280, 1280))
BOX_TOLERANCE_PIXELS = 0.5
SCORE_TOLERANCE = 1e-3
# Boxes of anchors that see nothing are unstable and never used: compare those that may become detections.
SCORE_WORTH_COMPARING = 0.1


def torch_forward(weights: Path) -> Forward:
    """Return the reference: the float16-rounded network run by torch in float32."""
    torch = import_module("torch")
    network = rounded_network(weights)
    network.model[-1].export = True

    def forward(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            output = network(torch.from_numpy(images))
        boxes: NDArray[np.float32] = (output[0] if isinstance(output, tuple) else output).numpy()
        return boxes

    return forward


def compare(reference: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float]:
    """Return the largest box difference in pixels and score difference over anchors above a score.

    Parameters
    ----------
    reference, other
        Raw outputs, shape ``[batch, 4 + classes, anchors]``.
    """
    seen = reference[:, 4:].max(axis=1) > SCORE_WORTH_COMPARING
    scores = float(np.abs(reference[:, 4:] - other[:, 4:]).max())
    if not seen.any():
        return 0.0, scores
    difference = np.abs(reference[:, :4] - other[:, :4]).max(axis=1)[seen]
    return float(difference.max()), scores


def load_batch(files: list[Path], width: int, height: int) -> NDArray[np.float32]:
    """Return photos stretched to ``width`` x ``height``: float32 ``[n, 3, height, width]``, RGB 0..1."""
    photos = [np.asarray(Image.open(file).convert("RGB").resize((width, height))) for file in files]
    return np.ascontiguousarray(np.stack(photos).transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


def main() -> None:
    """Print the differences of every engine at every size."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument(
        "--photos", type=Path, help="folder of photos; the pack's validation split when left out"
    )
    options = parser.parse_args()
    file = MODELS / f"{model_name(options.object_class)}.onnx"
    photos = options.photos or pack_folder(options.object_class) / "images" / "val"
    reference = torch_forward(options.weights or starter_weights(options.object_class))
    engines = {
        "onnxruntime": onnx_forward(file),
        "openvino-f32": openvino_forward(file, "f32"),
        "openvino-bf16": openvino_forward(file, "bf16"),
    }
    sample = sorted(photos.iterdir())[::20][:3]
    agree = True
    for width, height in SIZES:
        images = load_batch(sample, width, height)
        expected = reference(images)
        for engine, forward in engines.items():
            boxes, scores = compare(expected, forward(images))
            sys.stdout.write(f"{width}x{height} {engine}: boxes {boxes:.4f} px, scores {scores:.5f}\n")
            if engine != "openvino-bf16":  # informative: bf16 is a lossy mode, judged by recall instead
                agree &= boxes <= BOX_TOLERANCE_PIXELS and scores <= SCORE_TOLERANCE
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
