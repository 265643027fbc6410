"""The second look at a redacted picture."""

from dataclasses import replace

import numpy as np
import pytest

from obscura.contract import JobKind, JobOptions, ObjectClass, ResidualCheck, Step
from obscura.detection.detector import DetectionOptions, Detector
from obscura.finding import load_for, open_photo
from obscura.geometry import Box
from obscura.reviewing import hidden_share, look_again
from obscura.settings import Settings
from tests import photos


@pytest.fixture(scope="module")
def detector() -> Detector:
    """Load the detector of faces."""
    return load_for(Settings(), ObjectClass.FACE, 1)


def test_a_face_that_was_missed_is_seen(detector: Detector) -> None:
    """However blunt the first look was, a face left in the picture is a suspect."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    blunt = DetectionOptions(min_confidence=0.999)
    assert detector.detect(picture.pixels, blunt) == ()
    (suspect,) = look_again(detector, picture, [], blunt)
    assert Box(*suspect.xyxy).iou(Box(*photos.FACE)) > 0.5


def test_what_was_hidden_is_no_suspect(detector: Detector) -> None:
    """A find under a painted box is the mosaic, and one beside it is not."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    assert look_again(detector, picture, [Box(*photos.FACE).grow(1.3)], DetectionOptions()) == ()
    assert len(look_again(detector, picture, [Box(300, 300, 500, 500)], DetectionOptions())) == 1


def test_a_picture_with_its_face_painted_over_is_clean(detector: Detector) -> None:
    """Nothing is left to see under one flat colour."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    pixels = picture.pixels.copy()
    x1, y1, x2, y2 = Box(*photos.FACE).grow(1.3).rounded()
    pixels[y1:y2, x1:x2] = np.array([150, 120, 100], dtype=np.uint8)
    painted = replace(picture, pixels=pixels)
    assert look_again(detector, painted, [Box(x1, y1, x2, y2)], DetectionOptions()) == ()


@pytest.mark.parametrize(
    ("hidden", "share"),
    [
        ([], 0.0),
        ([Box(0, 0, 10, 10)], 1.0),
        ([Box(0, 0, 5, 10)], 0.5),
        ([Box(0, 0, 5, 10), Box(0, 0, 5, 10)], 0.5),
        ([Box(0, 0, 5, 10), Box(5, 0, 10, 5)], 0.75),
        ([Box(20, 20, 30, 30)], 0.0),
        ([Box(-50, -50, 50, 50)], 1.0),
    ],
)
def test_the_union_of_what_was_hidden_counts(hidden: list[Box], share: float) -> None:
    """Overlapping boxes are not counted twice."""
    assert hidden_share(Box(0, 0, 10, 10), hidden) == share


def test_a_persons_boxes_are_checked_like_detections() -> None:
    """Blur and redact jobs end with the residual check, unless that is switched off."""
    options = JobOptions(classes=(ObjectClass.FACE,))
    check = (Step.REVIEW_FACES,)
    assert options.stages(JobKind.REDACT) == ((Step.REDACT,), check)
    assert options.stages(JobKind.BLUR) == ((Step.DETECT_FACES,), (Step.REDACT,), check)
    unchecked = options.model_copy(update={"residual_check": ResidualCheck.OFF})
    assert unchecked.stages(JobKind.BLUR)[-1] == unchecked.stages(JobKind.REDACT)[-1] == (Step.REDACT,)


@pytest.mark.parametrize(("review", "check"), [(True, ResidualCheck.QUICK), (False, ResidualCheck.OFF)])
def test_jobs_of_an_older_version_can_be_read(review: bool, check: ResidualCheck) -> None:  # noqa: FBT001
    """The option ``review`` of jobs that still wait after an update means what it meant."""
    assert JobOptions.model_validate({"review": review}).residual_check is check
