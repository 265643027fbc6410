"""Text is found on a photo; with a pattern only what it matches."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from obscura.classes.patterns import compiled
from obscura.contract import JobOptions, ObjectClass
from obscura.detection.detections import DetectionOptions
from obscura.detection.extra import ObjectDetector
from obscura.detection.loading import load_any
from obscura.errors import InvalidOptionError
from obscura.geometry import Box
from obscura.settings import Settings

MAIL = r"[\w.+-]+@[\w-]+\.\w+"


@pytest.fixture(scope="module")
def detector() -> ObjectDetector:
    """Return the detector of text."""
    return load_any(Settings(), ObjectClass("text"), 1)


@pytest.fixture(scope="module")
def badge(portrait: Path) -> NDArray[np.uint8]:
    """The portrait with a badge: a name, and a line with an address in it."""
    with Image.open(portrait) as picture:
        drawn = ImageDraw.Draw(badge := picture.convert("RGB"))
    drawn.rectangle((20, 360, 420, 490), fill="white")
    drawn.text((40, 375), "Anna Example", fill="black", font=ImageFont.load_default(40))
    drawn.text((40, 440), "Mail anna@example.org now", fill="black", font=ImageFont.load_default(24))
    return np.asarray(badge)


def test_lines_are_found(detector: ObjectDetector, badge: NDArray[np.uint8]) -> None:
    """Each line has a box of its own that covers it."""
    found = detector.detect(badge)
    for line in (Box(42, 388, 280, 416), Box(42, 448, 320, 462)):
        assert any(item.box.intersection(line) > 0.95 * line.area for item in found)


def test_a_pattern_hides_what_it_matches(detector: ObjectDetector, badge: NDArray[np.uint8]) -> None:
    """The address within its line, and not the name above nor the words beside."""
    (found,) = detector.detect(badge, DetectionOptions(text_match=MAIL))
    assert found.box.y1 > 420
    assert 75 < found.box.x1 < 105
    assert 265 < found.box.x2 < 310
    assert detector.detect(badge, DetectionOptions(text_match=r"\d{5}")) == ()


def test_turned_text_is_read(detector: ObjectDetector, badge: NDArray[np.uint8]) -> None:
    """Upside down and on its side as well."""
    for quarters in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(badge, quarters))
        assert len(detector.detect(turned, DetectionOptions(text_match="(?i)example.org"))) == 1


def test_a_costly_pattern_takes_no_time() -> None:
    """RE2 matches in linear time; a pattern that would take much memory is refused."""
    began = time.process_time()
    assert list(compiled(r"(a+)+$").finditer("a" * 5000 + "b")) == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize("pattern", ["[", "(?=x)", r"(x)\1", "((a{1000}){1000}){1000}"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    """With the stable code of options, and what is wrong."""
    with pytest.raises(InvalidOptionError, match="text_match"):
        compiled(pattern)


def test_a_pattern_needs_the_class() -> None:
    """It would otherwise do nothing, silently."""
    alone = JobOptions(text_match=MAIL)
    assert alone.contradictions() == ("text_match is for the class text",)
    assert JobOptions(classes=(ObjectClass("text"),), text_match=MAIL).contradictions() == ()
    assert "text_match" not in JobOptions().model_dump()
