"""The second look at a redacted picture."""

from dataclasses import replace

import numpy as np
import pytest

from obscura.anonymisation.detect import load_for, open_photo
from obscura.anonymisation.residual_check import find_residual, hidden_share
from obscura.contract import JobKind, JobOptions, ObjectClass, Step
from obscura.detection.detector import DetectionOptions, Detector
from obscura.geometry import Box
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
    (suspect,) = find_residual(detector, picture, [], blunt)
    assert Box(*suspect.xyxy).iou(Box(*photos.FACE)) > 0.5


def test_what_was_hidden_is_no_suspect(detector: Detector) -> None:
    """A find under a painted box is the mosaic, and one beside it is not."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    assert find_residual(detector, picture, [Box(*photos.FACE).grow(1.3)], DetectionOptions()) == ()
    assert len(find_residual(detector, picture, [Box(300, 300, 500, 500)], DetectionOptions())) == 1


def test_a_picture_with_its_face_painted_over_is_clean(detector: Detector) -> None:
    """Nothing is left to see under one flat colour."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    pixels = picture.pixels.copy()
    x1, y1, x2, y2 = Box(*photos.FACE).grow(1.3).rounded()
    pixels[y1:y2, x1:x2] = np.array([150, 120, 100], dtype=np.uint8)
    painted = replace(picture, pixels=pixels)
    assert find_residual(detector, painted, [Box(x1, y1, x2, y2)], DetectionOptions()) == ()


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


def test_jobs_for_a_persons_boxes_are_not_looked_at_again() -> None:
    """What a person chose is applied exactly; a blur job has a third stage unless that is switched off."""
    options = JobOptions(classes=(ObjectClass.FACE,))
    assert options.stages(JobKind.REDACT) == ((Step.REDACT,),)
    assert options.stages(JobKind.BLUR) == ((Step.DETECT_FACES,), (Step.REDACT,), (Step.REVIEW_FACES,))
    assert options.model_copy(update={"review": False}).stages(JobKind.BLUR)[-1] == (Step.REDACT,)
