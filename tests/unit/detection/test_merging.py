"""Boxes of several inference slices of one photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.merging import Candidates, merge_slices

Row = tuple[float, float, float, float, float, bool, int]


def found(*rows: Row) -> Candidates:
    """Build candidates of ``(x1, y1, x2, y2, score, cut, source)`` rows."""
    table = np.array([row[:5] for row in rows], np.float32).reshape(-1, 5)
    return Candidates(
        table[:, :4],
        table[:, 4],
        np.array([row[5] for row in rows], np.bool_),
        np.array([row[6] for row in rows], np.intp),
        np.ones(len(rows), np.float32),
    )


def boxes(merged: Candidates) -> list[tuple[float, ...]]:
    """Return the boxes in reading order."""
    return sorted(tuple(row) for row in merged.boxes.tolist())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(
            [(0, 0, 100, 100, 0.5, False, 0), (50, 0, 100, 100, 0.9, True, 1)],
            [(0, 0, 100, 100)],
            id="half a face gives way to the whole one, even with a better score",
        ),
        pytest.param(
            [(2, 0, 102, 100, 0.5, False, 1), (0, 2, 100, 102, 0.5, False, 0)],
            [(1.08, 0.92, 101.08, 100.92)],
            id="the same face whole in two tiles is one, in between",
        ),
        pytest.param(
            [(0, 0, 300, 300, 0.6, True, 1), (100, 100, 130, 130, 0.9, False, 1)],
            [(0, 0, 300, 300), (100, 100, 130, 130)],
            id="a small whole face does not delete the large cut one around it",
        ),
        pytest.param(
            [(0, 0, 300, 400, 0.6, True, 1), (140, 10, 500, 410, 0.7, True, 2)],
            [(0, 0, 500, 410)],
            id="two halves of a face that no pass saw whole become one",
        ),
        pytest.param(
            [(0, 0, 60, 80, 0.6, True, 1)],
            [(0, 0, 60, 80)],
            id="a cut box that nothing covers stays",
        ),
        pytest.param(
            [(0, 0, 60, 80, 0.6, True, 1), (55, 0, 115, 80, 0.6, True, 2)],
            [(0, 0, 60, 80), (55, 0, 115, 80)],
            id="two people side by side at a border stay two",
        ),
        pytest.param(
            [(0, 0, 100, 80, 0.6, True, 1), (40, 0, 140, 80, 0.6, True, 1)],
            [(0, 0, 100, 80), (40, 0, 140, 80)],
            id="one pass does not continue itself",
        ),
        pytest.param(
            [
                (0, 0, 300, 300, 0.5, True, 1),
                (150, 0, 400, 300, 0.5, True, 2),
                (0, 150, 300, 400, 0.5, True, 3),
                (150, 150, 400, 400, 0.6, True, 4),
            ],
            [(0, 0, 400, 400)],
            id="four quarters at a corner of tiles become one",
        ),
    ],
)
def test_objects_are_neither_split_nor_lost(rows: list[Row], expected: list[tuple[float, ...]]) -> None:
    """Each situation at a tile's border ends as a person would draw it."""
    assert boxes(merge_slices(found(*rows), 0.5)) == [pytest.approx(row, abs=0.01) for row in expected]


def test_the_whole_box_takes_the_better_score() -> None:
    """The whole box takes the higher score of a truncated one, so that no later threshold drops it."""
    merged = merge_slices(found((0, 0, 100, 100, 0.1, False, 0), (50, 0, 100, 100, 0.9, True, 1)), 0.5)
    assert merged.scores.tolist() == pytest.approx([0.9])


def test_halves_across_the_seam_become_one() -> None:
    """In a panorama the half at the left edge belongs to the whole box over the wrapped right edge."""
    rows = found((0, 0, 30, 60, 0.8, True, 0), (970, 0, 1030, 60, 0.7, False, 0))
    assert boxes(merge_slices(rows, 0.5, period=1000.0)) == [(970, 0, 1030, 60)]


COORDINATE = st.integers(0, 300)
ROWS = st.lists(
    st.tuples(
        COORDINATE, COORDINATE, st.integers(5, 90), st.integers(5, 90), st.booleans(), st.integers(0, 3)
    ),
    max_size=20,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_what_was_found_stays_mostly_covered(rows: list[tuple[int, int, int, int, bool, int]]) -> None:
    """Merging leaves no candidate without a surviving box over it, and keeps the best score."""
    candidates = found(
        *(
            (x, y, x + w, y + h, (index + 1) / 30, truncated, tile)
            for index, (x, y, w, h, truncated, tile) in enumerate(rows)
        )
    )
    merged = merge_slices(candidates, 0.5)
    for x1, y1, x2, y2 in candidates.boxes.tolist():
        assert any(
            min(x2, right) > max(x1, left) and min(y2, bottom) > max(y1, top)
            for left, top, right, bottom in merged.boxes.tolist()
        )
    if rows:
        assert merged.scores.max() == candidates.scores.max()
