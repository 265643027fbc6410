"""A second detection runs the network only where pixels have changed, with the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.output_cache import Changes
from obscura.detection.tiling import Quality, Region
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with

if TYPE_CHECKING:
    from obscura.detection.arrays import Pixels

TILED = (4000, 3000)


def test_every_changed_pixel_is_noticed() -> None:
    """One level of one channel of one pixel is enough, wherever it is."""
    before = np.zeros((131, 200, 3), np.uint8)
    for x, y in ((0, 0), (199, 0), (0, 130), (199, 130), (64, 64), (63, 127)):
        after = before.copy()
        after[y, x, 1] = 1
        changes = Changes.between(before, after)
        assert changes.cells.sum() == 1
        assert changes.touch(Region(x, y, x + 1, y + 1))
        assert not changes.touch(Region((x + 100) % 200, y, (x + 100) % 200 + 1, y + 1))
    assert not Changes.between(before, before.copy()).cells.any()


def test_a_region_around_the_seam_of_a_panorama_sees_its_left_edge() -> None:
    """Behind the right edge of a panorama a slice shows its left edge."""
    before = np.zeros((1024, 2048, 3), np.uint8)
    after = before.copy()
    after[500, 10] = 255
    changes = Changes.between(before, after)
    assert changes.touch(Region(1500, 0, 2304, 1024))
    assert not changes.touch(Region(1500, 0, 2048, 1024))


def test_pictures_of_two_sizes_cannot_be_compared() -> None:
    """That is an error, not a crash somewhere else."""
    with pytest.raises(ValueError, match="cannot be compared"):
        Changes.between(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4, 3), np.uint8))


@pytest.mark.parametrize("quality", list(Quality))
def test_an_unchanged_photo_needs_no_second_run(quality: Quality) -> None:
    """With equal pixels every slice comes from the cache, also for a lower threshold."""
    pixels = photo_with(TILED, (100, 100, 200, 200), (3000, 2000, 3100, 2100))
    network = WhiteSquares()
    detector = Detector(Networks(CARD, network))
    first = detector.detect_with_cache(pixels, DetectionOptions(quality, min_confidence=0.95))
    runs = len(network.shapes)
    assert first.detections == ()
    known = Changes.between(pixels, pixels.copy()).outside(first.cache)
    again = detector.detect_with_cache(pixels.copy(), DetectionOptions(quality, min_confidence=0.2), known)
    assert len(network.shapes) == runs
    assert len(again.detections) == 2


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, TILED[0] - 300),
    st.integers(0, TILED[1] - 300),
    st.integers(1, 299),
    st.sampled_from([(4000, 3000), (1500, 900), (4096, 2048)]),
)
def test_a_remembered_look_equals_a_fresh_one(left: int, top: int, side: int, size: tuple[int, int]) -> None:
    """Whatever is painted, the second detection finds the same with the cache as without."""
    before = photo_with(size, (100, 100, 200, 200), (900, 500, 1100, 700))
    after: Pixels = before.copy()
    after[top : top + side, left : left + side] = 255 - after[top : top + side, left : left + side]
    detector = Detector(Networks(CARD, WhiteSquares()))
    first = detector.detect_with_cache(before)
    known = Changes.between(before, after).outside(first.cache)
    assert (
        detector.detect_with_cache(after, None, known).detections
        == detector.detect_with_cache(after).detections
    )


def test_only_the_tiles_that_changed_are_run_again() -> None:
    """One hidden face in the corner of a large photo: its tile and the overview are run again, no more."""
    before = photo_with(TILED, (100, 100, 200, 200))
    after = before.copy()
    after[80:220, 80:220] = 7
    network = WhiteSquares()
    detector = Detector(Networks(CARD, network))
    first = detector.detect_with_cache(before)
    runs = len(network.shapes)
    assert runs > 5
    detector.detect_with_cache(after, None, Changes.between(before, after).outside(first.cache))
    assert len(network.shapes) - runs == 2
