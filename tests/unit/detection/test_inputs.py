"""A picture in the sizes that networks take it in."""

import numpy as np
import pytest

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.inputs import Inputs
from obscura.detection.letterbox import letterbox
from obscura.detection.networks import Networks
from obscura.detection.tiling import Edges, InferenceSlice, Quality, Region
from tests.unit.detection.test_detector import CARD, WhiteSquares, photo_with

WHOLE = Edges(left=False, top=False, right=False, bottom=False)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("region", [Region(0, 0, 1600, 1200), Region(200, 100, 900, 700)])
def test_an_input_is_the_letterbox_of_its_region(region: Region, *, mirrored: bool) -> None:
    """Asked for once or again, beside others of other sizes: it is always the same picture."""
    pixels = np.random.default_rng(3).integers(0, 255, (1200, 1600, 3), np.uint8)
    inputs = Inputs(pixels)
    for long_side in (640, 320, 640):
        expected = letterbox(pixels[region.top : region.bottom, region.left : region.right], long_side)
        for _ in range(2):
            got = inputs.of(InferenceSlice(region, long_side, WHOLE, mirrored=mirrored))
            assert got.placing == expected.placing
            shown = got.pixels[:, ::-1] if mirrored else got.pixels
            np.testing.assert_array_equal(shown, expected.pixels)


@pytest.mark.parametrize("quality", list(Quality))
def test_detectors_that_share_inputs_see_what_each_sees_alone(quality: Quality) -> None:
    """Sharing is a saving, nothing else; inputs of another picture are not used, alike as the two may be."""
    pixels = photo_with((1600, 1200), (700, 500, 780, 600), (100, 100, 200, 150))
    black = photo_with((1600, 1200))
    alone = Detector(Networks(CARD, WhiteSquares())).detect(pixels, DetectionOptions(quality))
    inputs = Inputs(pixels)
    for _ in range(2):
        shared = Detector(Networks(CARD, WhiteSquares())).detect(
            pixels, DetectionOptions(quality, inputs=inputs)
        )
        assert shared == alone
    assert len(alone) == 2
    assert (
        Detector(Networks(CARD, WhiteSquares())).detect(black, DetectionOptions(quality, inputs=inputs)) == ()
    )
