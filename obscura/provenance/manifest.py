"""The typed model of a manifest, and its parser."""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from obscura.errors import InvalidRequestError

FORMAT: Final = "obscura-manifest"
FORMAT_VERSION: Final = 1
MAX_BYTES: Final = 16 * 1024 * 1024

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Field(max_length=1000)]


class _Part(BaseModel):
    """Base of the models: immutable, strict types, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FileFacts(_Part):
    """Checksum and length in bytes of a file."""

    sha256: Sha256
    bytes: int


class ModelFacts(_Part):
    """A model: name, version, engine, checksums of its weights by format, default threshold or null."""

    name: Words
    version: Words
    engine: Words
    weights: dict[str, Sha256]
    min_confidence: float | None


class ObjectFacts(_Part):
    """An object to hide: class, box in pixels of the upright picture, confidence or null for a given box."""

    class_name: Words = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    confidence: float | None
    frame: int | None = None


class DetectionFacts(_Part):
    """Parameters of the detection; ``min_confidence`` is null if the models' thresholds were used."""

    quality: Words
    min_confidence: float | None
    models: tuple[ModelFacts, ...]


class RedactionFacts(_Part):
    """Parameters of the redaction; ``regions`` are painted boxes in whole pixels, ``frames`` their frames."""

    styles: dict[str, Words]
    shape: Words
    grow: float
    feather: float = 0.0
    regions: tuple[tuple[int, int, int, int], ...]
    frames: tuple[int, ...] | None = None


class MetadataFacts(_Part):
    """Metadata policy, and the kinds of metadata that were removed and kept."""

    policy: Words
    removed: tuple[Words, ...]
    kept: tuple[Words, ...]


class SignatureFacts(_Part):
    """Algorithm and value (lower-case hex) of a signature."""

    algorithm: Literal["hmac-sha256", "ed25519"]
    value: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){1,64}$")]


class Manifest(_Part):
    """The record of one redaction: files, detection, objects, redaction, verdicts, time, signature."""

    format: Literal["obscura-manifest"]
    format_version: Literal[1]
    obscura_version: Words
    time: Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z$")]
    input: FileFacts
    output: FileFacts
    detection: DetectionFacts
    objects: tuple[ObjectFacts, ...]
    redaction: RedactionFacts
    metadata: MetadataFacts
    redaction_verdict: Words
    review_verdict: Words | None
    signature: SignatureFacts | None


def read(data: bytes) -> dict[str, Any]:
    """Parse the manifest in ``data``; return its JSON value unchanged, as the signature covers it.

    Raises
    ------
    InvalidRequestError
        If it is not a manifest, or one of another format version.
    """
    if len(data) > MAX_BYTES:
        message = f"the manifest is longer than {MAX_BYTES} bytes"
        raise InvalidRequestError(message)
    try:
        text = data.decode()
        fields = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        message = f"the manifest is not a JSON object: {error}"
        raise InvalidRequestError(message) from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        message = f'this is not a manifest: "format" is not "{FORMAT}"'
        raise InvalidRequestError(message)
    if fields.get("format_version") != FORMAT_VERSION:
        message = f"the manifest's format version is not {FORMAT_VERSION}: another release wrote it"
        raise InvalidRequestError(message)
    try:
        Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        message = f"the manifest is malformed at {place}: {first['msg']}"
        raise InvalidRequestError(message) from error
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise ValueError for duplicate names, which parsers treat differently."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        message = "duplicate name in an object"
        raise ValueError(message)
    return fields
