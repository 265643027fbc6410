"""Views of photos from which a network learns what grown ones say."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.distil import BATCH, SHAPES, Views
from training.predict import PADDING


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Return three photos of one bright colour each, of several shapes."""
    files = []
    for number, size in enumerate([(300, 500), (800, 90), (20, 30)]):
        file = tmp_path / f"{number}.png"
        cv2.imwrite(str(file), np.full((*size, 3), (250, 240, 230), np.uint8))
        files.append(file)
    return files


def test_views_are_of_the_promised_shapes(photos: list[Path]) -> None:
    """Every batch is of one shape, and all shapes come."""
    views = Views(photos, 3)
    batches = [views.batch() for _ in range(24)]
    assert {batch.shape for batch in batches} == {(BATCH, *shape, 3) for shape in SHAPES}
    assert all(batch.dtype == np.uint8 and batch.flags.c_contiguous for batch in batches)


def test_every_view_shows_something_of_a_photo(photos: list[Path]) -> None:
    """A view is never all padding: nothing could be learnt from it."""
    batch = Views(photos, 5).batch()
    assert all((np.abs(view.astype(int) - PADDING).max(axis=2) > 8).any() for view in batch)


def test_a_seed_gives_the_same_views_again(photos: list[Path]) -> None:
    """A run can be repeated."""
    np.testing.assert_array_equal(Views(photos, 7).batch(), Views(photos, 7).batch())
    assert Views(photos, 7).batch().tobytes() != Views(photos, 8).batch().tobytes()
