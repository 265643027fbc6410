"""The auxiliary network: its boxes are fused with those of the full detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.fusion import Fusion, fuse
from obscura.detection.merging import Candidates
from obscura.detection.networks import Networks
from obscura.detection.tiling import Quality, plan_auxiliary
from obscura.detection.weights import NetworkCard
from obscura.geometry import Size
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with
from tests.unit.detection.test_proposals import Doubtful

PLAIN = Fusion(slope=1.0, offset=0.0, share=0.5, agreement=0.0, lower_score=0.1)
FACE = (100, 80, 180, 170)


def boxes_of(*items: tuple[float, float, float, float, float]) -> Candidates:
    """Return candidates of one slice: corners and scores."""
    rows = np.array(items, np.float32).reshape(-1, 5)
    count = len(rows)
    return Candidates(
        rows[:, :4], rows[:, 4], np.zeros(count, bool), np.zeros(count, np.intp), np.ones(count, np.float32)
    )


def with_auxiliary(own: WhiteSquares, auxiliary: WhiteSquares) -> Detector:
    """Return a detector whose auxiliary network is given."""
    card = replace(CARD, auxiliary=NetworkCard("auxiliary-test", "1", 0, {}))
    return Detector(Networks(card, own, None, auxiliary))


def test_a_pair_becomes_one_box_with_the_mean_of_both_scores() -> None:
    """Scores are averaged as log-odds, and the box lies nearer to that of the surer network."""
    found = fuse(boxes_of((0, 0, 100, 100, 0.8)), boxes_of((10, 0, 110, 100, 0.2)), PLAIN)
    assert found.scores == pytest.approx([0.5], abs=1e-6)
    assert found.boxes[0] == pytest.approx([2, 0, 102, 100])


def test_a_box_that_the_auxiliary_network_does_not_see_may_lose() -> None:
    """Its log-odds fall by `Fusion.silence`, and those of a pair do not."""
    found = fuse(
        boxes_of((0, 0, 100, 100, 0.5), (200, 0, 300, 100, 0.5)),
        boxes_of((0, 0, 100, 100, 0.5)),
        replace(PLAIN, silence=1.0),
    )
    assert found.scores == pytest.approx([0.5, 1 / (1 + np.e)], abs=1e-6)


def test_two_networks_that_agree_are_surer_than_either() -> None:
    """What a pair gains counts in log-odds; a box of the full detector alone keeps its score."""
    own = boxes_of((0, 0, 100, 100, 0.5), (300, 300, 340, 340, 0.4))
    found = fuse(own, boxes_of((0, 0, 100, 100, 0.5)), replace(PLAIN, agreement=1.0))
    assert found.scores == pytest.approx([1 / (1 + np.exp(-1)), 0.4], abs=1e-6)


def test_a_box_of_the_auxiliary_network_alone_has_its_mapped_score() -> None:
    """Its log-odds are read along the line of the configuration."""
    found = fuse(boxes_of(), boxes_of((5, 5, 30, 30, 0.8)), replace(PLAIN, slope=2.0, offset=-1.0))
    assert found.scores == pytest.approx([1 / (1 + np.exp(1 - 2 * np.log(4)))], abs=1e-6)


def test_pairs_are_found_across_the_seam_of_a_panorama() -> None:
    """The same face at both ends of a panorama is one box, and stays where the full detector saw it."""
    found = fuse(boxes_of((990, 0, 1030, 40, 0.6)), boxes_of((-10, 0, 30, 40, 0.6)), PLAIN, 1000.0)
    assert found.boxes.tolist() == [pytest.approx([990, 0, 1030, 40])]


@pytest.mark.parametrize(
    ("quality", "expected"), [(Quality.RAPID, 0), (Quality.FAST, 1), (Quality.BALANCED, 1)]
)
def test_what_only_the_auxiliary_network_sees_is_reported(quality: Quality, expected: int) -> None:
    """A face that the full detector is blind to is found, except in the cheapest quality."""
    auxiliary = WhiteSquares()
    detector = with_auxiliary(Doubtful(0.0), auxiliary)
    found = detector.detect(photo_with((640, 480), FACE), DetectionOptions(quality))
    assert len(found) == expected == len(auxiliary.shapes)
    assert all(np.abs(np.array(item.box) - FACE).max() <= 3 for item in found)


def test_an_unchanged_photo_is_not_looked_at_again() -> None:
    """Its raw output is cached with those of all slices."""
    auxiliary = WhiteSquares()
    detector, photo = with_auxiliary(WhiteSquares(), auxiliary), photo_with((640, 480), FACE)
    first = detector.detect_with_cache(photo)
    assert detector.detect_with_cache(photo, known=first.cache).detections == first.detections
    assert len(auxiliary.shapes) == 1


@pytest.mark.parametrize(
    ("size", "side"), [((100, 80), 150), ((640, 480), 960), ((1200, 900), 1200), ((8000, 6000), 1280)]
)
def test_the_auxiliary_network_sees_the_photo_whole(size: tuple[int, int], side: int) -> None:
    """Small photos are enlarged, large ones reduced to the largest input."""
    item = plan_auxiliary(Size(*size))
    assert (item.long_side, item.region.size, item.is_auxiliary) == (side, Size(*size), True)


@pytest.mark.parametrize(("size", "is_silent"), [((640, 480), True), ((2560, 1920), False)])
def test_what_only_supplements_has_a_say_on_small_objects(size: tuple[int, int], is_silent: bool) -> None:  # noqa: FBT001
    """As large as it sees them: it adds those, and its silence counts where nothing was reduced."""
    middle, scale = size[0] // 2, plan_auxiliary(Size(*size)).long_side / size[0]
    small, large = round(60 / scale), round(90 / scale)
    photo = photo_with(size, (20, 20, 20 + small, 20 + small), (middle, 20, middle + large, 20 + large))
    card = replace(CARD, auxiliary=NetworkCard("auxiliary-test", "1", 0, {}, stands_in=False))

    def scores(own: WhiteSquares, auxiliary: WhiteSquares | None) -> dict[str, float]:
        options = DetectionOptions(Quality.THOROUGH)
        found = Detector(Networks(card, own, None, auxiliary)).detect(photo, options)
        return {"small" if item.box.x1 < middle / 2 else "large": item.confidence for item in found}

    assert set(scores(Doubtful(0.0), WhiteSquares())) == {"small"}
    alone, beside = scores(WhiteSquares(), None), scores(WhiteSquares(), Doubtful(0.0))
    assert alone["large"] == beside["large"]
    assert (alone["small"] > beside["small"]) is is_silent
