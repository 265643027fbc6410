"""Options of client calls; the server's defaults apply to what is not given."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from obscura.errors import InvalidOptionError
from obscura.wording import unknown_name

Photo: TypeAlias = bytes | str | Path


class LookOptions(TypedDict, total=False):
    """How to look for objects."""

    classes: Sequence[str]
    quality: Literal["rapid", "fast", "balanced", "thorough"]
    min_confidence: float
    text_match: str
    frames: Literal["one", "all"]
    zero_retention: bool


class HideOptions(TypedDict, total=False):
    """How to hide objects.

    ``color``, of the style ``solid``, is ``#rrggbb``; ``mask`` is a picture, bytes or a path, of what is
    hidden in any case.
    """

    style: Literal["soft", "mosaic", "solid", "blur", "pixel_noise"]
    cells: int
    color: str
    shape: Literal["box", "ellipse"]
    grow: float
    feather: float
    metadata: Literal["strip", "keep_safe", "coarse_gps"]
    output: Literal["same", "jpeg", "png", "webp"]
    residual_check: Literal["quick", "full", "off"]
    content_credentials: bool
    mask: Photo


class RedactOptions(HideOptions, total=False):
    """How to hide given boxes."""

    zero_retention: bool


class VideoOptions(TypedDict, total=False):
    """How to look and how to hide in a video; ``mask`` and ``keep`` are held against every frame.

    ``beep``, of ``audio="beep"``, are pairs of seconds between which a tone covers the sound.
    """

    classes: Sequence[str]
    quality: Literal["rapid", "fast", "balanced", "thorough"]
    min_confidence: float
    text_match: str
    style: Literal["soft", "mosaic", "solid", "blur", "pixel_noise"]
    cells: int
    color: str
    shape: Literal["box", "ellipse"]
    grow: float
    metadata: Literal["strip", "keep_safe", "coarse_gps"]
    audio: Literal["keep", "drop", "beep"]
    beep: Sequence[Sequence[float]]
    mask: Photo
    keep: Sequence[Sequence[float]]


class BlurOptions(LookOptions, HideOptions, total=False):
    """How to look and how to hide; ``keep`` are zones, (x1, y1, x2, y2) in pixels of the upright photo."""

    keep: Sequence[Sequence[float]]


def check_names(names: Iterable[str], kind: type) -> None:
    """Refuse options that the typed dictionary ``kind`` does not have.

    Raises
    ------
    InvalidOptionError
        With the nearest known name of each.
    """
    known = kind.__annotations__
    unknown = [unknown_name(name, "an option", known) for name in names if name not in known]
    if unknown:
        raise InvalidOptionError("; ".join(unknown))
