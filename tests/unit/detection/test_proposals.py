"""The proposal network: a small network that runs over a photo first, once for all classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions
from obscura.detection.inputs import Inputs
from obscura.detection.loading import open_detector
from obscura.detection.networks import Networks
from obscura.detection.output_cache import Changes
from obscura.detection.tiling import Quality
from obscura.detection.weights import NetworkCard, card_for_class, default_models_dir, load_manifest
from obscura.errors import ModelError
from obscura.geometry import Box
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.detection.arrays import Floats, Pixels

RAPID = DetectionOptions(Quality.RAPID)


class WhiteOrNothing(WhiteSquares):
    """A network for two classes that sees white areas and takes them for the second class."""

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return ``[b, 6, n]``."""
        seen = super().run(batch)
        return np.concatenate([seen[:, :4], np.zeros_like(seen[:, 4:]), seen[:, 4:]], axis=1)


class Doubtful(WhiteSquares):
    """A network whose scores are a share of the usual ones."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return ``[b, 5, n]``."""
        output = super().run(batch)
        output[:, 4] *= self._share
        return output


def detector_with(proposal_session: WhiteSquares, row: int, network: WhiteSquares | None = None) -> Detector:
    """Return a detector of the class in ``row`` of the proposal network."""
    return Detector(
        Networks(
            replace(CARD, proposal=NetworkCard("scout-test", "1", row, {})),
            network or WhiteSquares(),
            proposal_session,
        )
    )


def test_only_a_rapid_look_is_the_proposal_network() -> None:
    """It runs the slice, the full detector the crop re-scoring; in `fast` it does not run."""
    photo = photo_with((1600, 1200), (700, 500, 780, 600))
    proposal_session, network = WhiteSquares(), WhiteSquares()
    detector = detector_with(proposal_session, 0, network)
    (found,) = detector.detect(photo, RAPID)
    assert found.box.iou(Box(700, 500, 780, 600)) > 0.9
    assert [shape[1:3] for shape in proposal_session.shapes] == [(480, 640)]
    assert network.shapes == []  # it was sure: no closer look
    detector.detect(photo, DetectionOptions(Quality.FAST))
    assert len(proposal_session.shapes) == 1
    assert [shape[1:3] for shape in network.shapes] == [(480, 640)]


def test_doubts_of_the_proposal_network_are_for_the_grown_network() -> None:
    """Uncertain proposals are decided by the full detector's crop re-scoring."""
    photo = photo_with((1600, 1200), (700, 500, 780, 600))
    network = WhiteSquares()
    (found,) = detector_with(Doubtful(0.1), 0, network).detect(photo, RAPID)
    assert [shape[1:3] for shape in network.shapes] == [(128, 128)]
    assert found.confidence > 0.25


def test_each_class_has_its_row() -> None:
    """A detector reads the scores of its own class only."""
    photo = photo_with((640, 480), (100, 100, 200, 200))
    assert detector_with(WhiteOrNothing(), 0).detect(photo, RAPID) == ()
    assert len(detector_with(WhiteOrNothing(), 1).detect(photo, RAPID)) == 1


def test_a_row_that_is_not_there_is_an_error() -> None:
    """A row that the proposal network does not have is an error with its name."""
    with pytest.raises(ModelError, match="scout-test has 1 classes: its manifest names row 1"):
        detector_with(WhiteSquares(), 1).detect(photo_with((640, 480)), RAPID)


def test_detectors_that_share_a_proposal_network_ask_it_once() -> None:
    """One run over a photo serves all classes; another photo takes another run."""
    photo, other = photo_with((640, 480), (100, 100, 200, 200)), photo_with((640, 480))
    proposal_session = WhiteOrNothing()
    detectors = [detector_with(proposal_session, row) for row in (0, 1)]
    together = replace(RAPID, inputs=Inputs(photo))
    assert [len(detector.detect(photo, together)) for detector in detectors] == [0, 1]
    assert len(proposal_session.shapes) == 1
    assert detectors[1].detect(other, together) == ()
    assert len(proposal_session.shapes) == 2


def test_without_a_proposal_network_rapid_runs_the_full_detector() -> None:
    """Weights without a proposal network work as well."""
    network = WhiteSquares()
    assert (
        len(Detector(Networks(CARD, network)).detect(photo_with((640, 480), (100, 100, 200, 200)), RAPID))
        == 1
    )
    assert network.shapes


def test_the_cache_distinguishes_networks_in_equal_slices() -> None:
    """A photo as small as a window: what either network said stays what that one said."""
    photo = photo_with((64, 64), (20, 20, 40, 40))
    proposal_session, network = Doubtful(0.5), WhiteSquares()
    detector = detector_with(proposal_session, 0, network)
    first = detector.detect_with_cache(photo, RAPID)
    known = Changes.between(photo, photo).outside(first.cache)
    runs = len(proposal_session.shapes), len(network.shapes)
    assert runs == (1, 1)
    assert detector.detect_with_cache(photo, RAPID, known).detections == first.detections
    assert (len(proposal_session.shapes), len(network.shapes)) == runs


@pytest.mark.parametrize("choice", [EngineChoice.ONNX, EngineChoice.OPENVINO])
def test_the_shipped_classes_share_their_proposal_network(choice: EngineChoice, portrait: Pixels) -> None:
    """One proposal network is loaded for both classes; it finds the astronaut's face and no plate."""
    folder = default_models_dir()
    manifest = load_manifest(folder / "manifest.toml")
    options = EngineOptions(choice, threads=2, device="cpu")
    face = open_detector(folder, card_for_class(manifest, "face"), options)
    plate = open_detector(folder, card_for_class(manifest, "plate"), options, [face])
    assert face.networks.proposal is not None
    assert plate.networks.proposal is face.networks.proposal
    together = replace(RAPID, inputs=Inputs(portrait))
    (found,) = face.detect(portrait, together)
    (grown,) = face.detect(portrait)
    assert found.box.iou(grown.box) > 0.75
    assert plate.detect(portrait, together) == ()
