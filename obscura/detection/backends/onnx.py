"""onnxruntime on the CPU. No other module imports onnxruntime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.errors import BackendUnavailableError

__all__ = ["OnnxSession", "open_onnx"]


class OnnxSession:
    """A model on onnxruntime; see `Session`."""

    name = "onnx"
    device = "cpu"
    batch_size = 1

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - onnxruntime publishes no types
        self._session = session
        self._input = session.get_inputs()[0].name
        self.input_shape: tuple[int | str | None, ...] = tuple(session.get_inputs()[0].shape)
        self.metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`."""
        return self.run_tensor(_tensor(batch))

    def run_tensor(self, tensor: Floats) -> Floats:
        """Return the first output for an input in the model's own type and layout."""
        if self._session is None:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        return np.asarray(self._session.run(None, {self._input: tensor})[0], dtype=np.float32)

    def close(self) -> None:
        """Free the model."""
        self._session = None


def _tensor(batch: Sequence[Pixels]) -> Floats:
    """Return pictures as float32 ``[b, 3, height, width]`` in 0..1."""
    height, width = batch[0].shape[:2]
    tensor = np.empty((len(batch), 3, height, width), dtype=np.float32)
    for index, picture in enumerate(batch):
        for channel in range(3):
            np.multiply(picture[..., channel], np.float32(1 / 255), out=tensor[index, channel])
    return tensor


def open_onnx(path: Path, threads: int) -> OnnxSession:
    """Load an ONNX file; raise BackendUnavailableError where onnxruntime cannot."""
    try:
        import onnxruntime  # noqa: PLC0415 - the engine is loaded when it is used, after the fork

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads would take CPU time from the other workers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Otherwise every input shape keeps a memory arena that is never released.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base but Exception.
        message = f"onnxruntime cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error
    return OnnxSession(session)
