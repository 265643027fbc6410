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
"""Prepared layers that are kept; the engine's own 5000 let a worker grow for hundreds of photos."""


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # OpenVINO raises RuntimeError, and its C++ classes under other names.
        message = f"openvino cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error


class _Network:
    """A network in its file, or compiled earlier."""

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
            # By itself every process binds its first thread to the same core: two workers share one.
            "ENABLE_CPU_PINNING": False,
            # Code for every layer and input shape: some dozen shapes, not thousands of entries for good.
            "CPU_RUNTIME_CACHE_CAPACITY": SHAPE_CACHE,
        }

    @property
    def is_compiled(self) -> bool:
        """Whether the file was compiled earlier, for inputs of any size."""
        return self._compiled is not None and self._compiled.has(self._key(None))

    def prepared(self, size: Size | None) -> Any:  # noqa: ANN401
        """Return it ready to run on single inputs of a size, or on inputs of any."""
        key = self._key(size)
        blob = None if self._compiled is None else self._compiled.load(key)
        if blob is not None:
            # What another build of the engine has left is compiled again below.
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
        """Return what a compiled network depends on, besides its weights."""
        machine = self._core.get_property("CPU", "FULL_DEVICE_NAME")
        abilities = sorted(self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        return repr((self._openvino.get_version(), machine, abilities, sorted(self._options.items()), size))


class _OpenVinoSession:
    """A network for inputs of every size, and copies of it for the sizes that come often.

    A copy takes a tenth less time, and a third less where sizes take turns: nothing is worked out again for
    another size. It costs 20 to 40 MB, and an eighth of a second when its size comes first. Its numbers
    differ in their last bits, so which one answers is decided by an input's size alone, not by what came
    before.
    """

    device = "cpu"
    batch_size = 1

    def __init__(self, network: _Network, tensor: Any, often: Collection[Size]) -> None:  # noqa: ANN401
        self.name = "openvino" if network.precision == "f32" else f"openvino-{network.precision}"
        self._network: _Network | None = network
        self._tensor = tensor
        self._often = frozenset(often)
        self._requests: dict[Size | None, Any] = {}
        if not network.is_compiled:
            # A file that the engine cannot read is told now.
            self._requests[None] = network.prepared(None)

    def run(self, batch: Sequence[Pixels]) -> Floats:
        # What is shared has to be in one piece, and writeable although nobody writes to it.
        pictures = np.require(batch[0], None, ["C", "W"])[None] if len(batch) == 1 else np.stack(batch)
        request = self._request(pictures)
        request.set_input_tensor(self._tensor(pictures, shared_memory=True))
        # Without a dictionary of outputs, which would be copies as well.
        request.infer(share_outputs=True)
        # A copy: the engine writes its next output to the same memory.
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
        Whether to compute in f32; otherwise in bf16 where the CPU has it (half the time, the same recall,
        boxes that differ by a pixel or so).
    often
        Sizes of inputs for each of which the network is prepared once more.
    compiled
        Where compiled networks of this file are kept, or None.
    """
    _keep_telemetry_out()
    with _translated(path):
        with _without_converter():
            import openvino  # noqa: PLC0415 - the engine is loaded when it is used, after the fork

        network = _Network(openvino, path, threads, exact=exact, compiled=compiled)
    return _OpenVinoSession(network, openvino.Tensor, often)


def _taking_bytes(openvino: Any, model: Any) -> Any:  # noqa: ANN401 - openvino publishes no types
    """Return a model that takes ``uint8[b, height, width, 3]`` and turns it into its own input by itself."""
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


@contextmanager
def _without_converter() -> Iterator[None]:
    """Make ``import openvino`` leave out its model converter, half of what it imports; it expects that."""
    is_new = CONVERTER not in sys.modules
    if is_new:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if is_new:
            del sys.modules[CONVERTER]


def _keep_telemetry_out() -> None:
    """Make ``import openvino_telemetry`` fail: ``import openvino`` would send an event to its makers.

    OpenVINO carries an empty stub for installations without that package, and falls back to it.
    """
    if TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
