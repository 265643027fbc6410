"""Copy the shipped networks into a folder, with YuNet-n in the place of the auxiliary network for faces.

Run ``python -m training.auxiliary SOURCE FOLDER``, SOURCE being the file that its authors published, and set
``OBSCURA_MODELS_DIR=FOLDER``. The network is not shipped: this project publishes what it trained itself.
 YuNet-n (Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face
Detector"; libfacedetection.train, Apache-2.0) keeps its weights; nothing is trained. Its input and output
become those of :mod:`training.export`: the first convolution takes RGB 0..1 instead of BGR 0..255, boxes and
scores of all levels are decoded in the graph as OpenCV's ``FaceDetectorYN`` does, landmarks are left out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from obscura.detection.weights import default_models_dir
from training.manifest import sha256
from training.paths import model_name

NAME = "yunet-n"
VERSION = "2023.1"
"""Of the published weights; higher when the graph is changed otherwise."""
STRIDES = (8, 16, 32)
CONSTANTS = {
    "first": [0],
    "second": [2],
    "third": [4],
    "channels": [1],
    "rows": 2,
    "columns": 3,
    "flat": [0, 5, -1],
}


def adapted(model: Any) -> Any:  # noqa: ANN401 - onnx is untyped
    """Return the published network with the input and output of our own ones; ``model`` is changed."""
    onnx = import_module("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    graph = model.graph
    _take_rgb(graph, numpy_helper)
    constants = {name: np.array(value, np.int64) for name, value in CONSTANTS.items()}
    nodes: list[Any] = []

    def add(operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx takes them
        output = f"decoded_{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    levels = []
    for stride in STRIDES:
        constants[f"stride_{stride}"] = np.array(stride, np.float32)
        of_class, of_object, raw = (_features(graph, f"{part}_{stride}") for part in ("cls", "obj", "bbox"))
        score = add("Sqrt", add("Mul", add("Sigmoid", of_class), add("Sigmoid", of_object)))
        one = helper.make_tensor("one", onnx.TensorProto.FLOAT, [1], [1.0])
        ones = add("ConstantOfShape", add("Shape", of_class), value=one)
        # Counting along an axis gives every place its column and its row.
        places = add(
            "Concat", *(add("CumSum", ones, axis, exclusive=1) for axis in ("columns", "rows")), axis=1
        )
        middles = add("Add", add("Slice", raw, "first", "second", "channels"), places)
        sides = add("Exp", add("Slice", raw, "second", "third", "channels"))
        boxes = add("Mul", add("Concat", middles, sides, axis=1), f"stride_{stride}")
        levels.append(add("Reshape", add("Concat", boxes, score, axis=1), "flat"))
    nodes.append(helper.make_node("Concat", levels, ["output0"], axis=2))
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    shape = ["batch", 1 + 4, "anchors"]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("output0", onnx.TensorProto.FLOAT, shape))
    _prune(graph)
    onnx.checker.check_model(model)
    return model


def _take_rgb(graph: Any, numpy_helper: Any) -> None:  # noqa: ANN401 - onnx is untyped
    """Let the first convolution take RGB 0..1 under the name ``images``."""
    first = graph.node[0]
    weights = next(tensor for tensor in graph.initializer if tensor.name == first.input[1])
    values = numpy_helper.to_array(weights)[:, ::-1] * np.float32(255)
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), weights.name))
    first.input[0] = graph.input[0].name = "images"


def _features(graph: Any, output: str) -> str:  # noqa: ANN401 - onnx is untyped
    """Return the map ``[batch, channels, rows, columns]`` behind an output, before sigmoids."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers[output]
    while node.op_type != "Transpose":
        node = makers[node.input[0]]
    return str(node.input[0])


def _prune(graph: Any) -> None:  # noqa: ANN401 - onnx is untyped
    """Remove what the output does not need, and the notes of the exporter."""
    needed, kept = {"output0"}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            node.doc_string = ""
            kept.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def main() -> None:
    """Write the folder: the shipped weights, YuNet-n as auxiliary network, and a manifest that names it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=Path, help="YuNet-n as published, with dynamic input size (ONNX)")
    parser.add_argument("folder", type=Path, help="where the networks go; must not exist")
    options = parser.parse_args()
    onnx = import_module("onnx")
    network = adapted(onnx.load(options.source))
    shutil.copytree(default_models_dir(), options.folder)
    target = options.folder / f"{NAME}.onnx"
    onnx.save(network, target)
    place = f"{model_name('face')}.auxiliary"
    manifest = options.folder / "manifest.toml"
    blocks = manifest.read_text(encoding="utf-8").split("\n\n")
    kept = [block.strip("\n") for block in blocks if not block.lstrip("\n").startswith(f"[{place}")]
    kept += [
        f'[{place}]\nname = "{NAME}"\nversion = "{VERSION}"\nrow = 0',
        f'[{place}.files.onnx]\npath = "{target.name}"\nsha256 = "{sha256(target)}"\n',
    ]
    manifest.write_text("\n\n".join(kept), encoding="utf-8")
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
