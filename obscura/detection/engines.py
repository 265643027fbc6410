"""Choose the inference engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from obscura.detection.backends.base import Session
from obscura.detection.backends.onnx import open_onnx
from obscura.detection.backends.openvino import open_openvino
from obscura.detection.backends.ultralytics import has_gpu, open_ultralytics
from obscura.detection.rescoring import WINDOW_SIZES
from obscura.detection.tiling import SCOUTED_SIZES
from obscura.detection.weights import ModelCard, ScoutCard, verified_path
from obscura.errors import BackendUnavailableError, ModelMissingError
from obscura.geometry import Size
from obscura.settings import EngineChoice, Precision

__all__ = ["EngineChoice", "EngineOptions", "Precision", "open_session", "pick_engine"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run a model.

    Attributes
    ----------
    choice
        The engine.
    threads
        CPU threads of one inference, at least 1.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; only ultralytics knows GPUs.
    precision
        Arithmetic.
    """

    choice: EngineChoice = EngineChoice.AUTO
    threads: int = 1
    device: str = "auto"
    precision: Precision = Precision.AUTO


Often = frozenset[Size]
"""Sizes of inputs that come so often that an engine may prepare itself for each."""

Opener = Callable[[Path, EngineOptions, Often], Session]


@dataclass(frozen=True, slots=True)
class _Engine:
    modules: tuple[str, ...]
    weights: str
    install: str
    open: Opener


def _onnx(path: Path, options: EngineOptions, _often: Often) -> Session:
    return open_onnx(path, options.threads)


def _openvino(path: Path, options: EngineOptions, often: Often) -> Session:
    exact = options.precision is Precision.F32
    return open_openvino(path, options.threads, exact=exact, often=often)


def _ultralytics(path: Path, options: EngineOptions, _often: Often) -> Session:
    return open_ultralytics(path, options.threads, options.device, exact=options.precision is Precision.F32)


_ENGINES: Mapping[EngineChoice, _Engine] = MappingProxyType(
    {
        EngineChoice.ONNX: _Engine(("onnxruntime",), "onnx", "pip install 'obscura-photo'", _onnx),
        EngineChoice.OPENVINO: _Engine(
            ("openvino",), "onnx", "pip install 'obscura-photo[openvino]'", _openvino
        ),
        EngineChoice.ULTRALYTICS: _Engine(
            ("torch", "ultralytics"),
            "pt",
            "install torch, then pip install 'obscura-photo[gpu]'",
            _ultralytics,
        ),
    }
)


def pick_engine(options: EngineOptions) -> EngineChoice:
    """Return the engine that ``options`` mean.

    A GPU with torch and ultralytics comes first unless the device is ``"cpu"``, then OpenVINO, then
    onnxruntime.

    Raises
    ------
    BackendUnavailableError
        If the chosen engine, or for ``auto`` every engine, is not installed; the message says how to.
    """
    if options.choice is not EngineChoice.AUTO:
        engine = _ENGINES[options.choice]
        if not _installed(engine):
            message = f"engine {options.choice.value} is not installed: {engine.install}"
            raise BackendUnavailableError(message)
        return options.choice
    wants_gpu = options.device.startswith("cuda")
    if wants_gpu or (
        options.device == "auto" and _installed(_ENGINES[EngineChoice.ULTRALYTICS]) and has_gpu()
    ):
        return pick_engine(EngineOptions(EngineChoice.ULTRALYTICS))
    for choice in (EngineChoice.OPENVINO, EngineChoice.ONNX):
        if _installed(_ENGINES[choice]):
            return choice
    message = f"no inference engine is installed: {_ENGINES[EngineChoice.ONNX].install}"
    raise BackendUnavailableError(message)


def open_session(models_dir: Path, card: ModelCard | ScoutCard, options: EngineOptions) -> Session:
    """Check the weights that the engine needs, load them, and return the running model.

    Raises
    ------
    ModelMissingError, ModelCorruptError
        If the weights are not those of the manifest.
    BackendUnavailableError
        If the engine is absent or cannot run them.
    """
    choice = pick_engine(options)
    engine = _ENGINES[choice]
    weights = card.files.get(engine.weights)
    if weights is None:
        message = f"model {card.name} has no {engine.weights} weights for engine {choice.value}"
        raise ModelMissingError(message)
    often = SCOUTED_SIZES if isinstance(card, ScoutCard) else WINDOW_SIZES
    return engine.open(verified_path(models_dir, weights), options, often)


def _installed(engine: _Engine) -> bool:
    return all(find_spec(module) is not None for module in engine.modules)
