"""onnxruntime on the CPU and on NVIDIA GPUs. No other module imports onnxruntime and onnx."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.errors import BackendUnavailableError

__all__ = ["OnnxSession", "has_gpu", "open_onnx", "open_onnx_batched"]

GPU_BATCH: Final = 16
"""Pictures per run on a GPU, at most."""

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
BYTES: Final = "tensor(uint8)"


class OnnxSession:
    """A model on onnxruntime; see `Session`."""

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - onnxruntime publishes no types
        *,
        name: str = "onnx",
        device: str = "cpu",
        batch_size: int = 1,
    ) -> None:
        self.name, self.device, self.batch_size = name, device, batch_size
        self._session = session
        self._input = session.get_inputs()[0].name
        self._takes_bytes = session.get_inputs()[0].type == BYTES
        self.input_shape: tuple[int | str | None, ...] = tuple(session.get_inputs()[0].shape)
        self.metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`."""
        return self.run_tensor(np.stack(batch) if self._takes_bytes else _tensor(batch))

    def run_tensor(self, tensor: Floats | Pixels) -> Floats:
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


def has_gpu() -> bool:
    """Return whether onnxruntime is installed in its build for CUDA and this machine has a GPU driver.

    Neither onnxruntime nor CUDA is loaded to find out: a process that forks afterwards could not use the GPU.
    """
    spec = find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return False
    provider = Path(spec.origin).parent / "capi" / "libonnxruntime_providers_cuda.so"
    # The second is the driver's device in Windows' Linux.
    return provider.exists() and any(Path("/dev", name).exists() for name in ("nvidiactl", "dxg"))


def open_onnx(path: Path, threads: int, device: str = "cpu", *, exact: bool = False) -> OnnxSession:
    """Load an ONNX file; raise BackendUnavailableError where onnxruntime cannot.

    Parameters
    ----------
    path
        The file.
    threads
        CPU threads of one inference, at least 1.
    device
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``. Without a GPU the
        network runs on the CPU.
    exact
        Whether to compute in f32 on a GPU too, where f16 is faster.
    """
    if device != "cpu" and has_gpu():
        options = {
            "device_id": int(device.partition(":")[2] or 0),
            # The default tries all algorithms for every new input size, for seconds.
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": not exact,
        }
        session = open_onnx_batched(path, threads, [(CUDA, options), CPU], half=not exact)
        if session.device != "cpu":
            return session
        # The driver is there, the GPU or one of CUDA's libraries is not; onnxruntime has written which.
        session.close()
    return OnnxSession(_session(path, str(path), threads, [CPU]))


def open_onnx_batched(
    path: Path, threads: int, providers: Sequence[str | tuple[str, Mapping[str, Any]]], *, half: bool
) -> OnnxSession:
    """Load an ONNX file for batches of pictures in bytes, which the device converts; see `open_onnx`.

    Parameters
    ----------
    path, threads
        See `open_onnx`.
    providers
        onnxruntime's execution providers with their options, in order of preference.
    half
        Whether to compute in f16.
    """
    session = _session(path, _taking_bytes(path, half=half), threads, providers)
    used, options = next(iter(session.get_provider_options().items()))
    device = f"cuda:{options['device_id']}" if used == CUDA else "cpu"
    return OnnxSession(session, name="onnx-f16" if half else "onnx", device=device, batch_size=GPU_BATCH)


def _taking_bytes(path: Path, *, half: bool) -> bytes:
    """Return a model that takes ``uint8[b, height, width, 3]``, converted to f16 if ``half``."""
    try:
        import onnx  # noqa: PLC0415 - needed for GPUs only
        from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - the same
    except ImportError as error:
        message = "GPUs need the extra gpu: pip install 'obscura-photo[gpu]'"
        raise BackendUnavailableError(message) from error
    model = onnx.load(path)
    if half:
        model = convert_float_to_float16(model)
    graph, helper = model.graph, onnx.helper
    kind, own = graph.input[0].type.tensor_type.elem_type, graph.input[0].name
    scale = helper.make_tensor("bytes_scale", kind, [], [1 / 255])
    steps = [
        helper.make_node("Transpose", ["bytes"], ["bytes_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["bytes_planes"], ["bytes_levels"], to=kind),
        helper.make_node("Mul", ["bytes_levels", "bytes_scale"], [own]),
    ]
    shape = ["batch", "height", "width", 3]
    graph.input[0].CopyFrom(helper.make_tensor_value_info("bytes", onnx.TensorProto.UINT8, shape))
    graph.initializer.append(scale)
    for step in reversed(steps):
        graph.node.insert(0, step)
    data: bytes = model.SerializeToString()
    return data


def _session(path: Path, model: str | bytes, threads: int, providers: Sequence[Any]) -> Any:  # noqa: ANN401 - no types
    try:
        import onnxruntime  # noqa: PLC0415 - the engine is loaded when it is used, after the fork

        onnxruntime.disable_telemetry_events()
        if len(providers) > 1:
            # CUDA's libraries are in packages of their own, where the system's loader does not look.
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads would take CPU time from the other workers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Otherwise every input shape keeps a memory arena that is never released.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        return onnxruntime.InferenceSession(model, options, providers=list(providers))
    except Exception as error:
        # onnxruntime's exceptions have no common base but Exception.
        message = f"onnxruntime cannot load {path.name}: {error}"
        raise BackendUnavailableError(message) from error
