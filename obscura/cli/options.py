"""Options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from obscura.contract import (
    Audio,
    Frames,
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Quality,
    RedactionShape,
    RedactionStyle,
)
from obscura.errors import InvalidOptionError
from obscura.settings import EngineChoice, Settings

__all__ = [
    "AsJson",
    "Classes",
    "Engine",
    "FramesOption",
    "HideOptions",
    "MinConfidence",
    "Paths",
    "QualityOption",
    "Report",
    "classes_of",
    "settings_for",
]

Paths = Annotated[list[Path], typer.Argument(help="files, folders, and patterns such as 'photos/**/*.jpg'")]
Classes = Annotated[str, typer.Option(help="what to look for: face, plate or face,plate")]
MinConfidence = Annotated[
    float | None, typer.Option(min=0.001, max=1.0, help="lowest score of a detection (default: the model's)")
]
FramesOption = Annotated[Frames, typer.Option(help="all: every frame of an animation, every page of a TIFF")]
QualityOption = Annotated[Quality, typer.Option(help="how hard to look")]
Engine = Annotated[EngineChoice | None, typer.Option(help="default: OBSCURA_ENGINE, else the fastest")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")]
Report = Annotated[Path | None, typer.Option(help="write what was done to FILE.csv or FILE.json")]


@dataclass(frozen=True)
class HideOptions:
    """How to hide, as the command line says it."""

    style: RedactionStyle | None
    cells: int | None
    shape: RedactionShape | None
    grow: float | None
    feather: float | None
    metadata: MetadataPolicy
    output: OutputFormat
    manifest: bool = False
    frames: Frames = Frames.ONE
    audio: Audio = Audio.KEEP


def classes_of(text: str) -> tuple[ObjectClass, ...]:
    """Return the classes that ``--classes`` names; raise InvalidOptionError where one is none."""
    try:
        names = tuple(dict.fromkeys(ObjectClass(name.strip()) for name in text.split(",") if name.strip()))
    except ValueError as error:
        message = f"--classes: {error}; known are {', '.join(ObjectClass)}"
        raise InvalidOptionError(message) from error
    if not names:
        message = "--classes names no class"
        raise InvalidOptionError(message)
    return names


def settings_for(engine: EngineChoice | None) -> Settings:
    """Return the settings of a command line."""
    # Nobody would start a command line again: it gives a photo up, but never ends itself.
    settings = Settings(decode_kill_s=0)
    return settings if engine is None else settings.model_copy(update={"engine": engine})
