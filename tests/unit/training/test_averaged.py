"""The clock of a training run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from training import averaged

if TYPE_CHECKING:
    import pytest


def test_a_run_ends_when_its_time_is_spent() -> None:
    """Items come with the seconds spent until then; a run that was spent before gets none."""
    assert [item for item, _ in averaged.timed(range(3), minutes=1)] == [0, 1, 2]
    assert list(averaged.timed(range(3), minutes=1, spent=60.0)) == []


def test_a_long_pause_hardly_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept for an hour between two steps has lost a minute of the run."""
    monkeypatch.setattr(time, "monotonic", iter([0.0, 1.0, 3601.0, 3602.0]).__next__)
    spent = [seconds for _, seconds in averaged.timed("abc", minutes=10)]
    assert spent == [1.0, 61.0, 62.0]
