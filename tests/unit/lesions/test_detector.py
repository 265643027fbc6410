"""What is found in phantoms: calcifications, and nothing else."""

import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from obscura.contract import RESEARCH_ONLY, LesionOptions, LesionResult
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.clusters import groups
from obscura.lesions.detector import detect
from obscura.lesions.reading import open_mammogram
from tests import mammograms
from tests.mammograms import Phantom, phantom


def look(
    data: bytes, limits: ValidationLimits, pixel_mm: float = 0.1, min_score: float = 0.5
) -> LesionResult:
    """Return what is found in a file."""
    return detect(open_mammogram(data, limits, pixel_mm), LesionOptions(min_score=min_score))


def dumped(part: LesionResult) -> dict[str, object]:
    """Return a part as JSON has it."""
    return part.model_dump(mode="json")


@pytest.mark.parametrize("pixel_mm", [0.05, 0.07, 0.1, 0.2])
def test_calcifications_of_any_pixel_size_are_found(limits: ValidationLimits, pixel_mm: float) -> None:
    """The detector knows millimetres: nine in ten of the simulated spots, at most one other mark."""
    made = phantom(90, 120, pixel_mm, seed=int(pixel_mm * 1000))
    part = look(mammograms.png(made.deep(16)), limits, pixel_mm)
    found, false = made.found(dumped(part))
    assert found >= 9
    assert false <= 1


@pytest.mark.parametrize("seed", range(4))
def test_labels_and_film_edges_are_not_marked(limits: ValidationLimits, seed: int) -> None:
    """A marker with letters and a bright edge outside the breast change nothing."""
    made = phantom(90, 120, 0.1, seed=seed, label=True)
    found, false = made.found(dumped(look(mammograms.png(made.deep(16)), limits)))
    assert found >= 9
    assert false <= 1


@pytest.mark.parametrize("seed", [0, 1])
def test_hollow_calcifications_stand_out(limits: ValidationLimits, seed: int) -> None:
    """Rings of 1.5 to 2.5 mm with a clear centre are marked, and stand out more than any tissue does."""
    made = phantom(90, 120, 0.1, seed=seed)
    grey = made.grey.copy()
    centres = [(x, y) for y in (450, 600, 750) for x in (200, 350)]
    for number, centre in enumerate(centres):
        mammograms.add_ring(grey, centre, 15 + 2 * number, 0.03)
    part = look(mammograms.png(np.rint(np.clip(grey, 0, 1) * 65_535).astype(np.uint16)), limits)
    for x, y in centres:
        on_it = [m.z for m in part.marks if np.hypot(m.x + m.w / 2 - x, m.y + m.h / 2 - y) <= 10]
        assert max(on_it, default=0) >= 6.5


@pytest.mark.parametrize("seed", [0, 1])
def test_skin_is_not_marked(limits: ValidationLimits, seed: int) -> None:
    """A bright line of skin and strands that run into it have two marks at most; no spot is hidden."""
    made = phantom(90, 120, 0.1, seed=seed)
    grey = mammograms.add_skin(made, seed=seed)
    found, false = made.found(dumped(look(mammograms.png(np.rint(grey * 65_535).astype(np.uint16)), limits)))
    assert found >= 9
    assert false <= 2


def test_either_breast(limits: ValidationLimits, made: Phantom) -> None:
    """A mirrored picture has mirrored marks."""
    left = look(mammograms.png(made.deep(16)), limits)
    right = look(mammograms.png(np.ascontiguousarray(made.deep(16)[:, ::-1])), limits)
    width = made.grey.shape[1]
    mirrored = sorted((width - mark.x - mark.w, mark.y) for mark in right.marks)
    assert len(mirrored) == len(left.marks)
    for (x, y), mark in zip(mirrored, sorted((mark.x, mark.y) for mark in left.marks), strict=True):
        assert abs(x - mark[0]) <= 4
        assert abs(y - mark[1]) <= 4


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_depth_keeps_what_is_found(limits: ValidationLimits, made: Phantom, bits: int) -> None:
    """The same picture at any depth has calcifications at the same places."""
    pixels = made.eight() if bits == 8 else made.deep(bits)
    found, false = made.found(dumped(look(mammograms.png(pixels), limits)))
    assert found >= 9
    assert false <= 1


def test_faint_contrast_in_deep_pictures_is_kept(limits: ValidationLimits, made: Phantom) -> None:
    """Contrast that 8 bits would round away is found where the file has it: nothing brings it down to 8."""
    faint = np.rint(made.grey * 60 + 20_000).astype(np.uint16)
    found, _ = made.found(dumped(look(mammograms.png(faint), limits)))
    assert found >= 9


def test_boxes_lie_on_the_spots(limits: ValidationLimits, made: Phantom) -> None:
    """A box is inside the picture, not larger than a few times its spot, and agrees with its area."""
    part = look(mammograms.png(made.deep(16)), limits)
    height, width = made.grey.shape
    for mark in part.marks:
        assert 0 <= mark.x < mark.x + mark.w <= width
        assert 0 <= mark.y < mark.y + mark.h <= height
        assert max(mark.w, mark.h) * made.pixel_mm <= 3
        assert mark.area_mm2 <= mark.w * mark.h * made.pixel_mm**2 * 1.05
        assert mark.diameter_mm == pytest.approx(2 * np.sqrt(mark.area_mm2 / np.pi), abs=0.02)
    assert all(first.score >= second.score for first, second in pairwise(part.marks))
    assert part.score == part.marks[0].score
    assert part.notice == RESEARCH_ONLY


def test_a_lower_score_adds_marks_and_takes_none(limits: ValidationLimits, made: Phantom) -> None:
    """``min_score`` cuts one list."""
    data = mammograms.png(made.deep(16))
    few = [mark.model_dump(exclude={"cluster"}) for mark in look(data, limits).marks]
    many = [mark.model_dump(exclude={"cluster"}) for mark in look(data, limits, min_score=0.05).marks]
    assert many[: len(few)] == few
    assert len(many) > len(few)
    assert min(mark["score"] for mark in many) >= 0.05


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (40, 30), (700, 500)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_pictures_with_nothing_on_them(limits: ValidationLimits, shape: tuple[int, int], value: int) -> None:
    """No marks and a warning; no crash."""
    part = look(mammograms.png(np.full(shape, value, np.uint8)), limits)
    assert part.marks == ()
    assert part.score == 0
    assert "no breast was found in the picture" in part.warnings


def test_pure_noise_is_no_breast_full_of_marks(limits: ValidationLimits) -> None:
    """Noise has no more marks than chance gives, whatever its strength."""
    random = np.random.default_rng(5)
    made = phantom(90, 120, 0.1, seed=9)
    breast = cv2.GaussianBlur((made.grey > 0.2).astype(np.float64), (0, 0), 15)
    noisy = np.clip(0.5 * breast + random.normal(0, 0.03, breast.shape), 0, 1)
    part = look(mammograms.png(np.rint(noisy * 65_535).astype(np.uint16)), limits)
    assert len(part.marks) <= 3


def test_groups_hang_together() -> None:
    """Single link: a chain is one group, a far point and a pair are none."""
    chain = [(0.0, 0.0), (5.0, 0.0), (10.0, 0.0), (30.0, 0.0), (60.0, 0.0), (61.0, 0.0)]
    assert groups(chain) == ((0, 1, 2),)
    assert groups([(0.0, 0.0), (5.7, 0.0), (11.4, 0.0)]) == ()
    assert groups([]) == ()


def test_marks_know_their_cluster(limits: ValidationLimits) -> None:
    """Five spots within a centimetre are one cluster whose box holds them."""
    made = phantom(90, 120, 0.1, seed=3)
    grey = made.grey.copy()
    for x, y in ((300, 600), (330, 610), (310, 640), (345, 650), (300, 660)):
        mammograms.add_spot(grey, (x, y), 5, 0.15)
    part = look(mammograms.png(np.rint(np.clip(grey, 0, 1) * 65_535).astype(np.uint16)), limits)
    cluster = part.clusters[0]
    members = [mark for mark in part.marks if mark.cluster == 0]
    assert len(members) == cluster.marks >= 5
    for mark in members:
        assert cluster.x <= mark.x
        assert mark.x + mark.w <= cluster.x + cluster.w
        assert cluster.y <= mark.y
        assert mark.y + mark.h <= cluster.y + cluster.h


@pytest.mark.slow
def test_processor_time(limits: ValidationLimits) -> None:
    """A full-size picture takes at most 0.3 s of processor time, decoding included."""
    data = mammograms.jpeg(phantom(239.4, 306.2, 0.1).eight())
    look(data, limits)
    times = []
    for _ in range(3):
        began = time.process_time()
        look(data, limits)
        times.append(time.process_time() - began)
    assert min(times) <= 0.3
