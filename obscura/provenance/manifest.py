"""The manifest's model and parser."""

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
    """A manifest says what this version knows, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FileFacts(_Part):
    """A file: its checksum and length in bytes."""

    sha256: Sha256
    bytes: int


class ModelFacts(_Part):
    """Weights that looked, with their checksums by format and their own threshold where those are known."""

    name: Words
    version: Words
    engine: Words
    weights: dict[str, Sha256]
    min_confidence: float | None


class ObjectFacts(_Part):
    """What was to be hidden: box in pixels of the upright picture; no confidence where a person drew it."""

    class_name: Words = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    confidence: float | None
    frame: int | None = None


class DetectionFacts(_Part):
    """How it was looked for; ``min_confidence`` is null where the models' own thresholds were used."""

    quality: Words
    min_confidence: float | None
    models: tuple[ModelFacts, ...]


class RedactionFacts(_Part):
    """How it was hidden; ``regions`` are the painted boxes in whole pixels, ``frames`` where each lies."""

    styles: dict[str, Words]
    shape: Words
    grow: float
    feather: float = 0.0
    regions: tuple[tuple[int, int, int, int], ...]
    frames: tuple[int, ...] | None = None


class MetadataFacts(_Part):
    """What happened to the photo's metadata."""

    policy: Words
    removed: tuple[Words, ...]
    kept: tuple[Words, ...]


class SignatureFacts(_Part):
    """A signature, in lower-case hex."""

    algorithm: Literal["hmac-sha256", "ed25519"]
    value: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){1,64}$")]


class Manifest(_Part):
    """What was done to one photo, by whom and when."""

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
    """Return the manifest in a file as JSON types, exactly as it was signed.

    Raises
    ------
    InvalidRequestError
        If it is no manifest, or one of another version.
    """
    if len(data) > MAX_BYTES:
        message = "the manifest is too long to be one"
        raise InvalidRequestError(message)
    try:
        text = data.decode()
        fields = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        message = f"the manifest is no JSON object: {error}"
        raise InvalidRequestError(message) from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        message = f'this is no manifest: "format" is not "{FORMAT}"'
        raise InvalidRequestError(message)
    if fields.get("format_version") != FORMAT_VERSION:
        message = f"the manifest's format version is not {FORMAT_VERSION}: another Obscura wrote it"
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
    """Return an object; refuse one that says two things under one name: readers would differ."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        message = "a name stands twice in one object"
        raise ValueError(message)
    return fields
