"""OpenVINO on the CPU. No other module imports openvino."""

import io
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.detection.backends.compiled import CompiledNetworks
from obscura.errors import BackendUnavailableError
from obscura.geometry import Size

__all__ = ["open_openvino"]

TELEMETRY = "openvino_telemetry"
CONVERTER = "openvino.tools.ovc"

SHAPE_CACHE = "1000"
"""Compiled layers that the engine caches; with its default of 5000 a worker grows for hundreds of photos."""


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # OpenVINO raises RuntimeError, and its C++ classes under other names.
        message = f"openvino cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error


class _Network:
    """An ONNX file, compiled for any input size or for one, and cached on disk where there is a cache."""

    def __init__(
        self,
        openvino: Any,  # noqa: ANN401 - openvino publishes no types
        path: Path,
        threads: int,
        *,
        exact: bool,
        compiled: CompiledNetworks | None,
    ) -> None:
        self._openvino = openvino
        self._path = path
        self._core = openvino.Core()
        has_bf16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if has_bf16 and not exact else "f32"
        self._model: Any = None
        self._compiled = compiled
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": max(1, threads),
            "INFERENCE_PRECISION_HINT": self.precision,
            # By default every process pins its first thread to the same core, so two workers would share it.
            "ENABLE_CPU_PINNING": False,
            # The cache has an entry per layer and input shape.
            "CPU_RUNTIME_CACHE_CAPACITY": SHAPE_CACHE,
        }

    def prepared(self, size: Size | None) -> Any:  # noqa: ANN401
        """Return an inference request for single inputs of a size, or for inputs of any size."""
        key = self._key(size)
        blob = None if self._compiled is None else self._compiled.load(key)
        if blob is not None:
            # A blob that this build of the engine cannot import is compiled again below.
            with suppress(RuntimeError):
                imported = self._core.import_model(io.BytesIO(blob), "CPU", self._options)
                return imported.create_infer_request()
        with _translated(self._path):
            network = self._core.compile_model(self._of_size(size), "CPU", self._options)
        if self._compiled is not None:
            exported = network.export_model()
            self._compiled.store(key, exported if isinstance(exported, bytes) else exported.getvalue())
        return network.create_infer_request()

    def _of_size(self, size: Size | None) -> Any:  # noqa: ANN401
        if self._model is None:
            self._model = _taking_bytes(self._openvino, self._core.read_model(str(self._path)))
        if size is None:
            return self._model
        model = self._model.clone()
        model.reshape([1, size.height, size.width, 3])
        return model

    def _key(self, size: Size | None) -> str:
        """Return the cache key: everything that a compiled network depends on besides its weights."""
        machine = self._core.get_property("CPU", "FULL_DEVICE_NAME")
        abilities = sorted(self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        return repr((self._openvino.get_version(), machine, abilities, sorted(self._options.items()), size))


class _OpenVinoSession:
    """A network compiled for inputs of any size, and once more for each of the common sizes.

    A network compiled for one size takes a tenth less time, and a third less where sizes alternate. It costs
    20 to 40 MB, and an eighth of a second at the first input of its size. Its outputs differ in their last
    bits, so the input size alone decides which network runs, not the inputs before.
    """

    device = "cpu"
    batch_size = 1

    def __init__(self, network: _Network, tensor: Any, often: Collection[Size]) -> None:  # noqa: ANN401
        self.name = "openvino" if network.precision == "f32" else f"openvino-{network.precision}"
        self._network: _Network | None = network
        self._tensor = tensor
        self._often = frozenset(often)
        # Raise now where the engine cannot read the file.
        self._requests: dict[Size | None, Any] = {None: network.prepared(None)}

    def run(self, batch: Sequence[Pixels]) -> Floats:
        # Shared memory must be contiguous and writeable, although it is only read.
        pictures = np.require(batch[0], None, ["C", "W"])[None] if len(batch) == 1 else np.stack(batch)
        request = self._request(pictures)
        request.set_input_tensor(self._tensor(pictures, shared_memory=True))
        # share_outputs avoids a copy of all outputs.
        request.infer(share_outputs=True)
        # Copy: the next run writes to the same memory.
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)

    def _request(self, pictures: Pixels) -> Any:  # noqa: ANN401
        if self._network is None:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        count, height, width, _ = pictures.shape
        here = Size(width, height)
        size = here if count == 1 and here in self._often else None
        if size not in self._requests:
            self._requests[size] = self._network.prepared(size)
        return self._requests[size]

    def close(self) -> None:
        self._network = None
        self._requests.clear()


def open_openvino(
    path: Path,
    threads: int,
    *,
    exact: bool,
    often: Collection[Size] = (),
    compiled: CompiledNetworks | None = None,
) -> Session:
    """Load an ONNX file; raise BackendUnavailableError where OpenVINO cannot.

    Parameters
    ----------
    path
        The file.
    threads
        CPU threads of one inference, at least 1.
    exact
        Whether to compute in f32; otherwise in bf16 where the CPU supports it (half the time, the same
        recall, boxes that differ by about a pixel).
    often
        Input sizes for each of which the network is compiled separately.
    compiled
        Cache of compiled networks of this file, or None.
    """
    _disable_telemetry()
    with _translated(path):
        with _without_converter():
            import openvino  # noqa: PLC0415 - the engine is loaded when it is used, after the fork

        network = _Network(openvino, path, threads, exact=exact, compiled=compiled)
    return _OpenVinoSession(network, openvino.Tensor, often)


def _taking_bytes(openvino: Any, model: Any) -> Any:  # noqa: ANN401 - openvino publishes no types
    """Return a model that takes ``uint8[b, height, width, 3]`` and converts it to its own input."""
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


@contextmanager
def _without_converter() -> Iterator[None]:
    """Import openvino without its model converter, half of its import time; openvino supports its absence."""
    is_new = CONVERTER not in sys.modules
    if is_new:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if is_new:
            del sys.modules[CONVERTER]


def _disable_telemetry() -> None:
    """Make ``import openvino_telemetry`` fail, which would send usage events when openvino is imported.

    OpenVINO falls back to an empty stub where that package is not installed.
    """
    if TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
