"""Draw the curves of several detectors into one picture with Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.metrics import Curve

    Floats = NDArray[np.float64]

WIDTH, HEIGHT = 1240, 560
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000")
"""The palette of Okabe and Ito, distinguishable with colour-blindness."""
SMOOTHING = 2
"""Supersampling factor, because Pillow's lines are not anti-aliased."""
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MISSED_SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FALSE_BOXES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a chart: its name, its tick values, and its scale function (such as ``np.log``)."""

    name: str
    marks: tuple[float, ...]
    spacing: Callable[[Floats], Floats]

    def place(self, values: Floats) -> Floats:
        """Return the positions of values between the first and the last tick, clipped to 0..1."""
        low, high = self.spacing(np.array([self.marks[0], self.marks[-1]]))
        inside = values.clip(self.marks[0], self.marks[-1])
        place: Floats = (self.spacing(inside) - low) / (high - low)
        return place


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its frame ``(left, top, right, bottom)`` in pixels, and its axes."""

    frame: tuple[int, int, int, int]
    across: Axis
    up: Axis

    def points(self, across: Floats, up: Floats) -> list[tuple[float, float]]:
        """Return the positions of points in the picture, in pixels."""
        return list(zip(self.columns(across), self.rows(up), strict=True))

    def columns(self, values: Floats | None = None) -> list[float]:
        """Return the columns of values in pixels; of the ticks where None."""
        left, _, right, _ = self.frame
        values = np.array(self.across.marks) if values is None else values
        columns: list[float] = (left + self.across.place(values) * (right - left)).tolist()
        return columns

    def rows(self, values: Floats | None = None) -> list[float]:
        """Return the rows of values in pixels; of the ticks where None."""
        _, top, _, bottom = self.frame
        values = np.array(self.up.marks) if values is None else values
        rows: list[float] = (bottom - self.up.place(values) * (bottom - top)).tolist()
        return rows


_PRECISION = Chart((80, 64, 590, 480), Axis("recall", SHARES, np.array), Axis("precision", SHARES, np.array))
_MISSES = Chart(
    (710, 64, 1220, 480),
    Axis("false boxes per photo", FALSE_BOXES, np.log),
    Axis("share missed", MISSED_SHARES, np.log),
)


def draw_curves(curves: Sequence[tuple[str, Curve]], title: str) -> Image.Image:
    """Return a picture: precision over recall, and the share missed over false boxes per photo.

    The second has logarithmic axes, which show the difference between 1 % and 2 % missed.

    Parameters
    ----------
    curves
        Name and operating points of each detector.
    title
        Written above.
    """
    size = (WIDTH * SMOOTHING, HEIGHT * SMOOTHING)
    lines = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(lines)
    for chart in (_PRECISION, _MISSES):
        draw_grid(draw, chart)
    for (_, curve), colour in zip(curves, _colours(len(curves)), strict=True):
        draw_line(draw, _PRECISION.points(curve.recall, curve.precision), colour)
        draw_line(draw, _MISSES.points(curve.false_per_photo, 1.0 - curve.recall), colour)
    picture = lines.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    for chart in (_PRECISION, _MISSES):
        draw_frame(draw, chart)
    draw.text((12, 6), title, fill="black", font=ImageFont.load_default(18))
    left = 80.0
    for (name, _), colour in zip(curves, _colours(len(curves)), strict=True):
        draw.rectangle((left, 540, left + 18, 544), fill=colour)
        draw.text((left + 24, 542), name, fill="black", font=_font(), anchor="lm")
        left += 48 + draw.textlength(name, font=_font())
    return picture


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def draw_line(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], colour: str) -> None:
    """Draw a curve on the enlarged picture."""
    large = [(across * SMOOTHING, up * SMOOTHING) for across, up in points]
    if len(large) > 1:
        draw.line(large, fill=colour, width=2 * SMOOTHING, joint="curve")
    for across, up in large[:1]:
        draw.circle((across, up), 2.0 * SMOOTHING, fill=colour)


def draw_grid(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    """Draw grid lines at the ticks on the enlarged picture."""
    left, top, right, bottom = (edge * SMOOTHING for edge in chart.frame)
    for column in (place * SMOOTHING for place in chart.columns()):
        draw.line((column, top, column, bottom), fill="#dddddd", width=SMOOTHING)
    for row in (place * SMOOTHING for place in chart.rows()):
        draw.line((left, row, right, row), fill="#dddddd", width=SMOOTHING)


def draw_frame(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    """Draw frame, tick values and axis names."""
    left, top, right, bottom = chart.frame
    for mark, column in zip(chart.across.marks, chart.columns(), strict=True):
        draw.text((column, bottom + 6), f"{mark:g}", fill="black", font=_font(), anchor="mt")
    for mark, row in zip(chart.up.marks, chart.rows(), strict=True):
        draw.text((left - 6, row), f"{mark:g}", fill="black", font=_font(), anchor="rm")
    draw.rectangle(chart.frame, outline="black")
    draw.text(((left + right) / 2, bottom + 26), chart.across.name, fill="black", font=_font(), anchor="mt")
    draw.text((left - 40, top - 8), chart.up.name, fill="black", font=_font(), anchor="lb")


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(13)
