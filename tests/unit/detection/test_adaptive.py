"""The cost of detection follows the photo: proposals first, the full detector where it is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from obscura.detection.adaptive import effort_rule_for, needs_slice, plan_crowd
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.merging import Candidates
from obscura.detection.networks import Networks
from obscura.detection.tiling import InferenceScales, plan_full_detector
from obscura.detection.weights import NetworkCard
from obscura.geometry import Size
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with
from tests.unit.detection.test_proposals import Doubtful

SMALL = Size(640, 480)
LARGE = Size(4000, 3000)


def detector_of(
    proposer: WhiteSquares, network: WhiteSquares, class_name: str = "face", row: int = 0
) -> Detector:
    """Return a detector with this proposal network and this full detector."""
    card = replace(CARD, class_name=class_name, proposal=NetworkCard("proposals", "1", row, {}))
    return Detector(Networks(card, network, proposer))


def squares(count: int, side: int, start: tuple[int, int] = (20, 20)) -> list[tuple[int, int, int, int]]:
    """Return boxes in rows of ten, as far from each other as they are wide."""
    step = 2 * side
    corners = [(start[0] + step * (number % 10), start[1] + step * (number // 10)) for number in range(count)]
    return [(left, top, left + side, top + side) for left, top in corners]


def proposals(boxes: list[tuple[int, int, int, int]], score: float, scale: float = 1.0) -> Candidates:
    """Return boxes as the proposal network reports them."""
    count = len(boxes)
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.zeros(count, np.bool_),
        np.zeros(count, np.intp),
        np.full(count, scale, np.float32),
    )


def pixels_of(network: WhiteSquares) -> int:
    """Return the number of input pixels of all runs of a network."""
    return sum(count * height * width for count, height, width, _ in network.shapes)


@pytest.mark.parametrize("boxes", [[], [(200, 100, 400, 360)]], ids=["nobody", "one large clear face"])
def test_an_easy_photo_costs_one_proposal_pass(boxes: list[tuple[int, int, int, int]]) -> None:
    """Where nothing is unclear the class's own network is not run at all."""
    proposer, network = WhiteSquares(), WhiteSquares()
    found = detector_of(proposer, network).detect(photo_with((640, 480), *boxes))
    assert len(found) == len(boxes)
    # A photo in which nothing stands upright is also seen turned, in a small copy.
    probes = [] if boxes else [(256, 256)] * 3
    assert [shape[1:3] for shape in proposer.shapes] == [(768, 960), *probes]
    assert network.shapes == []


def test_the_own_network_overrules_unclear_proposals() -> None:
    """What the proposal network half saw and the class's own network does not see is not reported."""
    photo = photo_with((640, 480), *squares(3, 60))
    proposer, network = Doubtful(0.4), Doubtful(0.05)
    detector = detector_of(proposer, network)
    assert detector.detect(photo, DetectionOptions(min_confidence=0.1)) == ()
    assert (480, 640) in [shape[1:3] for shape in network.shapes]


def test_what_windows_reject_costs_no_pass() -> None:
    """Most weak proposals are nothing: a window says so for a tenth of a pass."""
    network = Doubtful(0.0)
    photo = photo_with((640, 480), *squares(3, 60))
    assert detector_of(Doubtful(0.4), network).detect(photo, DetectionOptions(min_confidence=0.1)) == ()
    assert {shape[1:3] for shape in network.shapes} == {(192, 192)}


def test_a_crowd_gets_the_own_network_over_the_whole_photo() -> None:
    """Many small objects: the largest pass that there is without a proposal network, and a window each."""
    photo = photo_with((640, 480), *squares(30, 12))
    network, alone = WhiteSquares(), WhiteSquares()
    found = detector_of(WhiteSquares(), network).detect(photo)
    expected = Detector(Networks(replace(CARD, class_name="face"), alone)).detect(photo)
    assert len(found) == len(expected) == 30
    passes = [shape for shape in network.shapes if max(shape[1:3]) > 192]
    assert passes == [max(alone.shapes, key=lambda shape: shape[1] * shape[2])]
    assert pixels_of(network) < pixels_of(alone) / 2


def test_a_crowd_in_a_photo_of_full_size_also_gets_the_overview() -> None:
    """A face close to the camera may be too large for the pass at the photo's own size."""
    whole = plan_full_detector(Size(1200, 900), InferenceScales(640, 960, 2.0, 1.25))
    assert plan_crowd(proposals(squares(10, 20), 0.3), effort_rule_for("face"), whole) == whole
    assert len(whole) == 2


def test_in_a_large_photo_only_the_tiles_of_the_crowd_are_run() -> None:
    """A crowd in one corner of 12 megapixels takes no tile of the opposite corner."""
    crowd = proposals(squares(40, 15), 0.3)
    whole = plan_full_detector(LARGE, InferenceScales(640, 960, 2.0, 1.25))
    slices = plan_crowd(crowd, effort_rule_for("face"), whole)
    assert 0 < len(slices) < 4
    assert all(item.region.left < 620 and item.region.top < 140 for item in slices)


def test_the_cost_grows_with_what_is_there() -> None:
    """From an empty photo to a crowd the full detector sees more and more pixels."""
    spent = []
    for count in (0, 1, 3, 30):
        network = WhiteSquares()
        detector_of(Doubtful(0.4), network).detect(photo_with((640, 480), *squares(count, 14)))
        spent.append(pixels_of(network))
    assert spent[0] == 0
    assert spent == sorted(spent)
    assert len(set(spent)) == len(spent)


def test_no_answer_depends_on_the_photos_before() -> None:
    """Equal photos get equal answers, whatever ran in between, and whichever class comes first."""
    photos = [photo_with((640, 480), *squares(count, 14)) for count in (0, 2, 30)]
    detector = detector_of(Doubtful(0.4), WhiteSquares())
    forwards = [detector.detect(photo) for photo in photos]
    backwards = [detector.detect(photo) for photo in reversed(photos)]
    assert forwards == backwards[::-1]


def test_a_threshold_does_not_change_the_effort() -> None:
    """A lower threshold reports more of the same finds; it finds nothing else above the usual one."""
    photo = photo_with((640, 480), *squares(3, 40))
    detector = detector_of(Doubtful(0.5), Doubtful(0.6))
    usual = detector.detect(photo)
    low = detector.detect(photo, DetectionOptions(min_confidence=0.01))
    assert usual
    assert [item for item in low if item.confidence >= CARD.min_confidence] == list(usual)


@pytest.mark.parametrize(
    ("class_name", "unclear", "score", "is_needed"),
    [
        pytest.param("face", 1, 0.3, False, id="a window decides about one face"),
        pytest.param("face", 2, 0.3, True, id="several"),
        pytest.param("face", 2, 0.6, False, id="several clear ones"),
        pytest.param("plate", 1, 0.3, True, id="one plate needs its surroundings"),
        pytest.param("plate", 1, 0.05, False, id="a window rejected it"),
        pytest.param("dog", 2, 0.3, True, id="a class of one's own has the rule of faces"),
    ],
)
def test_a_slice_follows_from_what_is_unclear(
    class_name: str,
    unclear: int,
    score: float,
    is_needed: bool,  # noqa: FBT001
) -> None:
    """The rule of each class, case by case."""
    assert needs_slice(proposals(squares(unclear, 30), score), effort_rule_for(class_name)) is is_needed


def test_a_class_with_an_auxiliary_network_needs_no_full_detector() -> None:
    """What the two see is fused; a crowd costs what an empty photo does."""
    photo = photo_with((640, 480), *squares(30, 12))
    network, auxiliary = WhiteSquares(), WhiteSquares()
    alone = detector_of(WhiteSquares(), network)
    card = replace(alone.card, auxiliary=NetworkCard("auxiliary", "1", 0, {}))
    found = Detector(Networks(card, network, alone.networks.proposal, auxiliary)).detect(photo)
    assert len(found) == 30
    assert (len(auxiliary.shapes), network.shapes) == (1, [])


def test_beside_an_auxiliary_network_that_only_supplements_the_full_detector_runs_as_without_it() -> None:
    """It looks once at the photo; which slices the full detector runs over stays what it was."""
    photo = photo_with((640, 480), *squares(30, 12))
    without, beside, auxiliary = WhiteSquares(), WhiteSquares(), WhiteSquares()
    alone = detector_of(WhiteSquares(), without)
    alone.detect(photo)
    card = replace(alone.card, auxiliary=NetworkCard("auxiliary", "1", 0, {}, stands_in=False))
    found = Detector(Networks(card, beside, WhiteSquares(), auxiliary)).detect(photo)
    assert len(found) == 30
    assert len(auxiliary.shapes) == 1
    assert beside.shapes == without.shapes != []


@pytest.mark.parametrize(
    ("boxes", "runs"),
    [
        pytest.param([], 0, id="nobody"),
        pytest.param([(200, 100, 400, 360)], 0, id="one large face"),
        pytest.param([(200, 100, 400, 360), (20, 20, 40, 40)], 1, id="a small one as well"),
    ],
)
def test_a_supplement_runs_where_a_small_object_may_be(
    boxes: list[tuple[int, int, int, int]], runs: int
) -> None:
    """It has a say on those only, and most photos show none."""
    auxiliary = WhiteSquares()
    alone = detector_of(WhiteSquares(), WhiteSquares())
    card = replace(alone.card, auxiliary=NetworkCard("auxiliary", "1", 0, {}, stands_in=False))
    networks = Networks(card, WhiteSquares(), WhiteSquares(), auxiliary)
    found = Detector(networks).detect(photo_with((640, 480), *boxes))
    assert len(found) == len(boxes)
    assert len(auxiliary.shapes) == runs


def test_small_faces_are_unclear_however_sure_they_are() -> None:
    """Six small faces mean that others were missed; six large ones do not."""
    small, large = proposals(squares(6, 20), 0.9), proposals(squares(6, 40), 0.9)
    whole = plan_full_detector(SMALL, InferenceScales())
    assert plan_crowd(small, effort_rule_for("face"), whole) == whole
    assert plan_crowd(large, effort_rule_for("face"), whole) == ()
    # As the proposal network sees them: enlarged twofold they are not small.
    assert plan_crowd(proposals(squares(6, 20), 0.9, scale=2.0), effort_rule_for("face"), whole) == ()
