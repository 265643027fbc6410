"""Draw marks and clusters into a picture for display."""

from io import BytesIO
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from obscura.contract.lesions import RESEARCH_ONLY, LesionResult
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.grey import Grey
from obscura.imaging.pixels import Pixels
from obscura.lesions.breast import breast_mask
from obscura.lesions.mammogram import Mammogram

__all__ = ["draw", "encoded", "media_format"]

RED: Final = (255, 0, 0)
YELLOW: Final = (255, 200, 0)
GAP_MM: Final = 0.6
"""Distance between a mark and its drawn box, so that the box does not cover the mark."""
CLUSTER_GAP_MM: Final = 2.5
_LINE_SHARE: Final = 1200
_TEXT_SHARE: Final = 60
_MASK_STEP: Final = 4


def draw(mammogram: Mammogram, part: LesionResult, *, hide_outside: bool = False) -> Image.Image:
    """Return an RGB picture of the mammogram's size with a red box around every mark.

    Parameters
    ----------
    mammogram
        The picture.
    part
        Its detection result.
    hide_outside
        Whether everything outside the breast becomes black, because labels there may identify a patient.
    """
    grey = shown(mammogram.grey)
    if hide_outside:
        grey = np.where(_breast(mammogram.grey), grey, 0).astype(np.uint8)
    picture = Image.fromarray(grey).convert("RGB")
    pen = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) / _LINE_SHARE))
    for cluster in part.clusters:
        _frame(
            pen, (cluster.x, cluster.y, cluster.w, cluster.h), CLUSTER_GAP_MM / part.pixel_mm, YELLOW, line
        )
    for mark in part.marks:
        _frame(pen, (mark.x, mark.y, mark.w, mark.h), GAP_MM / part.pixel_mm, RED, line)
    font = ImageFont.load_default(max(10, round(max(picture.size) / _TEXT_SHARE)))
    pen.text(
        (line * 4, line * 4), RESEARCH_ONLY, fill=YELLOW, font=font, stroke_width=line, stroke_fill=(0, 0, 0)
    )
    return picture


def shown(grey: Grey) -> Pixels:
    """Return ``uint8[height, width]``.

    8-bit values unchanged, others scaled between percentiles 0.1 and 99.95.
    """
    if grey.dtype == np.uint8:
        return np.asarray(grey, np.uint8)
    low, high = (float(value) for value in np.percentile(grey[::4, ::4], (0.1, 99.95)))
    scaled = (grey.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def media_format(kind: str) -> PhotoFormat:
    """Return the output format for a source format ``kind``: the same, or PNG for DICOM."""
    return PhotoFormat.PNG if kind == "DICOM" else PhotoFormat[kind]


def encoded(picture: Image.Image, kind: PhotoFormat) -> bytes:
    """Return the encoded file of a drawn picture, without metadata."""
    sink = BytesIO()
    match kind:
        case PhotoFormat.JPEG:
            picture.save(sink, "JPEG", quality=92, subsampling=0)
        case PhotoFormat.TIFF:
            picture.save(sink, "TIFF", compression="tiff_adobe_deflate")
        case _:
            picture.save(sink, "PNG", compress_level=3)
    return sink.getvalue()


def _frame(
    pen: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    gap: float,
    colour: tuple[int, int, int],
    line: int,
) -> None:
    x, y, w, h = box
    pen.rectangle((x - gap, y - gap, x + w + gap, y + h + gap), outline=colour, width=line)


def _breast(grey: Grey) -> Pixels:
    small = cv2.resize(grey, None, fx=1 / _MASK_STEP, fy=1 / _MASK_STEP, interpolation=cv2.INTER_AREA)
    mask = breast_mask(np.asarray(small, np.float32))
    size = (grey.shape[1], grey.shape[0])
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
