"""Crop re-scoring: windows around candidate boxes, and the combined scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.contract import Quality
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.merging import Candidates
from obscura.detection.networks import Networks
from obscura.detection.rescoring import RESCORING, CropView, CropWindow, Rescoring, plan_windows, rescore
from obscura.detection.tiling import InferenceScales, plan_slices
from obscura.detection.weights import ModelCard, default_models_dir, load_manifest
from obscura.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.detection.arrays import Floats, Pixels

CARD = ModelCard("test", "white", "1", "none", 640, 0.25, 0.5, {})
LARGE = 30
"""Input pixels from which the network below tells apart what it sees."""


class ShortSighted:
    """A network with a high score for large red areas, and a given score for small areas of any colour."""

    name = "short-sighted"
    device = "cpu"
    batch_size = 4

    def __init__(self, doubt: float) -> None:
        self._doubt = doubt

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return ``[b, 5, n]`` for the coloured areas of each picture."""
        output = np.zeros((len(batch), 5, 50), np.float32)
        for row, picture in zip(output, batch, strict=True):
            red = picture[..., 0] > 127
            seen = (red | (picture[..., 1] > 127)).astype(np.uint8)
            areas = cv2.connectedComponentsWithStats(seen)[2][1:]
            for column, (left, top, width, height, _) in enumerate(areas.tolist()):
                is_red = bool(red[top + height // 2, left + width // 2])
                score = self._doubt if max(width, height) < LARGE else 0.9 * is_red
                row[:, column] = [left + width / 2, top + height / 2, width, height, score]
        return output

    def close(self) -> None:
        """Do nothing."""


def photo(*boxes: tuple[int, int, int, int], channel: int) -> Pixels:
    """Return a black photo with boxes of one colour."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2, channel] = 255
    return pixels


def found(*boxes: tuple[float, ...], score: float = 0.1, scale: float = 1.0) -> Candidates:
    """Return boxes as of one inference slice."""
    count = len(boxes)
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.zeros(count, np.bool_),
        np.zeros(count, np.intp),
        np.full(count, scale, np.float32),
    )


@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize("box", [(300, 200, 312, 216), (0, 0, 11, 11), (628, 470, 640, 480)])
def test_an_uncertain_box_is_found_when_its_crop_is_clear(
    quality: Quality, box: tuple[int, int, int, int]
) -> None:
    """A distant object below the threshold in every slice is found, also at the photo's edge."""
    detector = Detector(Networks(CARD, ShortSighted(0.12)))
    (item,) = detector.detect(photo(box, channel=0), DetectionOptions(quality))
    assert item.confidence > 0.5
    assert np.abs(np.array(item.box) - np.array(box)).max() < 1.0


@pytest.mark.parametrize("quality", list(Quality))
def test_a_box_is_dropped_when_its_crop_shows_no_object(quality: Quality) -> None:
    """What looks like an object only when small is not reported, although its score was high enough."""
    detector = Detector(Networks(CARD, ShortSighted(0.6)))
    assert detector.detect(photo((300, 200, 312, 216), channel=1), DetectionOptions(quality)) == ()


def test_only_reported_boxes_get_windows() -> None:
    """Windows are made for boxes of slices only."""
    detector = Detector(Networks(CARD, ShortSighted(RESCORING[Quality.FAST].lower_score / 2)))
    run = detector.detect_with_cache(photo((300, 200, 312, 216), channel=0), DetectionOptions(Quality.FAST))
    assert run.detections == ()
    assert len(run.cache) == 1


@given(
    st.lists(
        st.tuples(st.floats(-20, 2000), st.floats(-20, 1500), st.floats(1, 900), st.floats(1, 900)),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([Size(640, 480), Size(2000, 1500), Size(100, 1200), Size(7, 5)]),
    st.sampled_from(list(Quality)),
)
def test_windows_lie_in_the_photo_and_no_box_is_asked_about_twice(
    boxes: list[tuple[float, ...]], size: Size, quality: Quality
) -> None:
    """In each glance a box has at most one window, which lies in the photo and is as small as promised."""
    rows = [
        (
            min(x, size.width - 1),
            min(y, size.height - 1),
            min(x, size.width - 1) + w,
            min(y, size.height - 1) + h,
        )
        for x, y, w, h in boxes
    ]
    rescoring, slices = RESCORING[quality], plan_slices(size, quality, InferenceScales())
    windows = plan_windows(found(*rows), size, rescoring, slices)
    for window in windows:
        left, top, right, bottom = window.view.region
        assert 0 <= left < right <= size.width
        assert 0 <= top < bottom <= size.height
        assert window.view.scaled.long_side <= max(crop.window for crop in rescoring.crops)
    for mirrored in (False, True):
        asked = np.concatenate(
            [window.members for window in windows if window.view.mirrored is mirrored] or [np.zeros(0, int)]
        )
        sides = sum(crop.mirrored is mirrored for crop in rescoring.crops)
        assert np.bincount(asked, minlength=1).max(initial=0) <= sides


def test_boxes_of_like_size_close_together_share_a_window() -> None:
    """A row of faces of one size takes one window; a large one beside them takes its own."""
    row = [(100.0 + 17 * place, 100.0, 116.0 + 17 * place, 116.0) for place in range(2)]
    rescoring = Rescoring(0.02, 1.0, (CropView(48, 192, mirrored=False),))
    size = Size(640, 480)
    slices = plan_slices(size, Quality.FAST, InferenceScales())
    windows = plan_windows(found(*row, (80.0, 60.0, 180.0, 160.0)), size, rescoring, slices)
    assert [window.members.tolist() for window in windows] == [[0, 1], [2]]


def test_the_windows_of_a_crowd_are_bounded() -> None:
    """The number of windows is bounded; the first boxes get theirs."""
    many = [(x, y, x + 8.0, y + 8.0) for y in np.arange(0, 470, 9.0) for x in np.arange(0, 630, 9.0)]
    size = Size(640, 480)
    slices = plan_slices(size, Quality.FAST, InferenceScales())
    windows = plan_windows(
        found(*many), size, Rescoring(0.02, 1.0, (CropView(190, 192, mirrored=False),)), slices
    )
    assert sum(window.view.scaled.pixels for window in windows) <= 8 * size.pixels + 192**2
    assert windows[0].members[0] == 0


def test_boxes_are_weighted_by_scale() -> None:
    """A window at three times a slice's scale moves the box three quarters of the way."""
    seen, shown = found((100, 100, 140, 140), score=0.5), found((104, 100, 144, 140), score=0.5, scale=3.0)
    (window,) = plan_windows(
        seen,
        Size(640, 480),
        Rescoring(0.02, 1.0, (CropView(48, 192, mirrored=False),)),
        plan_slices(Size(640, 480), Quality.FAST, InferenceScales()),
    )
    both = rescore(seen, [(window, shown)])
    assert both.boxes[0] == pytest.approx([103, 100, 143, 140])
    assert both.scores[0] == pytest.approx(0.5)


def test_clear_boxes_get_no_window_in_fast() -> None:
    """Boxes that no window could bring below the threshold are not re-scored in `fast`."""
    seen = found((100, 100, 140, 140), score=RESCORING[Quality.FAST].upper_score)
    slices = plan_slices(Size(640, 480), Quality.FAST, InferenceScales())
    assert plan_windows(seen, Size(640, 480), RESCORING[Quality.FAST], slices) == ()
    cards = load_manifest(default_models_dir() / "manifest.toml")
    (window,) = plan_windows(seen, Size(640, 480), RESCORING[Quality.BALANCED], slices)[:1]
    assert rescore(seen, [(window, found())]).scores[0] > max(card.min_confidence for card in cards.values())


def test_a_box_without_a_window_stays_as_it_is() -> None:
    """What was not asked about keeps its score and its place."""
    seen = found((100, 100, 140, 140), (300, 300, 320, 320), score=0.4)
    both = rescore(seen, list[tuple[CropWindow, Candidates]]())
    assert (both.boxes == seen.boxes).all()
    assert both.scores == pytest.approx(seen.scores)
