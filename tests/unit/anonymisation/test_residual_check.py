"""The residual check of a finished picture."""

from dataclasses import replace

import numpy as np
import pytest

from obscura.anonymisation import residual_check
from obscura.anonymisation.detect import find_objects, open_photo
from obscura.anonymisation.residual_check import FinishedPicture, find_residual, hidden_share
from obscura.contract import JobKind, JobOptions, ObjectClass, ResidualCheck, Step, with_residual_check
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.loading import load_for
from obscura.geometry import Box
from obscura.imaging.open import Photo
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


def finished(
    picture: Photo, hidden: list[Box], check: ResidualCheck = ResidualCheck.QUICK
) -> FinishedPicture:
    """Return a picture to be checked."""
    return FinishedPicture(picture, hidden, DetectionOptions(), check)


@pytest.mark.parametrize("check", [ResidualCheck.QUICK, ResidualCheck.FULL])
def test_an_open_face_is_residual_and_a_hidden_one_is_not(detector: Detector, check: ResidualCheck) -> None:
    """Both checks find it with score and box, the same each time; inside a hidden area nothing counts."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    (face,) = finished(picture, [], check).residual(detector)
    assert face.confidence > 0.5
    assert Box(*face.xyxy).iou(Box(*photos.FACE)) > 0.5
    assert finished(picture, [], check).residual(detector) == (face,)
    assert finished(picture, [Box(*photos.FACE).grow(1.3)], check).residual(detector) == ()


def test_the_quick_check_asks_the_proposal_network_alone(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there was a first detection the class's own network does not run again."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    first = find_objects(detector, picture, DetectionOptions())
    missed = first.model_copy(update={"detections": ()})
    monkeypatch.setattr(detector.networks, "full", None)
    assert len(finished(picture, []).residual(detector, missed)) == 1


def test_after_a_persons_boxes_the_class_network_is_asked_alone(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proposal network sees more that is nothing; below the threshold measured for it nothing counts."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    monkeypatch.setattr(detector.networks, "proposal", None)
    (face,) = finished(picture, []).residual(detector)
    higher = {"face": face.confidence + 0.01}
    monkeypatch.setattr(residual_check, "AFTER_REDACT_THRESHOLDS", higher)
    assert finished(picture, []).residual(detector) == ()


def test_what_the_first_detection_left_open_counts(detector: Detector) -> None:
    """A blunt request hides nothing; its own detection tells, also where the check itself sees nothing."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    first = find_objects(detector, picture, DetectionOptions(min_confidence=0.99))
    assert first.detections == ()
    (left,) = first.left_open
    blank = replace(picture, pixels=np.zeros_like(picture.pixels))
    assert finished(blank, []).residual(detector, first) == (left,)
    assert finished(blank, [Box(*left.xyxy)]).residual(detector, first) == ()
    assert finished(picture, []).residual(detector, first)[0].confidence >= left.confidence
    assert len(finished(picture, []).residual(detector, first)) == 1


def test_without_a_check_nothing_is_residual(detector: Detector) -> None:
    """Off is off, and the report says so instead of an empty list."""
    picture = open_photo(photos.PORTRAIT.read_bytes(), Settings())
    assert finished(picture, [], ResidualCheck.OFF).residual(detector) == ()
    report = {"verdict": "clean"}
    assert with_residual_check(report, (), ResidualCheck.OFF) == {"verdict": "clean", "residual_check": "off"}
    checked = with_residual_check(report, (), ResidualCheck.QUICK)
    assert checked == {"verdict": "clean", "residual_check": "quick", "residual": []}


def test_a_face_over_the_seam_of_a_panorama_is_residual(detector: Detector) -> None:
    """Half of it lies at either edge: both halves are told."""
    around = photos.encoded(photos.portrait().resize((1024, 1024)).crop((0, 0, 2048, 1024)))
    picture = open_photo(around, Settings())
    face = Box(*photos.FACE).scale(2, 2)
    turned = np.roll(picture.pixels, -round((face.x1 + face.x2) / 2), axis=1)
    found = finished(replace(picture, pixels=turned), []).residual(detector)
    edges = {(item.xyxy[0] == 0, item.xyxy[2] == 2048) for item in found}
    assert {(True, False), (False, True)} <= edges


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
    check = (Step.RESIDUAL_CHECK_FACES,)
    assert options.stages(JobKind.REDACT) == ((Step.REDACT,), check)
    assert options.stages(JobKind.BLUR) == ((Step.DETECT_FACES,), (Step.REDACT,), check)
    unchecked = options.model_copy(update={"residual_check": ResidualCheck.OFF})
    assert unchecked.stages(JobKind.BLUR)[-1] == unchecked.stages(JobKind.REDACT)[-1] == (Step.REDACT,)


@pytest.mark.parametrize(("review", "check"), [(True, ResidualCheck.QUICK), (False, ResidualCheck.OFF)])
def test_jobs_of_an_older_version_can_be_read(review: bool, check: ResidualCheck) -> None:  # noqa: FBT001
    """The option ``review`` of jobs that still wait after an update means what it meant."""
    assert JobOptions.model_validate({"review": review}).residual_check is check
