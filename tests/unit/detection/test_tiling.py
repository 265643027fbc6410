"""Planning of inference slices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.letterbox import input_size
from obscura.detection.tiling import (
    MAX_SLICE_SIDE,
    OVERLAP,
    PROPOSAL_SIZES,
    WHOLE_SCALE,
    InferenceScales,
    Quality,
    is_panorama,
    plan_slices,
)
from obscura.geometry import Size


@pytest.mark.parametrize(
    ("size", "quality", "scales", "sides"),
    [
        pytest.param(
            Size(4000, 3000), Quality.FAST, InferenceScales(640, 960, 2.0), [640], id="fast is one pass"
        ),
        pytest.param(
            Size(300, 200), Quality.FAST, InferenceScales(640), [300], id="nothing is enlarged for nothing"
        ),
        pytest.param(
            Size(300, 200), Quality.BALANCED, InferenceScales(640, 960, 2.0), [600], id="tiny ones twofold"
        ),
        pytest.param(
            Size(640, 480), Quality.BALANCED, InferenceScales(640, 832, 2.0), [640, 832], id="small ones grow"
        ),
        pytest.param(
            Size(790, 480), Quality.BALANCED, InferenceScales(), [790], id="and once where that is enough"
        ),
        pytest.param(
            Size(900, 800),
            Quality.BALANCED,
            InferenceScales(640, 832),
            [640, 900],
            id="the pass follows the photo",
        ),
        pytest.param(
            Size(1600, 1200), Quality.BALANCED, InferenceScales(), [640, 1280], id="2 megapixels whole"
        ),
        pytest.param(
            Size(900, 800), Quality.THOROUGH, InferenceScales(), [640, 900] * 2, id="thorough looks twice"
        ),
    ],
)
def test_slices_of_a_plan(size: Size, quality: Quality, scales: InferenceScales, sides: list[int]) -> None:
    """Each quality takes the slices that its documentation names."""
    plan = plan_slices(size, quality, scales)
    assert [item.long_side for item in plan] == sides


@pytest.mark.parametrize("size", [Size(4032, 3024), Size(1600, 1066), Size(1920, 1080), Size(900, 900)])
def test_engines_are_told_what_a_scout_sees_often(size: Size) -> None:
    """Photos in the usual proportions, either way up, give inputs of few sizes."""
    for turned in (size, Size(size.height, size.width)):
        [is_proposal] = plan_slices(turned, Quality.RAPID, InferenceScales(has_proposals=True))
        assert input_size(is_proposal.scaled) in PROPOSAL_SIZES


def test_twelve_megapixels_are_tiled() -> None:
    """Balanced divides a 12 megapixel photo into twelve tiles and an overview."""
    plan = plan_slices(Size(4000, 3000), Quality.BALANCED, InferenceScales())
    assert len(plan) == 13
    assert not any(plan[0].inner_edges)


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    quality=st.sampled_from([Quality.BALANCED, Quality.THOROUGH]),
)
def test_tiles_leave_no_gap_and_share_enough(width: int, height: int, quality: Quality) -> None:
    """Tiles cover the photo, stay inside it, fit a slice, keep the scale and share the overlap."""
    plan = plan_slices(Size(width, height), quality, InferenceScales())
    tiles = [item for item in plan if any(item.inner_edges) and not item.mirrored]
    scale = InferenceScales().tile_scale
    if not tiles:
        scale = WHOLE_SCALE if quality is Quality.BALANCED else scale
        assert max(item.long_side for item in plan) >= scale * max(width, height) - 1
        return
    for axis, length in ((0, width), (1, height)):
        spans = sorted({(item.region[axis], item.region[axis + 2]) for item in tiles})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all((end - after) * scale >= OVERLAP - 2 for (_, end), (after, _) in pairwise(spans))
    for item in tiles:
        assert item.long_side <= MAX_SLICE_SIDE
        assert item.long_side >= scale * item.region.size.long_side - 1


def test_thorough_sees_everything_mirrored_too() -> None:
    """Every slice is run once more mirrored."""
    plan = plan_slices(Size(3000, 2000), Quality.THOROUGH, InferenceScales())
    plain, mirrored = np.array_split(np.array(plan, dtype=object), 2)
    assert [item.region for item in plain] == [item.region for item in mirrored]
    assert all(item.mirrored for item in mirrored)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Size(4096, 2048), True),
        (Size(2048, 1024), True),
        (Size(2000, 1000), False),
        (Size(4096, 2047), False),
    ],
)
def test_panoramas_are_known_by_their_shape(size: Size, *, expected: bool) -> None:
    """Only large photos exactly twice as wide as high are taken for a full turn."""
    assert is_panorama(size) is expected
