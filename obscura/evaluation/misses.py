"""The worst misses of a detector, and a contact sheet of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from obscura.errors import PhotoError
from obscura.evaluation.matching import areas, match
from obscura.evaluation.summary import hidden_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.matching import Photo
    from obscura.evaluation.summary import Rules
    from obscura.imaging.pixels import Pixels

    Floats = NDArray[np.float64]

COLUMNS = 8
MOST = 48
TILE = 200
CAPTION = 30
SURROUNDINGS = 3.0
"""Side of a tile's view as a multiple of the label's longer side."""
SMALLEST_VIEW = 80.0
MISSED, FOUND, IGNORED = "red", "yellow", "deepskyblue"


@dataclass(frozen=True, eq=False, slots=True)
class Miss:
    """A label that was not found.

    Attributes
    ----------
    photo
        Index of its photo.
    label
        Its corners in pixels, ``[4]``.
    exposed
        Pixels of it that redaction would leave visible.
    hidden
        Share of it, 0..1, that inaccurate boxes would hide all the same.
    score
        Best score of a matching detection, below the threshold; ``-inf`` where there is none.
    """

    photo: int
    label: Floats
    exposed: float
    hidden: float
    score: float


def worst_misses(photos: Sequence[Photo], threshold: float, rules: Rules) -> list[Miss]:
    """Return the labels without a match from ``threshold`` on, those with most visible pixels first."""
    misses = []
    for index, photo in enumerate(photos):
        shares, sizes = hidden_share(photo, threshold, rules.growth), areas(photo.labels)
        scores = match(photo, rules.min_iou).label_scores
        for label in np.flatnonzero(scores < threshold):
            exposed = float((1.0 - shares[label]) * sizes[label])
            misses.append(
                Miss(index, photo.labels[label], exposed, float(shares[label]), float(scores[label]))
            )
    return sorted(misses, key=lambda miss: -miss.exposed)


def draw_misses(
    misses: Sequence[Miss],
    photos: Sequence[Photo],
    threshold: float,
    pixels_of: Callable[[int], Pixels],
) -> Image.Image:
    """Return a contact sheet of the first misses: labels red, detections yellow, ignored regions blue.

    Parameters
    ----------
    misses
        Misses, worst first.
    photos
        Labels and detections.
    threshold
        Score from which a box is drawn.
    pixels_of
        Opens the photo of an index; where it raises PhotoError, the tile stays grey.
    """
    shown = misses[:MOST]
    rows = max(1, -(-len(shown) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + CAPTION)), "white")
    if not shown:
        ImageDraw.Draw(sheet).text((8, 8), "nothing was missed", fill="black", font=_font())
    for position, miss in enumerate(shown):
        row, column = divmod(position, COLUMNS)
        photo = photos[miss.photo]
        boxes = [
            (photo.ignored, IGNORED),
            (photo.boxes[photo.scores >= threshold], FOUND),
            (miss.label[None], MISSED),
        ]
        try:
            view = _view(pixels_of(miss.photo), miss.label, boxes)
        except PhotoError:
            view = Image.new("RGB", (TILE - 2, TILE - 2), "grey")
        sheet.paste(view, (column * TILE + 1, row * (TILE + CAPTION) + CAPTION))
        place = (column * TILE + 3, row * (TILE + CAPTION) + 1)
        ImageDraw.Draw(sheet).text(place, _caption(miss), fill="black", font=_font(), spacing=1)
    return sheet


def _view(pixels: Pixels, label: Floats, layers: Sequence[tuple[Floats, str]]) -> Image.Image:
    """Return the surroundings of a label, with boxes drawn in their colours."""
    centre = (label[:2] + label[2:]) / 2
    half = max(float((label[2:] - label[:2]).max()) * SURROUNDINGS, SMALLEST_VIEW) / 2
    left, top = (centre - half).round().astype(int).tolist()
    side = round(2 * half)
    crop = Image.fromarray(pixels).crop((left, top, left + side, top + side))
    view = crop.resize((TILE - 2, TILE - 2), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(view)
    for boxes, colour in layers:
        for box in (boxes - np.array([left, top, left, top])) * ((TILE - 2) / side):
            draw.rectangle(box.tolist(), outline=colour, width=2)
    return view


def _caption(miss: Miss) -> str:
    width, height = (miss.label[2:] - miss.label[:2]).round().astype(int).tolist()
    score = "not found" if np.isneginf(miss.score) else f"score {miss.score:.3g}"
    return f"#{miss.photo}  {width} x {height} px\n{score}, {miss.hidden:.0%} hidden"


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(11)
