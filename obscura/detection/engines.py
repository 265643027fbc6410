"""Choose the inference engine and open networks with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import structlog

from obscura.detection.backends.base import Session
from obscura.detection.backends.compiled import CompiledNetworks
from obscura.detection.backends.onnx import has_gpu, open_onnx
from obscura.detection.backends.openvino import open_openvino
from obscura.detection.backends.ultralytics import open_ultralytics
from obscura.detection.rescoring import WINDOW_SIZES
from obscura.detection.tiling import PROPOSAL_SIZES
from obscura.detection.weights import ModelCard, NetworkCard, verified_path
from obscura.errors import BackendUnavailableError, ModelMissingError
from obscura.geometry import Size
from obscura.settings import EngineChoice, Precision

__all__ = ["EngineChoice", "EngineOptions", "Precision", "checked_opener", "open_session", "pick_engine"]


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of an inference engine.

    Attributes
    ----------
    choice
        The engine; ``AUTO``: see `pick_engine`.
    threads
        CPU threads of one inference, at least 1.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; OpenVINO runs on the CPU only. Without a GPU every
        engine runs on the CPU.
    precision
        Arithmetic precision.
    cache
        Folder for compiled networks, or None; used by OpenVINO only.
    has_common_sizes
        Whether an engine may compile a network once more for each common input size. It costs more than it
        saves in a process that works on a few photos.
    """

    choice: EngineChoice = EngineChoice.AUTO
    threads: int = 1
    device: str = "auto"
    precision: Precision = Precision.AUTO
    cache: Path | None = None
    has_common_sizes: bool = True


@dataclass(frozen=True, slots=True)
class _File:
    """A checked weights file, and the common input sizes, for each of which an engine may compile it."""

    path: Path
    sha256: str
    often: frozenset[Size]


Opener = Callable[[_File, EngineOptions], Session]


@dataclass(frozen=True, slots=True)
class _Engine:
    modules: tuple[str, ...]
    weights: str
    install: str
    open: Opener


def _onnx(file: _File, options: EngineOptions) -> Session:
    exact = options.precision is Precision.F32
    return open_onnx(file.path, options.threads, options.device, exact=exact)


def _openvino(file: _File, options: EngineOptions) -> Session:
    compiled = None if options.cache is None else CompiledNetworks(options.cache, file.sha256)
    exact = options.precision is Precision.F32
    return open_openvino(file.path, options.threads, exact=exact, often=file.often, compiled=compiled)


def _ultralytics(file: _File, options: EngineOptions) -> Session:
    exact = options.precision is Precision.F32
    return open_ultralytics(file.path, options.threads, options.device, exact=exact)


_ENGINES: Mapping[EngineChoice, _Engine] = MappingProxyType(
    {
        EngineChoice.ONNX: _Engine(("onnxruntime",), "onnx", "pip install 'obscura-photo'", _onnx),
        EngineChoice.OPENVINO: _Engine(
            ("openvino",), "onnx", "pip install 'obscura-photo[openvino]'", _openvino
        ),
        EngineChoice.ULTRALYTICS: _Engine(
            ("torch", "ultralytics"),
            "pt",
            "install torch, then pip install 'obscura-photo[torch]'",
            _ultralytics,
        ),
    }
)


def pick_engine(options: EngineOptions) -> EngineChoice:
    """Return the engine for ``options``.

    ``AUTO`` takes onnxruntime where it can use a GPU and the device is not ``"cpu"``, then OpenVINO, then
    onnxruntime.

    Raises
    ------
    BackendUnavailableError
        If the chosen engine, or for ``auto`` every engine, is not installed; the message names the command
        that installs it.
    """
    if options.choice is not EngineChoice.AUTO:
        engine = _ENGINES[options.choice]
        if not _installed(engine):
            message = f"engine {options.choice.value} is not installed: {engine.install}"
            raise BackendUnavailableError(message)
        return options.choice
    on_gpu = options.device != "cpu" and has_gpu()
    for choice in (EngineChoice.ONNX,) if on_gpu else (EngineChoice.OPENVINO, EngineChoice.ONNX):
        if _installed(_ENGINES[choice]):
            return choice
    message = f"no inference engine is installed: {_ENGINES[EngineChoice.ONNX].install}"
    raise BackendUnavailableError(message)


def open_session(models_dir: Path, card: ModelCard | NetworkCard, options: EngineOptions) -> Session:
    """Check the weights that the engine needs, load them, and return the running model.

    Raises
    ------
    ModelMissingError, ModelCorruptError
        If the weights are not those of the manifest.
    BackendUnavailableError
        If the engine is absent or cannot run them.
    """
    return checked_opener(models_dir, card, options)()


def checked_opener(
    models_dir: Path, card: ModelCard | NetworkCard, options: EngineOptions
) -> Callable[[], Session]:
    """Check the weights and return a function that loads them; raise as `open_session` does."""
    choice = pick_engine(options)
    if isinstance(card, NetworkCard) and card.files.keys() == {"onnx"}:
        # Published as ONNX only: beside torch it runs on the CPU.
        choice = choice if _ENGINES[choice].weights == "onnx" else pick_engine(EngineOptions(device="cpu"))
    engine = _ENGINES[choice]
    weights = card.files.get(engine.weights)
    if weights is None:
        message = f"model {card.name} has no {engine.weights} weights for engine {choice.value}"
        raise ModelMissingError(message)
    common = PROPOSAL_SIZES if isinstance(card, NetworkCard) else WINDOW_SIZES
    often = common if options.has_common_sizes else frozenset[Size]()
    file = _File(verified_path(models_dir, weights), weights.sha256, often)

    def opened() -> Session:
        session = engine.open(file, options)
        if options.device.startswith("cuda") and session.device == "cpu":
            log.warning("no_gpu", model=card.name, asked=options.device, runs_on="cpu", engine=session.name)
        return session

    return opened


def _installed(engine: _Engine) -> bool:
    return all(find_spec(module) is not None for module in engine.modules)
