"""The full detector runs in key frames, and where proposals leave open what a frame shows."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from obscura.detection.arrays import Pixels
from obscura.detection.detections import Detection, DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.tiling import Quality
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.geometry import Box
from obscura.video.detection import FrameDetector
from obscura.video.tracking import Tracker, TrackerOptions

if TYPE_CHECKING:
    from obscura.detection.backends.base import Session

INTERVAL, SPACING = 12, 4
FRAMES = 40
FRAME = np.zeros((100, 200, 3), np.uint8)


class Scripted(Detector):
    """A detector whose scores of one face are given by frame: of the proposal network and of the full one."""

    def __init__(self, proposed: dict[int, float], found: float = 0.5, *, proposes: bool = True) -> None:
        session = cast("Session", object())
        card = card_for_class(load_manifest(default_models_dir() / "manifest.toml"), "face")
        super().__init__(Networks(replace(card, min_confidence=0.1), session, session if proposes else None))
        self.proposed, self.found = proposed, found
        self.frame = 0
        self.full: list[int] = []

    def detect(self, pixels: Pixels, options: DetectionOptions | None = None) -> tuple[Detection, ...]:
        """Detect fully."""
        del pixels
        self.full.append(self.frame)
        return self._face(self.found if self.frame in self.proposed else 0.0, options)

    def propose(self, pixels: Pixels, options: DetectionOptions) -> tuple[Detection, ...]:
        """Detect by the proposal network."""
        del pixels
        return self._face(self.proposed.get(self.frame, 0.0), options)

    def _face(self, score: float, options: DetectionOptions | None) -> tuple[Detection, ...]:
        box = Box(20 + self.frame, 20, 60 + self.frame, 60)
        return (Detection("face", box, score),) if options and score > (options.min_confidence or 0.0) else ()


def run(
    detector: Scripted, quality: Quality = Quality.BALANCED, cut: int | None = None
) -> list[list[tuple[int, Box]]]:
    """Run a detector over a video of 25 frames a second; return what is hidden by frame."""
    tracker = Tracker(TrackerOptions(max_gap=50, max_doubt=INTERVAL, hold=12))
    frames = FrameDetector([detector], DetectionOptions(quality), tracker, 25.0, 0.48)
    for number in range(FRAMES):
        if number == cut:
            tracker.cut(number)
            frames.cut()
        detector.frame = number
        tracker.update(number, frames.find(number, FRAME))
    return list(tracker.to_hide(FRAMES))


@pytest.mark.parametrize("proposed", [{}, dict.fromkeys(range(FRAMES), 0.3)], ids=["nobody", "a face"])
def test_the_full_detector_runs_now_and_then_where_all_is_clear(proposed: dict[int, float]) -> None:
    """Nobody, or a face whose track goes on: at the begin of a shot and once in an interval."""
    detector = Scripted(proposed)
    shown = run(detector)
    assert detector.full == [0, 12, 24, 36]
    assert all(len(boxes) == bool(proposed) for boxes in shown)
    detector = Scripted(proposed)
    run(detector, cut=15)
    assert detector.full == [0, 12, 15, 27, 39]


def test_thorough_and_models_without_proposals_run_fully_on_all_frames() -> None:
    """There is nothing to save by."""
    for detector, quality in (
        (Scripted({}), Quality.THOROUGH),
        (Scripted({}, proposes=False), Quality.RAPID),
    ):
        run(detector, quality)
        assert detector.full == list(range(FRAMES))


def test_who_appears_between_key_frames_is_looked_at() -> None:
    """At the next frame that may be one, and whoever is found there is hidden from the first proposal on."""
    detector = Scripted(dict.fromkeys(range(14, FRAMES), 0.3))
    shown = run(detector)
    assert detector.full == [0, 12, 16, 28]
    assert all(
        box.contains(Box(20 + number, 20, 60 + number, 60))
        for number in range(14, FRAMES)
        for _, box in shown[number][:1]
    )
    assert all(shown[number] for number in range(14, FRAMES))


def test_who_is_lost_is_looked_at() -> None:
    """A track without a proposal; once the full detector has found nobody there either, no more."""
    detector = Scripted(dict.fromkeys(range(18), 0.3))
    run(detector)
    assert detector.full == [0, 12, 18, 30]


def test_proposals_that_the_full_detector_rejects_are_not_hidden() -> None:
    """Nor are they looked at in every frame: a track of doubtful ones goes on until the next key frame."""
    detector = Scripted(dict.fromkeys(range(2, FRAMES), 0.3), found=0.06)
    assert not any(run(detector))
    assert detector.full == [0, 4, 16, 28]


def test_a_clear_proposal_needs_no_full_detector() -> None:
    """It is hidden by itself, as in a photo."""
    detector = Scripted({2: 0.8})
    shown = run(detector)
    assert shown[2]
    assert 2 not in detector.full
