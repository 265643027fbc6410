"""OpenVINO on the CPU: the fastest engine without a GPU. No other module imports openvino."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["open_openvino"]

TELEMETRY = "openvino_telemetry"

SHAPE_CACHE = "1000"
"""Prepared layers that are kept; the engine's own 5000 let a worker grow for hundreds of photos."""


class _OpenVinoSession:
    device = "cpu"
    batch_size = 1

    # openvino publishes no types.
    def __init__(self, request: Any, tensor: Any, precision: str) -> None:  # noqa: ANN401
        self.name = "openvino" if precision == "f32" else f"openvino-{precision}"
        self._request = request
        self._tensor = tensor

    def run(self, batch: Sequence[Pixels]) -> Floats:
        if self._request is None:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        # What is shared has to be in one piece, and writeable although nobody writes to it.
        pictures = np.require(batch[0], None, ["C", "W"])[None] if len(batch) == 1 else np.stack(batch)
        self._request.set_input_tensor(self._tensor(pictures, shared_memory=True))
        # Without a dictionary of outputs, which would be copies as well.
        self._request.infer(share_outputs=True)
        # A copy: the engine writes its next output to the same memory.
        return np.array(self._request.get_output_tensor(0).data, dtype=np.float32)

    def close(self) -> None:
        self._request = None


def open_openvino(path: Path, threads: int, *, exact: bool) -> Session:
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
    """
    _keep_telemetry_out()
    try:
        import openvino  # noqa: PLC0415 - the engine is loaded when it is used, after the fork

        core = openvino.Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precision = "bf16" if has_bf16 and not exact else "f32"
        model = core.compile_model(
            _taking_bytes(openvino, core.read_model(str(path))),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": max(1, threads),
                "INFERENCE_PRECISION_HINT": precision,
                # By itself every process binds its first thread to the same core: two workers share one.
                "ENABLE_CPU_PINNING": False,
                # Code for every layer and input shape: some dozen shapes, not thousands of entries for good.
                "CPU_RUNTIME_CACHE_CAPACITY": SHAPE_CACHE,
            },
        )
        request = model.create_infer_request()
    except Exception as error:
        # OpenVINO raises RuntimeError, and its C++ classes under other names.
        message = f"openvino cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error
    return _OpenVinoSession(request, openvino.Tensor, precision)


def _taking_bytes(openvino: Any, model: Any) -> Any:  # noqa: ANN401 - openvino publishes no types
    """Return a model that takes ``uint8[b, height, width, 3]`` and turns it into its own input by itself."""
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


def _keep_telemetry_out() -> None:
    """Make ``import openvino_telemetry`` fail: ``import openvino`` would send an event to its makers.

    OpenVINO carries an empty stub for installations without that package, and falls back to it.
    """
    if TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
