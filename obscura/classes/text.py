"""Text regions, by the networks in the wheel of rapidocr (extra ``text``), which onnxruntime runs.

The detection network is PP-OCR's (Apache-2.0), a differentiable binarisation (Liao et al., AAAI 2020): a map
of how surely each pixel belongs to text, drawn in by a share of its height. The package is not imported.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.classes.patterns import compiled
from obscura.contract import ExtraClass, Quality
from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.onnx import OnnxSession, open_onnx
from obscura.detection.detections import Detection, DetectionOptions
from obscura.detection.engines import EngineOptions
from obscura.detection.extra import ExtraDetector, card_of
from obscura.errors import ClassUnavailableError
from obscura.geometry import Box, Size

__all__ = ["open_detector"]

MIN_CONFIDENCE: Final = 0.4
"""Mean certainty over a region from which it is text; the network's authors use 0.5 for documents."""

BUDGETS: Final = {Quality.RAPID: 0.5e6, Quality.FAST: 0.8e6, Quality.BALANCED: 3e6, Quality.THOROUGH: 12e6}
"""Pixels to which a photo is scaled."""

ENLARGEMENT: Final = {Quality.BALANCED: 1.5, Quality.THOROUGH: 2.0}
"""How many times a small photo is enlarged at most."""

TILE, OVERLAP, STRIDE = 1280, 160, 32
"""Side of a tile, what neighbours share, and what divides the sides of an input, in pixels."""

TEXT_PIXEL, MIN_SIDE, DRAWN_IN, MOST = 0.3, 3.0, 1.6, 2000
"""Certainty of a pixel of text; least side of a region in scaled pixels; by which multiple of area through
perimeter regions are drawn in; and how many there may be."""

LINE_HEIGHT, MAX_LINE, STANDING, UNSURE = 48, 1920, 1.5, 0.8
"""Height and most width of a recognised line; ratio of height to width from which it stands; mean certainty
of its characters below which it is read upside down as well."""


def open_detector(extra: ExtraClass, models_dir: Path, engine: EngineOptions) -> ExtraDetector:
    """Return the detector of text; see `obscura.detection.extra.open_extra`."""
    del models_dir
    finder = _Finder(extra, engine.threads)
    card = card_of(extra, "rapidocr", "Apache-2.0", MIN_CONFIDENCE)
    return ExtraDetector(card, finder.find, "onnx")


class _Region(NamedTuple):
    """The corners ``[4, 2]`` of a line of text, in pixels of the photo, clockwise, and its certainty."""

    corners: Floats
    confidence: float


class _Finder:
    """Finds text with one network and, where a pattern is given, reads it with another."""

    def __init__(self, extra: ExtraClass, threads: int) -> None:
        self._name = extra.name
        self._threads = threads
        self._detection = open_onnx(_weights(extra, "det"), threads)
        self._extra = extra
        self._recogniser: _Recogniser | None = None

    def find(self, pixels: Pixels, options: DetectionOptions) -> Iterator[Detection]:
        """Yield the regions of text, or the parts of them that ``options.text_match`` matches."""
        pattern = None if options.text_match is None else compiled(options.text_match)
        for region in _regions(self._map(pixels, options.quality), Size(pixels.shape[1], pixels.shape[0])):
            if pattern is None:
                yield Detection(self._name, _box(region.corners), region.confidence)
                continue
            if self._recogniser is None:
                self._recogniser = _Recogniser(open_onnx(_weights(self._extra, "rec"), self._threads))
            line = self._recogniser.read(pixels, region.corners)
            for match in pattern.finditer(line.text):
                if match.end() > match.start():
                    part = line.part(match.start(), match.end())
                    yield Detection(self._name, _box(part), region.confidence)

    def _map(self, pixels: Pixels, quality: Quality) -> Floats:
        """Return the certainty of text by pixel of the scaled photo, ``[height, width]``."""
        height, width = pixels.shape[:2]
        scale = min(sqrt(BUDGETS[quality] / (height * width)), ENLARGEMENT.get(quality, 1.0))
        size = max(STRIDE, round(width * scale)), max(STRIDE, round(height * scale))
        scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        certainty = np.zeros(scaled.shape[:2], np.float32)
        for top in _starts(size[1]):
            for left in _starts(size[0]):
                window = slice(top, top + TILE), slice(left, left + TILE)
                tile = certainty[window]
                np.maximum(tile, self._run(np.asarray(scaled[window], np.uint8)), out=tile)
        return certainty

    def _run(self, tile: Pixels) -> Floats:
        height, width = tile.shape[:2]
        down, right = -height % STRIDE, -width % STRIDE
        padded = cv2.copyMakeBorder(tile, 0, down, 0, right, cv2.BORDER_REPLICATE)
        return self._detection.run_tensor(_normalised(np.asarray(padded, np.uint8)))[0, 0, :height, :width]


class _Line(NamedTuple):
    """A recognised line: its text, the place of each character along it, 0..1, and its corners."""

    text: str
    places: Sequence[float]
    corners: Floats

    def part(self, start: int, end: int) -> Floats:
        """Return the corners of characters ``start`` to ``end``, half a character's distance wider."""
        begin = 0.0 if start == 0 else (self.places[start - 1] + self.places[start]) / 2
        stop = 1.0 if end == len(self.text) else (self.places[end - 1] + self.places[end]) / 2
        left_top, right_top, right_bottom, left_bottom = self.corners
        across, below = right_top - left_top, right_bottom - left_bottom
        return np.array(
            [
                left_top + begin * across,
                left_top + stop * across,
                left_bottom + stop * below,
                left_bottom + begin * below,
            ],
            np.float32,
        )


class _Recogniser:
    """Reads lines: a network with a distribution over characters for each step from left to right (CTC)."""

    def __init__(self, session: OnnxSession) -> None:
        self._session = session
        # The first class is CTC's blank, the last a space.
        self._characters = ["", *session.metadata["character"].splitlines(), " "]

    def read(self, pixels: Pixels, corners: Floats) -> _Line:
        """Return the text in a quadrilateral of a photo, read in the direction in which it is surest."""
        across, down = (float(np.linalg.norm(corners[end] - corners[0])) for end in (1, 3))
        turns = (1, 3) if down > STANDING * across else (0, 2)
        best, certainty = self._read(pixels, np.roll(corners, turns[0], axis=0))
        if certainty < UNSURE:
            other, other_certainty = self._read(pixels, np.roll(corners, turns[1], axis=0))
            best = other if other_certainty > certainty else best
        return best

    def _read(self, pixels: Pixels, corners: Floats) -> tuple[_Line, float]:
        across, down = (float(np.linalg.norm(corners[end] - corners[0])) for end in (1, 3))
        width = int(np.clip(LINE_HEIGHT * across / max(down, 1.0), LINE_HEIGHT, MAX_LINE))
        target = np.array([(0, 0), (width, 0), (width, LINE_HEIGHT), (0, LINE_HEIGHT)], np.float32)
        upright = cv2.getPerspectiveTransform(corners, target)
        strip = cv2.warpPerspective(pixels, upright, (width, LINE_HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        scores = self._session.run_tensor(_normalised(np.asarray(strip, np.uint8)))[0]
        best = scores.argmax(axis=1)
        steps = np.flatnonzero((best != 0) & (np.diff(best, prepend=0) != 0))
        text = "".join(self._characters[best[step]] for step in steps)
        certainty = float(scores[steps, best[steps]].mean()) if len(steps) else 0.0
        places = [(step + 0.5) / len(best) for step in steps]
        return _Line(text, places, corners), certainty


def _regions(certainty: Floats, size: Size) -> Iterator[_Region]:
    """Yield the lines in a map, as rectangles in any direction, in pixels of a photo of ``size``."""
    height, width = certainty.shape
    to_photo = np.array([size.width / width, size.height / height], np.float32)
    is_text = (certainty > TEXT_PIXEL).astype(np.uint8)
    contours, _ = cv2.findContours(is_text, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:MOST]:
        centre, sides, angle = cv2.minAreaRect(contour)
        if min(sides) < MIN_SIDE:
            continue
        confidence = _mean_inside(certainty, cv2.boxPoints((centre, sides, angle)))
        if confidence < MIN_CONFIDENCE / 2:
            continue
        grown = DRAWN_IN * sides[0] * sides[1] / (sides[0] + sides[1])
        outer = cv2.boxPoints((centre, (sides[0] + grown, sides[1] + grown), angle))
        yield _Region(_clockwise(np.asarray(outer, np.float32)) * to_photo, confidence)


def _mean_inside(certainty: Floats, corners: NDArray[np.generic]) -> float:
    left, top, width, height = cv2.boundingRect(np.asarray(corners, np.int32))
    left, top = max(0, left), max(0, top)
    part = certainty[top : top + height, left : left + width]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.asarray(corners - np.array([left, top]), np.int32)], (1,))
    return float(cv2.mean(part, mask)[0])


def _clockwise(corners: Floats) -> Floats:
    """Return corners clockwise from the upper left one, of a rectangle turned by at most 45 degrees."""
    order = np.argsort(corners[:, 0], kind="stable")
    left, right = corners[order[:2]], corners[order[2:]]
    top_left, bottom_left = left[np.argsort(left[:, 1])]
    top_right, bottom_right = right[np.argsort(right[:, 1])]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def _normalised(pixels: Pixels) -> Floats:
    """Return a picture as the networks take it: ``[1, 3, height, width]``, blue first, -1..1."""
    levels = pixels[..., ::-1].astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(levels.transpose(2, 0, 1)[None])


def _box(corners: Floats) -> Box:
    return Box(*map(float, corners.min(axis=0)), *map(float, corners.max(axis=0)))


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE - OVERLAP)


def _weights(extra: ExtraClass, kind: str) -> Path:
    """Return the ONNX file for ``det`` or ``rec`` in the installed package."""
    specification = find_spec("rapidocr")
    for folder in (specification and specification.submodule_search_locations) or ():
        for path in sorted(Path(folder, "models").glob(f"*_{kind}_*.onnx")):
            return path
    message = f"rapidocr carries no network of the kind {kind}: {extra.installation}"
    raise ClassUnavailableError(message)
