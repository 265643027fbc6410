"""The proposal network: a half-width YOLOv8n for both classes, initialised with a full detector's filters.

It only has to propose boxes for crop re-scoring, so it is built for speed: half the
channels from the third stage on, heads of depthwise separable convolutions (as in YOLO11's class branch), and
distances regressed directly instead of as distributions (``reg_max`` 1). All modules are ultralytics' own:
its checkpoint loads wherever ultralytics does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from training.paths import OBJECT_CLASSES
from training.runtime import prepare_runtime

if TYPE_CHECKING:
    from torch import nn

    Kept: TypeAlias = Any
    """Positions of channels, an integer tensor ``[n]``."""

HEAD_WIDTH = 32

# The first stages keep their width: with fewer than 16 channels they are no faster on a CPU, only worse.
STEM, SECOND, THIRD, FOURTH, FIFTH = 16, 32, 32, 64, 128

LAYOUT: dict[str, Any] = {
    "nc": len(OBJECT_CLASSES),
    "scales": {"n": [1.0, 1.0, FIFTH]},
    "scale": "n",
    "backbone": [
        [-1, 1, "Conv", [STEM, 3, 2]],
        [-1, 1, "Conv", [SECOND, 3, 2]],
        [-1, 1, "C2f", [SECOND, True]],
        [-1, 1, "Conv", [THIRD, 3, 2]],
        [-1, 2, "C2f", [THIRD, True]],
        [-1, 1, "Conv", [FOURTH, 3, 2]],
        [-1, 2, "C2f", [FOURTH, True]],
        [-1, 1, "Conv", [FIFTH, 3, 2]],
        [-1, 1, "C2f", [FIFTH, True]],
        [-1, 1, "SPPF", [FIFTH, 5]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 1, "C2f", [FOURTH]],
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 1, "C2f", [THIRD]],
        [-1, 1, "Conv", [THIRD, 3, 2]],
        [[-1, 12], 1, "Concat", [1]],
        [-1, 1, "C2f", [FOURTH]],
        [-1, 1, "Conv", [FOURTH, 3, 2]],
        [[-1, 9], 1, "Concat", [1]],
        [-1, 1, "C2f", [FIFTH]],
        [[15, 18, 21], 1, "Detect", ["nc"]],
    ],
}
"""YOLOv8n's layers in ultralytics' notation, with channels written out."""


class Layers(NamedTuple):
    """A layer of the full detector and its replacement."""

    grown: Any
    small: Any


def scout_network(grown: nn.Module) -> nn.Module:
    """Return an untrained proposal network with the strongest filters of ``grown``, a full detector.

    A filter's strength is the size of its weights times its batch norm's gain (Liu et al. 2017, "Learning
    Efficient Convolutional Networks through Network Slimming"). The heads are new.
    """
    network = untrained(LAYOUT)
    _inherit(grown, network)
    return network


def untrained(layout: dict[str, Any]) -> nn.Module:
    """Return a new network of ``layout`` with light heads."""
    prepare_runtime()
    tasks = import_module("ultralytics.nn.tasks")
    network: Any = tasks.DetectionModel(layout, ch=3, nc=len(OBJECT_CLASSES), verbose=False)
    _lighten_head(network)
    network.names = dict(enumerate(OBJECT_CLASSES))
    scout: nn.Module = network
    return scout


def _lighten_head(network: Any) -> None:  # noqa: ANN401 - ultralytics is untyped
    torch_nn = import_module("torch.nn")
    conv = import_module("ultralytics.nn.modules.conv")
    head = network.model[-1]

    def branch(channels: int, outputs: int) -> Any:  # noqa: ANN401
        steps = [
            torch_nn.Sequential(conv.DWConv(inward, inward, 3), conv.Conv(inward, HEAD_WIDTH, 1))
            for inward in (channels, HEAD_WIDTH)
        ]
        return torch_nn.Sequential(*steps, torch_nn.Conv2d(HEAD_WIDTH, outputs, 1))

    channels = [level[0].conv.in_channels for level in head.cv2]
    head.reg_max, head.no, head.dfl = 1, head.nc + 4, torch_nn.Identity()
    head.cv2 = torch_nn.ModuleList(branch(count, 4) for count in channels)
    head.cv3 = torch_nn.ModuleList(branch(count, head.nc) for count in channels)
    head.bias_init()


def _inherit(grown: Any, small: Any) -> None:  # noqa: ANN401
    """Copy the strongest filters of every layer but the head, with the matching inputs of the next layers."""
    torch = import_module("torch")
    kept: list[Kept] = []
    widths: list[int] = []
    with torch.no_grad():
        for layers in map(Layers, grown.model[:-1], small.model[:-1]):
            before: Kept = kept[-1] if kept else torch.arange(3)
            match type(layers.grown).__name__:
                case "Conv":
                    kept.append(_conv(layers, before))
                case "C2f":
                    kept.append(_c2f(layers, before))
                case "SPPF":
                    kept.append(_sppf(layers, before))
                case "Concat":
                    kept.append(torch.cat([before, kept[layers.grown.f[1]] + widths[-1]]))
                case _:  # upsampling
                    kept.append(before)
            widths.append(_width(layers.grown, widths))


def _width(layer: Any, widths: list[int]) -> int:  # noqa: ANN401
    match type(layer).__name__:
        case "Conv":
            return int(layer.conv.out_channels)
        case "C2f" | "SPPF":
            return int(layer.cv2.conv.out_channels)
        case "Concat":
            return widths[-1] + widths[int(layer.f[1])]
        case _:
            return widths[-1]


def _conv(layers: Layers, inward: Kept, outward: Kept | None = None) -> Kept:
    """Copy a convolution with its batch norm; return the filters kept, the strongest unless named."""
    grown, small = layers
    if outward is None:
        outward = _strongest(grown, small.conv.out_channels)
    small.conv.weight.copy_(grown.conv.weight[outward][:, inward])
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(small.bn, name).copy_(getattr(grown.bn, name)[outward])
    return outward


def _strongest(conv: Any, count: int, start: int = 0, stop: int | None = None) -> Kept:  # noqa: ANN401
    """Return the ``count`` strongest filters between ``start`` and ``stop``, in their order."""
    strength = conv.conv.weight.flatten(1).norm(dim=1) * conv.bn.weight.abs()
    return strength[start:stop].topk(count).indices.sort().values + start


def _c2f(layers: Layers, inward: Kept) -> Kept:
    torch = import_module("torch")
    grown, small = layers
    straight = _strongest(grown.cv1, small.c, 0, grown.c)
    through = _strongest(grown.cv1, small.c, grown.c)
    _conv(Layers(grown.cv1, small.cv1), inward, torch.cat([straight, through]))
    read = [straight, through]
    last = through - grown.c
    for number, block in enumerate(map(Layers, grown.m, small.m)):
        hidden = _conv(Layers(block.grown.cv1, block.small.cv1), last)
        # What is added to its own input has to keep the same channels.
        last = _conv(Layers(block.grown.cv2, block.small.cv2), hidden, last if block.grown.add else None)
        read.append(last + grown.c * (2 + number))
    return _conv(Layers(grown.cv2, small.cv2), torch.cat(read))


def _sppf(layers: Layers, inward: Kept) -> Kept:
    torch = import_module("torch")
    grown, small = layers
    hidden = _conv(Layers(grown.cv1, small.cv1), inward)
    width = grown.cv1.conv.out_channels
    pooled = torch.cat([hidden + width * number for number in range(4)])
    return _conv(Layers(grown.cv2, small.cv2), pooled)
