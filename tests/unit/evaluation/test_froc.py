"""Free-response curves: literal cases."""

from pathlib import Path

import numpy as np
import pytest

from obscura.evaluation.froc import Marks, froc
from obscura.evaluation.lesion_labels import LabelledImage


def image(objects: list[list[float]], areas: list[list[float]] | None = None) -> LabelledImage:
    """Return an image of 0.1 mm a pixel, so that a margin is 12 pixels."""
    shape = (-1, 4)
    return LabelledImage(
        Path("x"), np.array(objects, float).reshape(shape), np.array(areas or [], float).reshape(shape), 0.1
    )


def marks(*points: tuple[float, float, float]) -> Marks:
    """Return marks of ``(x, y, score)``."""
    table = np.array(points, float).reshape(-1, 3)
    return Marks(table[:, :2], table[:, 2])


def test_the_curve_counts_hits_and_false_marks() -> None:
    """Two images, three objects: one found at once, one after a false mark, one never."""
    images = [image([[100, 100, 110, 110], [300, 300, 310, 310]]), image([[50, 50, 60, 60]])]
    seen = [marks((105, 105, 9), (500, 500, 8), (305, 322, 7)), marks((500, 500, 1))]
    curve = froc(images, seen)
    points = [curve.at(rate) for rate in (0, 0.5, 5)]
    assert [share for share, _ in points] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert [threshold for _, threshold in points] == [9, 7, 1]


@pytest.mark.parametrize(("x", "is_hit"), [(98, True), (97.9, False), (122, True), (122.1, False)])
def test_the_margin(x: float, is_hit: bool) -> None:  # noqa: FBT001 - a case's own answer
    """A centre up to 1.2 mm outside the box is a hit, further out it is false."""
    assert froc([image([[110, 0, 110, 10]])], [marks((x, 5, 1))]).at(0)[0] == float(is_hit)


def test_what_counts_neither_way() -> None:
    """A second mark on an object, and marks in areas marked as a whole, are not false."""
    images = [image([[100, 100, 110, 110]], [[400, 400, 600, 600]])]
    curve = froc(images, [marks((105, 105, 3), (106, 106, 2), (500, 500, 9))])
    assert curve.at(0)[0] == 1.0
    assert curve.false_per_image.max() == 0


def test_slivers() -> None:
    """A label one pixel wide is to be found, or counts neither way."""
    images = [image([[100, 100, 101, 160], [300, 300, 310, 310]])]
    seen = [marks((305, 305, 2), (100, 130, 1))]
    assert froc(images, [marks((305, 305, 2))]).at(0)[0] == 0.5
    without = froc(images, seen, slivers=False)
    assert without.at(0)[0] == 1.0
    assert without.false_per_image.max() == 0


def test_nothing_marked() -> None:
    """No marks: nothing found, nothing false."""
    assert froc([image([[1, 1, 9, 9]])], [marks()]).at(1) == (0.0, None)
