"""Limits on size and shape."""

from __future__ import annotations

import numpy as np
import pytest

from obscura.detection.merging import Candidates
from obscura.detection.priors import NO_PRIORS, Priors, plausible, priors_for
from obscura.geometry import Size

BOXES = Candidates(
    np.array([[0, 0, 100, 20], [0, 0, 1, 20], [0, 0, 20, 100], [0, 0, 190, 100]], np.float32),
    np.array([0.2, 0.2, 0.3, 0.9], np.float32),
    np.zeros(4, bool),
    np.zeros(4, np.intp),
    np.ones(4, np.float32),
)


@pytest.mark.parametrize(
    ("priors", "kept"),
    [
        pytest.param(NO_PRIORS, [True, True, True, True], id="none"),
        pytest.param(Priors(min_side=2), [True, False, True, True], id="too small"),
        pytest.param(Priors(max_share=0.9), [True, True, True, False], id="nearly the whole photo"),
        pytest.param(
            Priors(large_share=0.05, large_score=0.25), [False, True, True, True], id="large and unsure"
        ),
        pytest.param(Priors(min_aspect=0.5), [True, False, False, True], id="too upright"),
        pytest.param(Priors(max_aspect=4.0), [False, True, True, True], id="too long"),
    ],
)
def test_each_limit_stands_alone(priors: Priors, kept: list[bool]) -> None:
    """A limit drops what is beyond it and nothing else."""
    assert plausible(BOXES, Size(200, 100), priors).tolist() == kept


def test_an_unknown_class_has_no_limits() -> None:
    """What nobody measured is not filtered."""
    assert priors_for("unicorn") == NO_PRIORS
