"""From pixels to detections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.tiling import Quality
from obscura.detection.weights import ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.detection.arrays import Floats, Pixels

CARD = ModelCard("white-test", "white", "1", "none", 640, 0.25, 0.5, {})


class WhiteSquares:
    """A network that finds connected white areas with a high score in every slice."""

    name = "white"
    device = "cpu"

    def __init__(self, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return ``[b, 5, n]`` for the white areas of each picture."""
        self.shapes.append((len(batch), *batch[0].shape))
        output = np.zeros((len(batch), 5, 50), np.float32)
        for row, picture in zip(output, batch, strict=True):
            white = (picture[..., 0] > 153).astype(np.uint8)
            areas = cv2.connectedComponentsWithStats(white)[2][1:]
            for column, (left, top, width, height, _) in enumerate(areas.tolist()):
                row[:, column] = [left + width / 2, top + height / 2, width, height, 0.9]
        return output

    def close(self) -> None:
        """Do nothing."""


def photo_with(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Pixels:
    """Return a black photo ``(width, height)`` with white boxes."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2] = 255
    return pixels


def corners(found: tuple[object, ...]) -> list[tuple[float, ...]]:
    """Return the boxes in reading order."""
    return sorted(tuple(item.box) for item in found)  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize(
    "box",
    [
        pytest.param((1400, 1530, 1500, 1640), id="across the corner of four balanced tiles"),
        pytest.param((1000, 100, 3000, 2000), id="larger than any overlap"),
        pytest.param((0, 0, 90, 90), id="at the photo's corner"),
        pytest.param((1270, 1000, 1300, 1040), id="near a tile's border"),
        pytest.param((3900, 2900, 4000, 3000), id="at the far corner"),
    ],
)
def test_an_object_is_found_once_whole(box: tuple[int, int, int, int], quality: Quality) -> None:
    """Wherever it lies in a 12 megapixel photo, an object is one box around all of it."""
    found = Detector(Networks(CARD, WhiteSquares())).detect(
        photo_with((4000, 3000), box), DetectionOptions(quality)
    )
    assert len(found) == 1
    assert np.abs(np.array(found[0].box) - box).max() <= 13


def test_every_tile_position_finds_the_object_whole() -> None:
    """An object moved in small steps across a border of tiles is always one whole box."""
    detector = Detector(Networks(CARD, WhiteSquares()))
    for left in range(1300, 1800, 71):
        box = (left, 1400, left + 60, 1470)
        found = detector.detect(photo_with((4000, 3000), box))
        assert len(found) == 1, box
        assert np.abs(np.array(found[0].box) - box).max() <= 4


@pytest.mark.parametrize("quality", list(Quality))
def test_an_object_on_the_seam_comes_in_two_parts(quality: Quality) -> None:
    """In a 360 degree panorama the box across the seam is split, both parts with the same score."""
    panorama = photo_with((4096, 2048), (0, 1000, 60, 1100), (4056, 1000, 4096, 1100), (2000, 500, 2100, 600))
    found = Detector(Networks(CARD, WhiteSquares())).detect(panorama, DetectionOptions(quality))
    expected = [(0, 1000, 60, 1100), (2000, 500, 2100, 600), (4056, 1000, 4096, 1100)]
    assert len(found) == 3
    assert np.abs(np.array(corners(found)) - expected).max() <= 8
    assert len({item.confidence for item in found}) == 1


def test_the_caller_decides_what_a_panorama_is() -> None:
    """Told that it is none, a photo of that shape has two objects at its edges, each for itself."""
    panorama = photo_with((4096, 2048), (0, 1000, 60, 1100), (4056, 1000, 4096, 1100))
    found = Detector(Networks(CARD, WhiteSquares())).detect(panorama, DetectionOptions(panorama=False))
    assert len(found) == 2


def test_tiles_of_one_shape_share_a_batch_on_a_gpu() -> None:
    """An engine that gains by batches gets equal tiles together, with the same result."""
    photo = photo_with((4000, 3000), (500, 600, 700, 900), (3500, 2500, 3600, 2600))
    single, batched = WhiteSquares(), WhiteSquares(batch_size=8)
    assert corners(Detector(Networks(CARD, single)).detect(photo)) == corners(
        Detector(Networks(CARD, batched)).detect(photo)
    )
    assert len(batched.shapes) < len(single.shapes)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4)])
def test_other_arrays_are_refused(shape: tuple[int, ...]) -> None:
    """What is no RGB picture is a ValueError."""
    with pytest.raises(ValueError, match="uint8"):
        Detector(Networks(CARD, WhiteSquares())).detect(np.zeros(shape, np.uint8))


def test_the_portrait_has_one_face(face_detector: Detector, portrait: Pixels) -> None:
    """The astronaut's face is found where it is, at every quality, and the picture is not changed."""
    before = portrait.copy()
    for quality in Quality:
        best = face_detector.detect(portrait, DetectionOptions(quality))[0]
        assert best.class_name == "face"
        assert best.confidence > 0.6
        assert 160 < best.box.x1 < best.box.x2 < 290
        assert 50 < best.box.y1 < best.box.y2 < 220
    assert np.array_equal(portrait, before)


def test_a_mirrored_photo_has_mirrored_boxes(face_detector: Detector, portrait: Pixels) -> None:
    """Thorough runs mirrored slices as well, so a mirrored photo gives the mirrored box."""
    thorough = DetectionOptions(Quality.THOROUGH)
    box = face_detector.detect(portrait, thorough)[0].box
    mirrored = face_detector.detect(np.ascontiguousarray(portrait[:, ::-1]), thorough)[0].box
    assert np.allclose((512 - mirrored.x2, mirrored.y1, 512 - mirrored.x1, mirrored.y2), box, atol=2.0)


def test_a_small_face_in_a_large_photo_is_found(face_detector: Detector, portrait: Pixels) -> None:
    """Balanced finds a face of some 30 pixels in 7 megapixels, which fast cannot."""
    sheet = np.full((2250, 3000, 3), 114, np.uint8)
    sheet[1200:1328, 2000:2128] = portrait[::4, ::4]
    found = face_detector.detect(sheet)
    assert any(2035 < item.box.x1 < item.box.x2 < 2080 for item in found)
    assert not face_detector.detect(sheet, DetectionOptions(Quality.FAST))


def test_the_callers_threshold_counts(face_detector: Detector, portrait: Pixels) -> None:
    """Lower thresholds give more boxes, best first, all at or above the threshold and in the photo."""
    found = face_detector.detect(portrait, DetectionOptions(min_confidence=0.001))
    scores = [item.confidence for item in found]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.001
    assert len(found) > len(face_detector.detect(portrait))
    assert all(0 <= item.box.x1 < item.box.x2 <= 512 for item in found)
