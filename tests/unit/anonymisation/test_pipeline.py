"""A whole photo in one process."""

from dataclasses import replace
from functools import partial
from unittest.mock import patch

import pytest

from obscura.anonymisation import Target, redact_photo
from obscura.anonymisation.detect import open_photo
from obscura.anonymisation.pipeline import PhotoPipeline, PipelineResult
from obscura.anonymisation.residual_check import find_residual
from obscura.contract import ObjectClass, ResidualCheck
from obscura.detection.detections import DetectionOptions
from obscura.detection.extra import ObjectDetector
from obscura.detection.loading import load_all
from obscura.detection.networks import Networks
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.settings import Precision, Settings
from tests import photos

EXACT = Settings(precision=Precision.F32)
RUN = Networks.run_proposal_network


@pytest.fixture(scope="module")
def detectors() -> dict[ObjectClass, ObjectDetector]:
    """Load both detectors."""
    return load_all(EXACT, tuple(ObjectClass), 1)


@pytest.mark.parametrize("form", ["jpeg", "png", "nothing"])
def test_the_second_look_sees_what_a_stranger_to_the_photo_sees(
    detectors: dict[ObjectClass, ObjectDetector], form: str
) -> None:
    """With what the first look remembers, the second one finds the same as one that begins anew."""
    group = photos.group(6, 4)
    data = photos.encoded(group, "PNG") if form == "png" else photos.encoded(group, quality=90)
    photo = open_photo(data, EXACT)
    pipeline = PhotoPipeline(detectors, DetectionOptions())
    first = pipeline.detect(photo)
    found = first.parts[ObjectClass.FACE].detections
    # Left as they are: there has to be something to see.
    chosen = [] if form == "nothing" else found[: len(found) // 2]
    assert len(found) > 10
    targets = [Target(item.class_name.value, Box(*item.xyxy)) for item in chosen]
    redacted = redact_photo(data, targets, before=photo)
    hidden = [Box(*region) for region in redacted.report.regions]
    remembered = pipeline.find_residual(
        PipelineResult(photo, caches=first.caches), redacted.shown, hidden, ResidualCheck.FULL
    )
    opened = open_photo(redacted.data, EXACT)
    fresh = partial(find_residual, picture=opened, hidden=hidden, options=DetectionOptions())
    assert remembered == {name: fresh(detector) for name, detector in detectors.items()}
    assert len(remembered[ObjectClass.FACE]) >= len(found) - len(chosen)


def test_a_photo_that_is_handed_on_gives_the_same_file_as_its_bytes() -> None:
    """Decoding once is a saving, nothing else: report and picture are those of bytes alone."""
    data = photos.encoded(photos.group(), quality=90)
    target = Target("plate", Box(20, 20, 220, 120))
    alone = redact_photo(data, [target])
    shared = redact_photo(data, [target], before=open_photo(data, EXACT))
    # Plates become one colour: no noise tells the two apart.
    assert shared.data == alone.data
    assert shared.report == alone.report


def test_what_is_raised_between_two_parts_ends_the_work(detectors: dict[ObjectClass, ObjectDetector]) -> None:
    """A step that was taken away stops before its next detector."""
    turns: list[int] = []

    def give_up() -> None:
        turns.append(1)
        if len(turns) == 2:
            raise InterruptedError

    pipeline = PhotoPipeline(detectors, DetectionOptions(), give_up)
    with pytest.raises(InterruptedError):
        pipeline.detect(open_photo(photos.PORTRAIT.read_bytes(), EXACT))


def test_the_quick_check_runs_over_the_whole_picture_only_where_it_changed_elsewhere(
    detectors: dict[ObjectClass, ObjectDetector],
) -> None:
    """What the proposal network saw in the photo counts, as long as only hidden areas differ from it."""
    data = photos.encoded(photos.group(6, 4), quality=90)
    photo = open_photo(data, EXACT)
    pipeline = PhotoPipeline(detectors, DetectionOptions())
    first = pipeline.detect(photo)
    found = first.parts[ObjectClass.FACE].detections
    chosen = [Target("face", Box(*item.xyxy)) for item in found[: len(found) // 2]]
    redacted = redact_photo(data, chosen, before=photo)
    hidden = redacted.report.hidden_boxes
    nothing = {name: part.model_copy(update={"detections": ()}) for name, part in first.parts.items()}
    as_if_nothing = PipelineResult(photo, nothing, first.caches)

    def residual(shown: Photo) -> tuple[int, int]:
        """Return how many faces the check finds, and over how many slices the proposal network runs."""
        with patch.object(Networks, "run_proposal_network", autospec=True, side_effect=RUN) as run:
            parts = pipeline.find_residual(as_if_nothing, shown, hidden, ResidualCheck.QUICK)
        return len(parts[ObjectClass.FACE]), len({call.args[2] for call in run.call_args_list})

    open_faces = len(found) - len(chosen)
    seen, slices = residual(redacted.shown)
    assert (slices, seen >= open_faces) == (1, True)
    pixels = redacted.shown.pixels.copy()
    pixels[-8:, -8:] = 0
    seen, slices = residual(replace(redacted.shown, pixels=pixels))
    assert (slices, seen >= open_faces) == (2, True)
