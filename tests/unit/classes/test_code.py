"""QR codes and barcodes are found on a photo as it is taken: tilted, small, blurred."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from obscura.contract import ObjectClass
from obscura.detection.extra import ObjectDetector
from obscura.geometry import Box
from obscura.settings import Settings


@pytest.fixture(scope="module")
def detector() -> ObjectDetector:
    """Return the detector of codes."""
    from obscura.detection.loading import load_any

    return load_any(Settings(), ObjectClass("code"), 1)


def with_code(
    photo: Path, kind: str, side: int, *, degrees: float = 0.0, blur: float = 0.0
) -> tuple[NDArray[np.uint8], Box]:
    """Return a photo with a code on it, and where that is; ``side`` is its long side in pixels."""
    content = {"EAN13": "4006381333931", "Code128": "PARCEL 4711"}.get(
        kind, "https://example.org/visit?id=4711"
    )
    code = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind))
    symbol = np.array(zxingcpp.write_barcode_to_image(code, scale=8, add_quiet_zones=True))
    height, width = symbol.shape[:2]
    scale = side / max(height, width)
    with Image.open(photo) as picture:
        pixels = np.asarray(picture.convert("RGB")).copy()
    place = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    place[:, 2] += np.array([200, 380]) - (width / 2, height / 2)
    size = (pixels.shape[1], pixels.shape[0])
    laid = cv2.warpAffine(symbol, place, size, flags=cv2.INTER_AREA)
    covered = cv2.warpAffine(np.full_like(symbol, 255), place, size, flags=cv2.INTER_AREA)[..., None] / 255
    mixed = pixels * (1 - covered) + laid[..., None] * covered
    if blur:
        mixed = np.asarray(cv2.GaussianBlur(mixed, (0, 0), blur), np.float64)
    ends = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ place.T
    return mixed.clip(0, 255).astype(np.uint8), Box(
        *map(float, ends.min(axis=0)), *map(float, ends.max(axis=0))
    )


@pytest.mark.parametrize(
    ("kind", "side", "damage"),
    [
        ("QRCode", 60, (0.0, 0.0)),
        ("QRCode", 150, (25.0, 1.0)),
        ("QRCode", 200, (45.0, 0.0)),
        ("DataMatrix", 80, (10.0, 0.5)),
        ("EAN13", 180, (0.0, 0.0)),
        ("EAN13", 240, (20.0, 0.8)),
        ("Code128", 300, (-35.0, 0.0)),
    ],
)
def test_a_code_is_found(
    detector: ObjectDetector, portrait: Path, kind: str, side: int, damage: tuple[float, float]
) -> None:
    """Turned by some degrees and blurred: covered by one box at least, and nothing is found elsewhere."""
    pixels, place = with_code(portrait, kind, side, degrees=damage[0], blur=damage[1])
    found = detector.detect(pixels)
    assert found
    assert max(item.box.intersection(place) / place.area for item in found) > 0.5
    assert all(item.box.intersection(place) > 0.5 * item.box.area for item in found)


def test_a_photo_without_codes_has_none(detector: ObjectDetector, portrait: Path) -> None:
    """The portrait has stripes and patches, and no code."""
    with Image.open(portrait) as picture:
        assert detector.detect(np.asarray(picture.convert("RGB"))) == ()
