"""The shipped weights: classes, files and checksums."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from obscura.errors import ModelCorruptError, ModelError, ModelMissingError

__all__ = [
    "Installed",
    "ModelCard",
    "NetworkCard",
    "WeightsFile",
    "card_for_class",
    "default_models_dir",
    "installed_weights",
    "load_manifest",
    "verified_path",
]

SHA256_LENGTH = 64
SUPPLEMENT, STAND_IN = "supplement", "stand-in"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights: its path below the models folder, and its checksum in lower-case hex."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """A small network beside a full detector: its proposal network or its auxiliary network.

    Attributes
    ----------
    name, version
        For reports and for people.
    row
        Row of its output scores, counted from 0, that belongs to this class.
    files
        Weights by format.
    stands_in
        Whether the boxes of an auxiliary network and of the proposal network suffice for `Quality.BALANCED`,
        so that the full detector does not run. A weaker one only adds to what the full detector finds.
    """

    name: str
    version: str
    row: int
    files: Mapping[str, WeightsFile]
    stands_in: bool = True


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The entry of one model in the manifest of the weights.

    Attributes
    ----------
    name, version, licence
        For reports and for people.
    class_name
        The class of objects that it detects, such as ``"face"``.
    input_size
        Long side, in pixels, of the pictures it was trained on.
    min_confidence
        Score, 0..1, from which a box is reported unless the caller says otherwise.
    max_overlap
        Intersection over union, 0..1, above which two boxes are the same object.
    files
        Weights by format (``"onnx"``, ``"pt"``).
    proposal
        The proposal network that runs first, or None.
    auxiliary
        The network whose boxes are fused with the full detector's (see `obscura.detection.fusion`), or None.
    """

    name: str
    class_name: str
    version: str
    licence: str
    input_size: int
    min_confidence: float
    max_overlap: float
    files: Mapping[str, WeightsFile]
    proposal: NetworkCard | None = None
    auxiliary: NetworkCard | None = None

    @property
    def beside(self) -> Mapping[str, NetworkCard]:
        """The small networks that it has, by the manifest's key."""
        named = {"scout": self.proposal, "auxiliary": self.auxiliary}
        return {key: card for key, card in named.items() if card is not None}

    @property
    def all_files(self) -> Mapping[str, WeightsFile]:
        """Its own weights by format, then the small networks' with the manifest's key as prefix."""
        small = {
            f"{key}.{kind}": file for key, card in self.beside.items() for kind, file in card.files.items()
        }
        return {**self.files, **small}


def default_models_dir() -> Path:
    """Return the folder of the shipped weights: ``obscura/_models`` of a wheel, ``models`` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_models"
    return installed if installed.is_dir() else package.parent / "models"


def load_manifest(path: Path) -> Mapping[str, ModelCard]:
    """Read a manifest and return its cards by model name.

    Raises
    ------
    ModelMissingError
        If there is no such file.
    ModelError
        If it is no TOML, or an entry lacks a field or has one of the wrong type or range.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"no model manifest at {path}"
        raise ModelMissingError(message) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"model manifest {path} cannot be read: {error}"
        raise ModelError(message) from error
    try:
        return MappingProxyType({name: _card(name, table) for name, table in tables.items()})
    except (TypeError, ValueError) as error:
        message = f"model manifest {path}: {error}"
        raise ModelError(message) from error


def card_for_class(manifest: Mapping[str, ModelCard], class_name: str) -> ModelCard:
    """Return the first card whose model finds ``class_name``; raise ModelMissingError if there is none."""
    for card in manifest.values():
        if card.class_name == class_name:
            return card
    known = ", ".join(sorted({card.class_name for card in manifest.values()})) or "nothing"
    message = f"no model finds {class_name!r}: the manifest knows {known}"
    raise ModelMissingError(message)


def verified_path(folder: Path, weights: WeightsFile) -> Path:
    """Return the path of ``weights`` below ``folder`` after comparing their checksum.

    Raises
    ------
    ModelMissingError
        If the file is absent.
    ModelCorruptError
        If its SHA-256 is not the manifest's.
    """
    path = folder / weights.path
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"weights file {path} cannot be read: {error.strerror}"
        raise ModelMissingError(message) from error
    if found != weights.sha256:
        message = (
            f"weights file {path} is damaged or foreign: expected sha256 {weights.sha256}, found {found}"
        )
        raise ModelCorruptError(message)
    return path


class Installed(NamedTuple):
    """A weights file that a manifest names.

    Attributes
    ----------
    model, version
        The model that it belongs to.
    classes
        The classes that this model detects.
    kind
        Its format.
    path
        Below the models folder.
    problem
        Why it cannot be used; empty where its checksum is right.
    """

    model: str
    version: str
    classes: tuple[str, ...]
    kind: str
    path: str
    problem: str


def installed_weights(folder: Path) -> Iterator[Installed]:
    """Yield every weights file once, small networks last; raise as `load_manifest` does."""
    cards = load_manifest(folder / "manifest.toml").values()
    named: list[tuple[ModelCard | NetworkCard, str]] = [(card, card.class_name) for card in cards]
    named += [(small, card.class_name) for card in cards for small in card.beside.values()]
    models: dict[tuple[str, str], tuple[Mapping[str, WeightsFile], list[str]]] = {}
    for model, class_name in named:
        models.setdefault((model.name, model.version), (model.files, []))[1].append(class_name)
    for (name, version), (files, classes) in models.items():
        for kind, weights in sorted(files.items()):
            try:
                verified_path(folder, weights)
                problem = ""
            except ModelError as error:
                problem = error.message
            yield Installed(name, version, tuple(classes), kind, weights.path, problem)


def _card(name: str, table: object) -> ModelCard:
    fields = _Fields(name, table)
    return ModelCard(
        name=name,
        class_name=fields.text("class"),
        version=fields.text("version"),
        licence=fields.text("licence"),
        input_size=fields.positive("input_size"),
        min_confidence=fields.share("min_confidence"),
        max_overlap=fields.share("max_overlap"),
        files=_files(name, fields),
        proposal=_network_card(fields, name, "scout"),
        auxiliary=_network_card(fields, name, "auxiliary"),
    )


def _network_card(model: "_Fields", name: str, key: str) -> NetworkCard | None:
    if key not in model.names:
        return None
    place = f"{name}.{key}"
    fields = _Fields(place, model.value(key, dict))
    role = fields.text("role") if "role" in fields.names else STAND_IN
    if role not in (SUPPLEMENT, STAND_IN):
        message = f"[{place}] 'role' must be {SUPPLEMENT} or {STAND_IN}, not {role!r}"
        raise ValueError(message)
    return NetworkCard(
        fields.text("name"),
        fields.text("version"),
        fields.position("row"),
        _files(place, fields),
        stands_in=role == STAND_IN,
    )


def _files(place: str, fields: "_Fields") -> Mapping[str, WeightsFile]:
    files = _Fields(f"{place}.files", fields.value("files", dict))
    if not files.names:
        message = f"[{place}.files] names no file"
        raise ValueError(message)
    return MappingProxyType({kind: _weights(f"{place}.files.{kind}", files, kind) for kind in files.names})


def _weights(place: str, files: "_Fields", kind: str) -> WeightsFile:
    fields = _Fields(place, files.value(kind, dict))
    path, sha256 = fields.text("path"), fields.text("sha256").lower()
    if Path(path).is_absolute() or ".." in Path(path).parts:
        message = f"[{place}] path must stay below the models folder, not {path!r}"
        raise ValueError(message)
    if len(sha256) != SHA256_LENGTH or not set(sha256) <= set("0123456789abcdef"):
        message = f"[{place}] sha256 must be {SHA256_LENGTH} hexadecimal digits"
        raise ValueError(message)
    return WeightsFile(path, sha256)


class _Fields:
    """A TOML table whose error messages contain its name."""

    def __init__(self, place: str, table: object) -> None:
        if not isinstance(table, dict):
            message = f"[{place}] must be a table"
            raise TypeError(message)
        self._place = place
        self._table: dict[str, Any] = table

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._table)

    def value(self, field: str, kind: type) -> object:
        if field not in self._table:
            message = f"[{self._place}] lacks {field!r}"
            raise ValueError(message)
        value = self._table[field]
        # bool is a subclass of int, but no valid number here.
        if not isinstance(value, kind) or isinstance(value, bool):
            message = f"[{self._place}] {field!r} must be {kind.__name__}, not {value!r}"
            raise TypeError(message)
        return value

    def text(self, field: str) -> str:
        text = str(self.value(field, str))
        if not text:
            message = f"[{self._place}] {field!r} is empty"
            raise ValueError(message)
        return text

    def positive(self, field: str) -> int:
        number = int(str(self.value(field, int)))
        if number <= 0:
            message = f"[{self._place}] {field!r} must be positive, not {number}"
            raise ValueError(message)
        return number

    def position(self, field: str) -> int:
        number = int(str(self.value(field, int)))
        if number < 0:
            message = f"[{self._place}] {field!r} must be 0 or more, not {number}"
            raise ValueError(message)
        return number

    def share(self, field: str) -> float:
        number = float(str(self.value(field, float)))
        if not 0.0 < number <= 1.0:
            message = f"[{self._place}] {field!r} must lie in 0..1, not {number}"
            raise ValueError(message)
        return number
