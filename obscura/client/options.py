"""Options of calls, by name; the server's defaults where they are not given."""

from collections.abc import Sequence
from typing import Literal, TypedDict


class LookOptions(TypedDict, total=False):
    """How to look for objects."""

    classes: Sequence[Literal["face", "plate"]]
    quality: Literal["fast", "balanced", "thorough"]
    min_confidence: float
    frames: Literal["one", "all"]
    zero_retention: bool


class HideOptions(TypedDict, total=False):
    """How to hide objects."""

    style: Literal["mosaic", "solid", "blur", "pixel_noise"]
    cells: int
    shape: Literal["box", "ellipse"]
    grow: float
    feather: float
    metadata: Literal["strip", "keep_safe", "coarse_gps"]
    output: Literal["same", "jpeg", "png", "webp"]


class RedactOptions(HideOptions, total=False):
    """How to hide given boxes."""

    zero_retention: bool


class VideoOptions(TypedDict, total=False):
    """How to look and how to hide in a video."""

    classes: Sequence[Literal["face", "plate"]]
    quality: Literal["fast", "balanced", "thorough"]
    min_confidence: float
    style: Literal["mosaic", "solid", "blur", "pixel_noise"]
    cells: int
    shape: Literal["box", "ellipse"]
    grow: float
    metadata: Literal["strip", "keep_safe", "coarse_gps"]
    audio: Literal["keep", "drop"]


class BlurOptions(LookOptions, HideOptions, total=False):
    """How to look and how to hide."""
