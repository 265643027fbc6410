"""Turn a checkpoint into the two files the product ships, and record them in the manifest.

``<name>.onnx``
    Input ``images``: float32 ``[batch, 3, height, width]``, RGB 0..1, batch, height and width dynamic
    (height and width multiples of 32). Output ``output0``: float32 ``[batch, 4 + classes, anchors]``,
    rows 0-3 the box centre, width and height in input pixels, the rest class scores after the sigmoid.
    No suppression inside. Weights are stored as float16 and cast to float32 in the graph: half the
    bytes, and runtimes fold the casts once at load.
``<name>.pt``
    The same network as an ultralytics checkpoint in float16, without optimizer or training paths.

Run ``python -m training.export --class face --weights runs/face/weights/best.pt``, or
``python -m training.export --scout runs/scout/last.pt``, whose network has a score for each class, or
``--auxiliary runs/auxiliary/last.pt``: ONNX only, it runs on the CPU beside a GPU.
"""

from __future__ import annotations

import argparse
import datetime as dt
import warnings
import zipfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.manifest import current_entry, next_version, write_manifest
from training.paths import (
    AUXILIARY,
    MODELS,
    OBJECT_CLASSES,
    SCOUT,
    ObjectClass,
    model_name,
    starter_weights,
)
from training.runtime import load_model, prepare_runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

OPSET = 17
# Smaller tensors (biases, strides, constants of the decoder) save nothing and may need the precision.
SMALLEST_HALVED_TENSOR = 64
LEVELS = 127


def rounded_network(weights: Path) -> nn.Module:
    """Return the network exactly as exported: batch norms folded, weights rounded to float16."""
    model = load_model(weights)
    fused: Any = model.fuse(verbose=False)
    network: nn.Module = fused.half().float().eval()
    return network


def export_onnx(network: nn.Module, target: Path) -> None:
    """Write ``network`` (float32, folded) as the ONNX file described in the module's docstring."""
    torch = import_module("torch")
    head: Any = network.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            torch.zeros(1, 3, 384, 640),
            str(target),
            opset_version=OPSET,
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": axes, "output0": {0: "batch", 2: "anchors"}},
            dynamo=False,
        )
    head.export = False
    _halve_initialisers(target)


def export_checkpoint(weights: Path, target: Path, names: dict[int, str]) -> None:
    """Write an ultralytics checkpoint with nothing in it but the float16 network and its class names."""
    torch = import_module("torch")
    network: Any = load_model(weights)
    network.names = names
    network.args = {"task": "detect", "imgsz": 640, "model": "yolov8n", "single_cls": False}
    network.criterion = None
    # Where the trainer found the weights it began with: a path of that machine.
    vars(network).pop("pt_path", None)
    for parameter in network.parameters():
        parameter.requires_grad = False
    checkpoint = {
        "epoch": -1,
        "model": network.half(),
        "ema": None,
        "optimizer": None,
        "train_args": {"task": "detect", "imgsz": 640},
        "version": import_module("ultralytics").__version__,
        "license": "AGPL-3.0",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
    torch.save(checkpoint, target)
    deflate(target)


def export_model(name: str, weights: Path, classes: Sequence[ObjectClass]) -> None:
    """Write both files of one model into ``models/``."""
    MODELS.mkdir(exist_ok=True)
    export_onnx(rounded_network(weights), MODELS / f"{name}.onnx")
    export_checkpoint(weights, MODELS / f"{name}.pt", dict(enumerate(classes)))


def refresh_manifest(
    exported: set[ObjectClass], *, has_new_scout: bool = False, has_new_auxiliary: bool = False
) -> None:
    """Rewrite the checksums; what was not exported now keeps the version it had."""
    today = dt.datetime.now(tz=dt.UTC).strftime("%Y.%m.%d")
    entries = {}
    for object_class in OBJECT_CLASSES:
        name = model_name(object_class)
        if object_class in exported or (MODELS / f"{name}.onnx").exists():
            version = next_version(name, today) if object_class in exported else None
            entries[name] = current_entry(name, object_class, version)
    write_manifest(
        entries,
        next_version(SCOUT, today) if has_new_scout else None,
        next_version(AUXILIARY, today) if has_new_auxiliary else None,
    )


def _halve_initialisers(file: Path) -> None:
    onnx = import_module("onnx")
    numpy_helper, helper = onnx.numpy_helper, onnx.helper
    model = onnx.load(str(file))
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != "float32" or values.size < SMALLEST_HALVED_TENSOR:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(values.astype("float16"), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    # The exporter writes the Python source position of every node: paths of this machine, not wanted.
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def store_in_bytes(file: Path) -> None:
    """Replace each large float16 tensor by 8-bit integers and a scale per output channel."""
    onnx = import_module("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    model = onnx.load(str(file))
    casts = {node.input[0]: node for node in model.graph.node if node.op_type == "Cast"}
    tensors, nodes = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != "float16" or values.size < SMALLEST_HALVED_TENSOR or values.ndim < 2:  # noqa: PLR2004
            tensors.append(tensor)
            continue
        cast = casts[tensor.name]
        integers, scales = _integers(values.astype(np.float32))
        stored, scale, product = (f"{tensor.name}.{part}" for part in ("byte", "scale", "float"))
        tensors += [numpy_helper.from_array(integers, stored), numpy_helper.from_array(scales, scale)]
        nodes.append(helper.make_node("Cast", [stored], [product], to=onnx.TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [product, scale], [cast.output[0]]))
        model.graph.node.remove(cast)
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def _integers(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return integers of at most `LEVELS` and the scales ``[outputs, 1, ...]`` that give the weights back."""
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    scales = np.maximum(largest / LEVELS, np.finfo(np.float32).tiny)
    return np.round(weights / scales).astype(np.int8), scales.astype(np.float32)


def deflate(checkpoint: Path) -> None:
    """Compress a checkpoint, which torch writes without compression and reads either way."""
    with zipfile.ZipFile(checkpoint) as stored:
        members = [(item.filename, stored.read(item)) for item in stored.infolist()]
    with zipfile.ZipFile(checkpoint, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name, content in members:
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    """Export one class, or both starters when no weights are named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, action="append")
    parser.add_argument("--weights", type=Path, help="checkpoint; the starter when left out")
    parser.add_argument("--scout", type=Path, help="checkpoint of a scout; nothing else is exported")
    parser.add_argument("--auxiliary", type=Path, help="the same for an auxiliary network of faces")
    parser.add_argument("--manifest-only", action="store_true", help="only rewrite the checksums")
    options = parser.parse_args()
    prepare_runtime()
    wanted: set[ObjectClass] = set(options.object_class or OBJECT_CLASSES)
    if options.weights and len(wanted) != 1:
        parser.error("--weights needs exactly one --class")
    if options.manifest_only or options.scout or options.auxiliary:
        wanted = set()
    for object_class in sorted(wanted):
        export_model(
            model_name(object_class), options.weights or starter_weights(object_class), [object_class]
        )
    if options.scout:
        export_model(SCOUT, options.scout, OBJECT_CLASSES)
    if options.auxiliary:
        target = MODELS / f"{AUXILIARY}.onnx"
        export_onnx(rounded_network(options.auxiliary), target)
        store_in_bytes(target)
    refresh_manifest(
        wanted,
        has_new_scout=options.scout is not None,
        has_new_auxiliary=options.auxiliary is not None,
    )


if __name__ == "__main__":
    main()
