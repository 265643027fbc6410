"""QR codes and barcodes, by zxing-cpp (extra ``codes``) and the detectors of OpenCV.

zxing-cpp reports what it reads; OpenCV also finds codes that are too blurred, tilted or damaged to be read
here. Figures are in ``docs/explanation/classes.md``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from obscura.contract import ExtraClass, Quality
from obscura.detection.arrays import Floats, Pixels
from obscura.detection.detections import Detection, DetectionOptions
from obscura.detection.engines import EngineOptions
from obscura.detection.extra import ExtraDetector, card_of
from obscura.geometry import Box

__all__ = ["open_detector"]

READ, LOCATED = 0.9, 0.5
"""Confidence of a code whose content was read, and of one that was only found."""

TURNS: Final = {Quality.BALANCED: (30, -30), Quality.THOROUGH: (20, -20, 40, -40)}
"""Degrees by which the photo is turned besides: stacked codes are read along rows and columns only."""

ENLARGED: Final = {Quality.FAST: (2,), Quality.BALANCED: (2,), Quality.THOROUGH: (2, 3)}
"""Factors by which the photo is enlarged besides: modules under two pixels are read in no other way."""

TILE, OVERLAP = 1024, 256
"""Side of a tile and what neighbours share, in enlarged pixels; larger codes are found without."""

STRIP: Final = (400, 24)
"""Width and height, in pixels, of a barcode turned upright."""

MIN_EDGES, MIN_AGREEMENT, MIN_CONTRAST = 30, 0.85, 15.0
"""What a barcode that cannot be read has: edges from one end to the other, correlation of its upper with its
lower half, standard deviation in levels. Fences, combs and windows lack one of them."""

LINEAR_HEIGHT = 0.15
"""Half the height of a barcode as a share of its length; readers report the line that they read."""


def open_detector(extra: ExtraClass, models_dir: Path, engine: EngineOptions) -> ExtraDetector:
    """Return the detector of codes; see `obscura.detection.extra.open_extra`."""
    del models_dir, engine
    card = card_of(extra, "zxing-cpp", "Apache-2.0", LOCATED / 2)
    return ExtraDetector(card, _find, "zxing-cpp")


def _find(pixels: Pixels, options: DetectionOptions) -> Iterator[Detection]:
    """Yield the codes in a photo, some more than once: as it is, turned, and enlarged tile by tile."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    yield from _codes(grey, np.eye(2, 3))
    for degrees in TURNS.get(options.quality, ()):
        yield from _turned(grey, degrees)
    for factor in ENLARGED.get(options.quality, ()):
        yield from _enlarged(grey, factor)


def _turned(grey: Pixels, degrees: float) -> Iterator[Detection]:
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = int(height * sine + width * cosine) + 1, int(height * cosine + width * sine) + 1
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(grey, turn, size, flags=cv2.INTER_LINEAR, borderValue=(255,))
    yield from _read(np.asarray(turned, np.uint8), np.asarray(cv2.invertAffineTransform(turn)))


def _enlarged(grey: Pixels, factor: int) -> Iterator[Detection]:
    side, step = TILE // factor, (TILE - OVERLAP) // factor
    height, width = grey.shape
    for top in range(0, max(height - OVERLAP // factor, 1), step):
        for left in range(0, max(width - OVERLAP // factor, 1), step):
            tile = grey[top : top + side, left : left + side]
            large = cv2.resize(tile, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            yield from _codes(
                np.asarray(large, np.uint8), np.array([[1 / factor, 0, left], [0, 1 / factor, top]])
            )


def _codes(grey: Pixels, to_photo: NDArray[np.float64]) -> Iterator[Detection]:
    """Yield the codes in a grey picture that is not turned; ``to_photo`` is that of `_read`."""
    yield from _read(grey, to_photo)
    for corners in _quadrilaterals(cv2.QRCodeDetector().detectMulti(grey)):
        yield Detection("code", _box(corners, to_photo), LOCATED)
    for corners in _quadrilaterals(cv2.barcode.BarcodeDetector().detectMulti(grey)):
        strip = _strip(grey, corners)
        if zxingcpp.read_barcodes(strip):
            yield Detection("code", _box(corners, to_photo), READ)
        elif _is_striped(strip):
            yield Detection("code", _box(corners, to_photo), LOCATED)


def _read(grey: Pixels, to_photo: NDArray[np.float64]) -> Iterator[Detection]:
    """Yield what zxing-cpp finds in a grey picture, in pixels of the photo.

    ``to_photo`` is the affine map ``[2, 3]`` from the picture to the photo.
    """
    for code in zxingcpp.read_barcodes(np.ascontiguousarray(grey), return_errors=True):
        if not code.valid and code.format == zxingcpp.BarcodeFormat.DataMatrix:
            # Corners of windows and tiles look like a Data Matrix that cannot be read.
            continue
        place = code.position
        corners = [place.top_left, place.top_right, place.bottom_right, place.bottom_left]
        box = _box(np.array([(corner.x, corner.y) for corner in corners], np.float32), to_photo)
        least = LINEAR_HEIGHT * box.long_side
        # Only the box of a barcode is so flat: it is the line that was read.
        dx, dy = max(0.0, least - box.width / 2), max(0.0, least - box.height / 2)
        grown = Box(box.x1 - dx, box.y1 - dy, box.x2 + dx, box.y2 + dy)
        yield Detection("code", grown, READ if code.valid else LOCATED)


def _quadrilaterals(found: tuple[bool, object]) -> Floats:
    """Return the corners ``[n, 4, 2]`` in what a detector of OpenCV answers."""
    is_any, corners = found
    return np.asarray(corners if is_any else [], np.float32).reshape(-1, 4, 2)


def _box(corners: Floats, to_photo: NDArray[np.float64]) -> Box:
    points = np.column_stack([corners, np.ones(len(corners))]) @ to_photo.T
    return Box(*map(float, points.min(axis=0)), *map(float, points.max(axis=0)))


def _strip(grey: Pixels, corners: Floats) -> Pixels:
    """Return a barcode turned upright, with a margin at both ends."""
    width, height = STRIP
    margin = width / 20
    # OpenCV's order: bottom left, top left, top right, bottom right.
    target = np.array(
        [(margin, height), (margin, 0), (width - margin, 0), (width - margin, height)], np.float32
    )
    upright = cv2.getPerspectiveTransform(corners, target)
    return np.asarray(cv2.warpPerspective(grey, upright, STRIP, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _is_striped(strip: Pixels) -> bool:
    """Return whether a strip has the bars of a code from its upper to its lower edge."""
    levels = strip.astype(np.float32)
    detail = levels - cv2.blur(levels, (STRIP[0] // 8, 1))
    third = STRIP[1] // 3
    upper, lower = detail[:third].mean(axis=0), detail[-third:].mean(axis=0)
    agreement = float(upper @ lower) / max(float(np.linalg.norm(upper) * np.linalg.norm(lower)), 1e-6)
    profile = detail.mean(axis=0)
    edges = int((np.diff(np.sign(profile)) != 0).sum())
    return agreement >= MIN_AGREEMENT and edges >= MIN_EDGES and float(profile.std()) >= MIN_CONTRAST
