"""Faces and plates on their side or upside down."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from obscura.contract import Quality
from obscura.detection.arrays import Floats, Pixels
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice
from obscura.detection.inputs import Inputs
from obscura.detection.letterbox import letterbox
from obscura.detection.loading import load_detector
from obscura.detection.networks import Networks
from obscura.detection.tiling import Edges, InferenceSlice, Region, plan_whole
from obscura.detection.turned import turned_boxes, turned_size
from obscura.detection.weights import NetworkCard, default_models_dir
from obscura.geometry import Box, Size
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with

TURNS = (1, 2, 3)
CARD_WITH_PROPOSALS = replace(CARD, class_name="face", proposal=NetworkCard("proposals", "1", 0, {}))


class Heads(WhiteSquares):
    """Finds white areas whose upper half is brighter than their lower one: heads that are upright."""

    def __init__(self, score: float = 0.9) -> None:
        super().__init__()
        self._score = score

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return ``[b, 5, n]`` for the upright heads of each picture."""
        output = super().run(batch)
        for row, picture in zip(output, batch, strict=True):
            for column in range(row.shape[1]):
                x, y, width, height = row[:4, column]
                left, right = round(x - width / 2), round(x + width / 2)
                top, middle, bottom = round(y - height / 2), round(y), round(y + height / 2)
                means = [
                    float(part.mean()) if part.size else 0.0
                    for part in (picture[top:middle, left:right], picture[middle:bottom, left:right])
                ]
                row[4, column] = self._score if means[0] > means[1] + 20 else 0.0
        return output


def head(pixels: Pixels, box: tuple[int, int, int, int], quarter_turns: int = 0) -> None:
    """Draw a head into a photo, turned counter-clockwise."""
    x1, y1, x2, y2 = box
    width, height = turned_size(Size(x2 - x1, y2 - y1), quarter_turns)
    drawn = np.full((height, width, 3), 255, np.uint8)
    drawn[height // 2 :] = 200
    pixels[y1:y2, x1:x2] = np.rot90(drawn, quarter_turns)


def detector_of(proposer: WhiteSquares, network: WhiteSquares | None = None) -> Detector:
    """Return a detector of faces with this proposal network."""
    return Detector(Networks(CARD_WITH_PROPOSALS, network or Heads(), proposer))


@pytest.mark.parametrize("turns", TURNS)
def test_boxes_turn_with_their_picture_and_back(turns: int) -> None:
    """A drawn box lies where `numpy.rot90` shows it."""
    size, box = Size(64, 40), np.array([[3, 5, 20, 11]], np.float32)
    turned = turned_boxes(box, size, turns)
    shown = np.rot90(photo_with((64, 40), (3, 5, 20, 11)), turns)[..., 0] > 0
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    assert turned.tolist() == [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
    assert turned_boxes(turned, turned_size(size, turns), 4 - turns).tolist() == box.tolist()


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_outputs_of_turned_inputs_are_those_of_the_picture_as_it_is(turns: int, *, mirrored: bool) -> None:
    """Whatever the network sees turned, its boxes come back where they are in the slice's input."""
    pixels = photo_with((600, 400), (30, 50, 130, 80), (400, 300, 420, 390))
    inputs, networks = Inputs(pixels), Networks(CARD, WhiteSquares())
    for item in (
        replace(plan_whole(Size(600, 400), 320), mirrored=mirrored),
        InferenceSlice(
            Region(0, 0, 300, 200), 192, Edges(left=False, top=False, right=True, bottom=True), mirrored
        ),
    ):
        upright, turned = (networks.raw_output(of, item) for of in (inputs, inputs.turned(turns)))
        expected, got = (np.array(sorted(output.T[output[4] > 0].tolist())) for output in (upright, turned))
        assert len(expected)
        assert got == pytest.approx(expected, abs=1e-3)
        frame = inputs.turned(turns).of(item)
        region = pixels[item.region.top : item.region.bottom, item.region.left : item.region.right]
        made = letterbox(region, item.long_side).pixels
        seen = np.rot90(made, turns)
        assert np.array_equal(frame.pixels, seen[:, ::-1] if mirrored else seen)
    assert inputs.turned(turns) is inputs.turned(turns)


@pytest.mark.parametrize("quality", [Quality.BALANCED, Quality.THOROUGH])
@pytest.mark.parametrize("turns", TURNS)
def test_what_lies_is_found_beside_what_stands(turns: int, quality: Quality) -> None:
    """One head each, wherever its top is; `fast` and `rapid` see the upright one only."""
    pixels = photo_with((800, 600))
    boxes = (100, 100, 180, 200), (500, 300, 620, 400)
    head(pixels, boxes[0])
    head(pixels, boxes[1], turns)
    detector = detector_of(Heads(0.75), Heads(0.75))
    found = detector.detect(pixels, DetectionOptions(quality))
    for box in boxes:
        (partner,) = (item for item in found if Box(*map(float, box)).iou(item.box) > 0.8)
        assert partner.confidence == pytest.approx(0.75)
    assert len(found) == 2
    for quick in (Quality.FAST, Quality.RAPID):
        assert len(detector.detect(pixels, DetectionOptions(quick))) == 1


@pytest.mark.parametrize(("score", "probes"), [(0.9, 0), (0.7, 3)])
def test_an_upright_photo_pays_three_small_passes_at_most(score: float, probes: int) -> None:
    """None where something clear stands upright; what is seen on it when it is turned is nothing new."""

    class Sure(WhiteSquares):
        """Sees white areas with that score."""

        def run(self, batch: Sequence[Pixels]) -> Floats:
            output = super().run(batch)
            output[:, 4] *= score / 0.9
            return output

    proposer, network = Sure(), Sure()
    assert len(detector_of(proposer, network).detect(photo_with((640, 480), (200, 100, 400, 360)))) == 1
    assert [shape[1:3] for shape in proposer.shapes] == [
        (768, 960),
        *[(256, 256)] * probes,
    ]
    assert network.shapes == []


def test_something_clear_of_another_class_shows_that_a_photo_is_upright() -> None:
    """The proposal network sees all classes at once: beside a clear face no plate is looked for turned."""

    class TwoClasses(WhiteSquares):
        """Gives white areas to the other class."""

        def run(self, batch: Sequence[Pixels]) -> Floats:
            output = super().run(batch)
            return np.concatenate([output[:, :4], output[:, 4:], np.zeros_like(output[:, 4:])], axis=1)

    card = replace(CARD, class_name="plate", proposal=NetworkCard("proposals", "1", 1, {}))
    proposer = TwoClasses()
    plates = Detector(Networks(card, Heads(), proposer))
    assert plates.detect(photo_with((640, 480), (200, 100, 400, 360))) == ()
    assert len(proposer.shapes) == 1
    assert plates.detect(photo_with((640, 480))) == ()
    assert len(proposer.shapes) == 1 + 1 + len(TURNS)


@pytest.mark.parametrize(("score", "beside", "count"), [(0.45, False, 1), (0.45, True, 1), (0.6, True, 2)])
def test_in_an_upright_photo_a_turned_object_has_to_be_surer(
    score: float, count: int, *, beside: bool
) -> None:
    """Hands look like faces that lie: beside a clear upright face more is asked for."""
    pixels = photo_with((640, 480))
    head(pixels, (300, 200, 400, 280), 1)

    class Mixed(Heads):
        """Sure of the large upright head, less so of others."""

        def run(self, batch: Sequence[Pixels]) -> Floats:
            output = super().run(batch)
            tall = output[:, 3] > 2 * output[:, 2]
            output[:, 4] = np.where(tall & (output[:, 4] > 0), 0.75, output[:, 4])
            return output

    if beside:
        head(pixels, (60, 60, 120, 210))
    detector = detector_of(Mixed(score), Mixed(score))
    assert len(detector.detect(pixels)) == count
    # In a finished picture the upright face may be hidden.
    finished = detector.detect(pixels, DetectionOptions(is_finished=True))
    assert len(finished) == (score > 0.5) + beside


def test_a_panorama_is_taken_as_it_is() -> None:
    """Its left edge continues its right one: turned it would have no seam."""
    pixels = photo_with((2048, 1024))
    head(pixels, (900, 400, 1000, 480), 1)
    assert detector_of(Heads()).detect(pixels) == ()


@pytest.mark.parametrize("turns", [0, *TURNS])
def test_the_portrait_is_found_however_it_is_held(portrait: Pixels, turns: int) -> None:
    """With the shipped networks, on a photo with a margin and other sides."""
    detector = load_detector(default_models_dir(), "face", EngineChoice.ONNX, threads=1)
    upright = np.asarray(cv2.copyMakeBorder(portrait, 60, 20, 10, 170, cv2.BORDER_REPLICATE), np.uint8)
    expected = detector.detect(upright)[0].box
    held = np.ascontiguousarray(np.rot90(upright, turns))
    size = Size(upright.shape[1], upright.shape[0])
    place = Box(*turned_boxes(np.array([expected], np.float32), size, turns)[0].tolist())
    assert detector.detect(held)[0].box.iou(place) > 0.7
