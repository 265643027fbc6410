"""Detect calcifications in a mammogram: marks with boxes and scores, and clusters."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from obscura.contract.lesions import LesionCluster, LesionMark, LesionResult
from obscura.contract.options import LesionOptions
from obscura.contract.results import ImageInfo, ModelInfo
from obscura.geometry import Box
from obscura.imaging.grey import Grey
from obscura.lesions.breast import Mask, Plane, bounds, breast_mask, disc
from obscura.lesions.clusters import LEAST_MARKS, groups
from obscura.lesions.mammogram import Mammogram
from obscura.lesions.response import blob_response

__all__ = ["MODEL", "detect", "find_spots"]

MODEL: Final = ModelInfo(name="calcifications-log", version="1.1.0", engine="opencv")
WORK_MM: Final = 0.2
"""Pixel size in mm at which the detector works."""
EDGE_PX: Final = 15
"""Pixels along the edge of the mask without marks: the skin is 2 mm thick, and the mask reaches 1 mm into
air. The noise is measured including the skin, which suppresses responses at its line; with that, values from
0.8 to 4 mm give the same results (docs/reference/mammograms.md)."""
BORDER_PX: Final = 4
"""Pixels along the border of the picture without marks: objects there are truncated, and film edges are
bright."""
MARGIN_PX: Final = 24
PEAK: Final = 7
"""Side in pixels of the square in which a mark is the maximum."""
LEAST_Z: Final = 0.4
"""Lowest z of a mark; its score is 0.01."""
MOST_MARKS: Final = 300
MIDDLE_Z: Final = 5.0
SPOT_WINDOW_PX: Final = 30
"""Pixels around a peak in which its spot is segmented."""
PROMINENCE: Final = 0.35
_FULL: Final = 255.0
_NOTHING: Final = "no breast was found in the picture"


@dataclass(frozen=True, slots=True)
class Spot:
    """A bright spot: z, box in pixels of the given picture, area in mm2."""

    z: float
    box: Box
    area_mm2: float

    @property
    def score(self) -> float:
        """Logistic function of z, 0..1; 0.5 at `MIDDLE_Z`."""
        return float(1.0 / (1.0 + np.exp(MIDDLE_Z - self.z)))


def detect(mammogram: Mammogram, options: LesionOptions | None = None) -> LesionResult:
    """Return marks, clusters and score of a mammogram, the highest scores first."""
    options = options or LesionOptions()
    spots, has_breast = find_spots(mammogram.grey, mammogram.pixel_mm, options.min_score)
    clusters = _clusters(spots, mammogram.pixel_mm)
    cluster_of = {index: place for place, (_, members) in enumerate(clusters) for index in members}
    height, width = mammogram.grey.shape
    marks = tuple(_mark(spot, cluster_of.get(index)) for index, spot in enumerate(spots))
    return LesionResult(
        image=ImageInfo(width=width, height=height),
        model=MODEL,
        format=mammogram.format,
        pixel_mm=round(mammogram.pixel_mm, 6),
        pixel_source=mammogram.pixel_source,
        threshold=options.min_score,
        score=marks[0].score if marks else 0.0,
        marks=marks,
        clusters=tuple(cluster for cluster, _ in clusters),
        warnings=mammogram.warnings if has_breast else (*mammogram.warnings, _NOTHING),
    )


def find_spots(grey: Grey, pixel_mm: float, min_score: float) -> tuple[list[Spot], bool]:
    """Return the spots of at least ``min_score``, highest first, and whether a breast was found."""
    height, width = grey.shape
    shape = (max(1, round(width * pixel_mm / WORK_MM)), max(1, round(height * pixel_mm / WORK_MM)))
    smaller = cv2.INTER_AREA if pixel_mm < WORK_MM else cv2.INTER_LINEAR
    work = np.asarray(cv2.resize(grey, shape, interpolation=smaller), np.float32)
    mask = breast_mask(work)
    box = bounds(mask)
    if box is None:
        return [], False
    left, top = (max(0, int(edge) - MARGIN_PX) for edge in (box.x1, box.y1))
    part = np.s_[top : int(box.y2) + MARGIN_PX, left : int(box.x2) + MARGIN_PX]
    breast, inner = _without_border(mask)[part], _inner(mask)[part]
    z = blob_response(_scaled(work[part], inner), breast) * inner
    least_z = max(LEAST_Z, MIDDLE_Z - float(np.log(1.0 / min(min_score, 0.9999) - 1.0)))
    scale = (width / shape[0], height / shape[1])
    return [_placed(blob, (left, top), scale, pixel_mm) for blob in _blobs(z, least_z)], True


def _inner(mask: Mask) -> Mask:
    """Return the mask of the breast without skin and without the border of the picture."""
    # The breast continues beyond the picture.
    inner = cv2.erode(mask, disc(2 * EDGE_PX + 1), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return _without_border(np.asarray(inner, np.uint8))


def _without_border(mask: Mask) -> Mask:
    """Return a mask without the border of the picture."""
    left = np.zeros_like(mask)
    part = np.s_[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    left[part] = mask[part]
    return left


def _scaled(grey: Plane, inner: Mask) -> Plane:
    """Return grey values scaled so that the breast covers 0..255; brighter values are not clipped."""
    inside = grey[inner > 0][::7]
    if not len(inside):
        return grey
    low, high = float(grey.min()), float(np.percentile(inside, 99.9))
    return np.asarray((grey - low) * (_FULL / max(high - low, 1e-6)), np.float32)


def _peaks(z: Plane, least: float) -> list[tuple[int, int]]:
    """Return ``(column, row)`` of the local maxima of at least ``least``, the highest first."""
    highest = cv2.dilate(z, np.ones((PEAK, PEAK), np.uint8))
    rows, columns = np.nonzero((z >= highest) & (z >= least))
    order = np.argsort(-z[rows, columns], kind="stable")[:MOST_MARKS]
    return list(zip(columns[order].tolist(), rows[order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Blob:
    """A connected region around a peak: its z, box ``(x, y, w, h)`` and area in pixels of `WORK_MM`."""

    z: float
    box: tuple[int, int, int, int]
    area: int


def _blobs(z: Plane, least: float) -> list[_Blob]:
    """Return the spots of at least ``least``, highest first, without peaks inside higher spots."""
    taken = np.zeros(z.shape, np.bool_)
    found = []
    for column, row in _peaks(z, least):
        if taken[row, column]:
            continue
        left, top = max(0, column - SPOT_WINDOW_PX), max(0, row - SPOT_WINDOW_PX)
        part = np.s_[top : row + SPOT_WINDOW_PX + 1, left : column + SPOT_WINDOW_PX + 1]
        around, height = z[part], float(z[row, column])
        base = max(0.0, float(np.median(around)))
        above = (around >= base + PROMINENCE * (height - base)).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=4)
        index = labels[row - top, column - left]
        taken[part] |= labels == index
        x, y, w, h, area = (int(value) for value in stats[index])
        found.append(_Blob(height, (x + left, y + top, w, h), area))
    return found


def _placed(blob: _Blob, origin: tuple[int, int], scale: tuple[float, float], pixel_mm: float) -> Spot:
    """Return a blob in pixels of the given picture."""
    x, y, w, h = blob.box
    x, y = x + origin[0], y + origin[1]
    box = Box(x * scale[0], y * scale[1], (x + w) * scale[0], (y + h) * scale[1])
    return Spot(blob.z, box, blob.area * scale[0] * scale[1] * pixel_mm**2)


def _mark(spot: Spot, cluster: int | None) -> LesionMark:
    x, y, w, h = _whole(spot.box)
    return LesionMark(
        score=round(spot.score, 4),
        z=round(spot.z, 2),
        x=x,
        y=y,
        w=w,
        h=h,
        area_mm2=round(spot.area_mm2, 3),
        diameter_mm=round(2.0 * float(np.sqrt(spot.area_mm2 / np.pi)), 2),
        cluster=cluster,
    )


def _whole(box: Box) -> tuple[int, int, int, int]:
    x, y = round(box.x1), round(box.y1)
    return x, y, max(1, round(box.x2) - x), max(1, round(box.y2) - y)


def _clusters(spots: list[Spot], pixel_mm: float) -> list[tuple[LesionCluster, tuple[int, ...]]]:
    """Return clusters with the indices of their marks, the highest score first."""
    centres = [
        ((spot.box.x1 + spot.box.x2) / 2 * pixel_mm, (spot.box.y1 + spot.box.y2) / 2 * pixel_mm)
        for spot in spots
    ]
    found = [(_cluster([spots[index] for index in group], pixel_mm), group) for group in groups(centres)]
    return sorted(found, key=lambda item: -item[0].score)


def _cluster(members: list[Spot], pixel_mm: float) -> LesionCluster:
    box = Box(
        min(spot.box.x1 for spot in members),
        min(spot.box.y1 for spot in members),
        max(spot.box.x2 for spot in members),
        max(spot.box.y2 for spot in members),
    )
    x, y, w, h = _whole(box)
    # Members are ordered by score.
    return LesionCluster(
        score=round(members[LEAST_MARKS - 1].score, 4),
        marks=len(members),
        x=x,
        y=y,
        w=w,
        h=h,
        diameter_mm=round(float(np.hypot(w, h)) * pixel_mm, 1),
    )
