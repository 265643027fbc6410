"""Boxes corrected for the bias of their size."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.size_correction import CORRECTIONS, corrected
from obscura.detection.tiling import Quality
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with

FINITE = st.floats(-50, 4000, width=32)
SIDE = st.floats(0, 2000, width=32)


def box(left: float, top: float, width: float, height: float) -> np.ndarray:
    """Return one box as float32, as the detectors have them."""
    return np.array([[left, top, left + width, top + height]], np.float32)


def test_a_small_plate_shrinks_more_than_a_large_one_and_moves_down() -> None:
    """The smaller, the looser: heights first; the centre was too high."""
    small, large = (corrected(box(100, 50, width, width / 4), "plate")[0] for width in (24.0, 240.0))
    heights = (small[3] - small[1]) / 6, (large[3] - large[1]) / 60
    assert 0.85 < heights[0] < heights[1] < 1
    assert (small[2] - small[0]) / 24 < (large[2] - large[0]) / 240 < 1
    assert (small[1] + small[3]) / 2 > 53
    assert (small[0] + small[2]) / 2 == pytest.approx(112)


@given(FINITE, FINITE, SIDE, SIDE)
def test_nothing_grows_and_most_of_a_box_stays(left: float, top: float, width: float, height: float) -> None:
    """Whatever comes: what goes out is never larger, and only a little smaller."""
    before = box(left, top, width, height)
    (after,) = corrected(before, "plate")
    sides, was = after[2:] - after[:2], before[0, 2:] - before[0, :2]
    assert (sides <= was + 1e-2).all()
    assert (sides >= 0.85 * was - 1e-2).all()
    assert np.isfinite(after).all()


def test_grown_as_painted_it_covers_a_typical_label_whole() -> None:
    """At every width, the label that the medians describe lies in the corrected box grown by 1.1."""
    bias = CORRECTIONS["plate"]
    for width, wider, higher, lower in zip(bias.widths, bias.wider, bias.higher, bias.lower, strict=True):
        height = width / 3
        (after,) = corrected(box(0, 0, width, height), "plate")
        centre, halves = (after[:2] + after[2:]) / 2, (after[2:] - after[:2]) / 2 * 1.1
        label = np.array([width / wider, height / higher])
        middle = np.array([width / 2, height / 2 + lower * label[1]])
        assert (centre - halves <= middle - label / 2 + 1e-3).all()
        assert (centre + halves >= middle + label / 2 - 1e-3).all()


def test_other_classes_and_nothing_stay() -> None:
    """Faces have no such bias; no boxes are no boxes."""
    faces = box(10, 20, 30, 40)
    assert corrected(faces, "face") is faces
    assert corrected(np.zeros((0, 4), np.float32), "plate").shape == (0, 4)
    assert corrected(faces, "plate").dtype == np.float32


def test_the_detector_reports_corrected_boxes() -> None:
    """What a small plate's network draws is corrected on its way out; other classes keep their boxes."""
    pixels = photo_with((640, 480), (300, 200, 330, 212))
    options = DetectionOptions(Quality.FAST)
    found = {
        name: Detector(Networks(replace(CARD, class_name=name), WhiteSquares()))
        .detect(pixels, options)[0]
        .box
        for name in ("plate", "white")
    }
    before = np.array([found["white"]], np.float32)
    np.testing.assert_allclose([found["plate"]], corrected(before, "plate"), atol=0.01)
    assert found["plate"].height < 0.96 * found["white"].height
