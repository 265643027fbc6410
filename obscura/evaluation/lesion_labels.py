"""Labels of mammograms: one JSON file for a folder of images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from obscura.errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

USUAL_PIXEL_MM = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class LabelledImage:
    """One image with its labels.

    Attributes
    ----------
    path
        Its file.
    objects
        ``float64[n, 4]``, x1, y1, x2, y2 in pixels: labelled objects.
    areas
        Ignored areas in the same form.
    pixel_mm
        Side of a pixel, in mm.
    """

    path: Path
    objects: Floats
    areas: Floats
    pixel_mm: float


def read_labels(labels: Path, images: Path, pixel_mm: float | None = None) -> list[LabelledImage]:
    """Return the labelled images of a folder.

    The file is a JSON object with an entry per image: ``file``, ``objects`` (or ``marks``, or ``boxes``) and
    ``regions``, each a list of ``{"x", "y", "w", "h"}`` in pixels, and optionally ``pixel_mm``.

    Raises
    ------
    InvalidRequestError
        If the file cannot be read, or names a missing image.
    """
    try:
        entries = json.loads(labels.read_text(encoding="utf-8"))
        found = [_image(entry, images, pixel_mm) for entry in entries.values()]
    except OSError as error:
        message = f"--labels: cannot read {labels}: {error.strerror}"
        raise InvalidRequestError(message) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"--labels: {labels} is not a file of mammogram labels (docs/reference/mammograms.md)"
        raise InvalidRequestError(message) from error
    missing = [image.path.name for image in found if not image.path.is_file()]
    if missing or not found:
        message = f"--images: {len(missing)} of {len(found)} labelled images are not in {images}"
        raise InvalidRequestError(message)
    return found


def _image(entry: dict[str, Any], images: Path, pixel_mm: float | None) -> LabelledImage:
    key = next((name for name in ("objects", "marks", "boxes") if name in entry), "")
    objects = entry.get(key, [])
    side = pixel_mm or float(entry.get("pixel_mm", USUAL_PIXEL_MM))
    return LabelledImage(images / str(entry["file"]), _boxes(objects), _boxes(entry.get("regions", [])), side)


def _boxes(items: list[dict[str, float]]) -> Floats:
    rows = [(item["x"], item["y"], item["x"] + item["w"], item["y"] + item["h"]) for item in items]
    return np.array(rows, np.float64).reshape(-1, 4)
