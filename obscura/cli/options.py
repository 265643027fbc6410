"""Options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from obscura.contract import (
    Audio,
    ExclusionZone,
    Frames,
    JobOptions,
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Quality,
    RedactionShape,
    RedactionStyle,
    ResidualCheck,
)
from obscura.errors import InvalidOptionError
from obscura.settings import EngineChoice, Settings

__all__ = [
    "PIPE",
    "AsJson",
    "Classes",
    "Credentials",
    "Engine",
    "Format",
    "FramesOption",
    "HideOptions",
    "Keep",
    "MaskFile",
    "Metadata",
    "MinConfidence",
    "Output",
    "Paths",
    "QualityOption",
    "Report",
    "ResidualCheckOption",
    "ReviewFails",
    "Style",
    "TextMatch",
    "classes_of",
    "look_of",
    "mask_of",
    "settings_for",
    "spans_of",
    "zones_of",
]

PIPE: Final = Path("-")
"""Standard input or output."""

Paths = Annotated[list[Path], typer.Argument(help="files, folders, and patterns such as 'photos/**/*.jpg'")]
Classes = Annotated[
    str, typer.Option(help="what to look for, separated by commas: face, plate, code, text, person, screen")
]
MinConfidence = Annotated[
    float | None, typer.Option(min=0.001, max=1.0, help="lowest score of a detection (default: the model's)")
]
TextMatch = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN", help="of the class text: hide only what this pattern matches (RE2 syntax)"
    ),
]
FramesOption = Annotated[Frames, typer.Option(help="all: every frame of an animation, every page of a TIFF")]
QualityOption = Annotated[Quality, typer.Option(help="how hard to look")]
MaskFile = Annotated[
    Path | None, typer.Option(help="picture of the photos' aspect ratio: what is not black in it is hidden")
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X1,Y1,X2,Y2", help="zone: finds wholly inside it are not hidden; may be given several times"
    ),
]
ResidualCheckOption = Annotated[
    ResidualCheck | None,
    typer.Option(help="search the results for what is not hidden: quick (default), full or off"),
]
Credentials = Annotated[
    bool,
    typer.Option("--content-credentials", help="write signed Content Credentials (C2PA) into each picture"),
]
Engine = Annotated[EngineChoice | None, typer.Option(help="default: OBSCURA_ENGINE, else the fastest")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="folder for the results, or the file of a single one; - for standard output; "
        "default: NAME_redacted beside each file",
    ),
]
Style = Annotated[
    RedactionStyle | None, typer.Option(help="default: soft for faces, filled from around for plates")
]
Metadata = Annotated[MetadataPolicy, typer.Option(help="which metadata stays")]
Format = Annotated[OutputFormat, typer.Option("--format", help="format written")]
ReviewFails = Annotated[
    bool, typer.Option("--review-fails", help="exit with 3 where a person should look at a picture")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")]
Report = Annotated[Path | None, typer.Option(help="write what was done to FILE.csv or FILE.json")]


@dataclass(frozen=True)
class HideOptions:
    """Redaction options of the command line."""

    style: RedactionStyle | None = None
    cells: int | None = None
    shape: RedactionShape | None = None
    grow: float | None = None
    feather: float | None = None
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    output: OutputFormat = OutputFormat.SAME
    manifest: bool = False
    frames: Frames = Frames.ONE
    audio: Audio = Audio.KEEP
    mask: bytes = b""
    keep: tuple[ExclusionZone, ...] = ()
    residual_check: ResidualCheck | None = None
    content_credentials: bool = False
    color: str | None = None
    beep: tuple[tuple[float, float], ...] = ()


def classes_of(text: str) -> tuple[ObjectClass, ...]:
    """Return the classes that ``--classes`` names; raise InvalidOptionError where one is none."""
    try:
        names = tuple(dict.fromkeys(ObjectClass(name.strip()) for name in text.split(",") if name.strip()))
    except ValueError as error:
        message = f"--classes: {error}; known are {', '.join(ObjectClass.known())}"
        raise InvalidOptionError(message) from error
    if not names:
        message = "--classes names no class"
        raise InvalidOptionError(message)
    return names


def look_of(
    classes: str, quality: Quality, min_confidence: float | None, frames: Frames, text_match: str | None
) -> JobOptions:
    """Return how to look for objects, as the command line says it; raise InvalidOptionError for no class."""
    return JobOptions(
        classes=classes_of(classes),
        quality=quality,
        min_confidence=min_confidence,
        frames=frames,
        text_match=text_match,
    )


def mask_of(path: Path | None) -> bytes:
    """Return the bytes of ``--mask``, none where it is not given; raise InvalidOptionError for no file."""
    if path is None:
        return b""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"--mask: cannot read {path}: {error.strerror}"
        raise InvalidOptionError(message) from error
    if not data:
        message = f"--mask: {path} is empty"
        raise InvalidOptionError(message)
    return data


def spans_of(text: str | None) -> tuple[tuple[float, float], ...]:
    """Return the times that ``--beep`` names; raise InvalidOptionError where they are none."""
    return () if text is None else JobOptions().model_copy(update={"beep": text}).beep


def zones_of(texts: list[str] | None) -> tuple[ExclusionZone, ...]:
    """Return the zones that ``--keep`` names; raise InvalidOptionError where one is none."""
    try:
        return tuple(ExclusionZone.model_validate({"xyxy": text.split(",")}) for text in texts or ())
    except ValidationError as error:
        message = f"--keep takes X1,Y1,X2,Y2 in pixels: {error.errors()[0]['msg']}"
        raise InvalidOptionError(message) from error


def settings_for(engine: EngineChoice | None) -> Settings:
    """Return the settings of a command line."""
    # Nobody would start a command line again: it gives a photo up, but never ends itself.
    settings = Settings(decode_kill_s=0)
    return settings if engine is None else settings.model_copy(update={"engine": engine})
