"""Typed results of lesion detection."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.results import ImageInfo, ModelInfo

RESEARCH_ONLY: Final = "research use, not a medical device"
"""The notice in every answer and picture."""

PixelSource = Literal["ImagerPixelSpacing", "PixelSpacing", "request", "guess"]


class LesionMark(BaseModel):
    """One calcification; its box ``x, y, w, h`` is in whole pixels of the picture, top-left origin.

    Attributes
    ----------
    score
        0..1, the logistic of ``z - 5``.
    z
        Contrast over the local noise, in standard deviations.
    area_mm2
        Area of the bright spot.
    diameter_mm
        Diameter of a circle of that area.
    cluster
        Index into the clusters of the picture, or None.
    """

    model_config = ConfigDict(frozen=True)

    score: float
    z: float
    x: int
    y: int
    w: int
    h: int
    area_mm2: float
    diameter_mm: float
    cluster: int | None = None


class LesionCluster(BaseModel):
    """At least three marks, each within 5.6 mm of another; box in pixels, score of the third best mark."""

    model_config = ConfigDict(frozen=True)

    score: float
    marks: int
    x: int
    y: int
    w: int
    h: int
    diameter_mm: float


class LesionResult(BaseModel):
    """Lesion detection in one picture; marks and clusters are ordered by descending score."""

    model_config = ConfigDict(frozen=True)

    image: ImageInfo
    model: ModelInfo
    format: str
    pixel_mm: float
    pixel_source: PixelSource
    threshold: float = Field(description="lowest score of a mark")
    score: float = Field(description="of the picture: the highest of its marks, 0 without any")
    marks: tuple[LesionMark, ...]
    clusters: tuple[LesionCluster, ...]
    warnings: tuple[str, ...] = ()
    notice: str = RESEARCH_ONLY

    def rows(self) -> list[list[float]]:
        """Return ``[[score, x, y, w, h], ...]``, the format of the object-masking compatibility API."""
        return [[mark.score, mark.x, mark.y, mark.w, mark.h] for mark in self.marks]
