"""Free-response curves in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from obscura.evaluation import picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.evaluation.froc import Froc

SIZE = (660, 580)
NOTICE_ROW = 562


def draw_froc(curves: Sequence[tuple[str, Froc]], title: str, notice: str) -> Image.Image:
    """Return a picture: sensitivity over false marks per image, 0 to 5.

    Parameters
    ----------
    curves
        Name and curve of each detector.
    title, notice
        Written above and below.
    """
    smooth = picture.SMOOTHING
    across = picture.Axis("false marks per image", (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), np.array)
    chart = picture.Chart((80, 64, 620, 480), across, picture.Axis("sensitivity", picture.SHARES, np.array))
    canvas = Image.new("RGB", (SIZE[0] * smooth, SIZE[1] * smooth), "white")
    draw = ImageDraw.Draw(canvas)
    picture.draw_grid(draw, chart)
    colours = [picture.COLOURS[index % len(picture.COLOURS)] for index in range(len(curves))]
    for (_, curve), colour in zip(curves, colours, strict=True):
        shown = curve.false_per_image <= across.marks[-1]
        points = chart.points(curve.false_per_image[shown], curve.sensitivity[shown])
        picture.draw_line(draw, points, colour)
    result = canvas.resize(SIZE, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(result)
    picture.draw_frame(draw, chart)
    font = ImageFont.load_default(13)
    draw.text((12, 6), title, fill="black", font=ImageFont.load_default(18))
    draw.text((80, NOTICE_ROW), notice, fill="black", font=font, anchor="lm")
    left = 80.0
    for (name, _), colour in zip(curves, colours, strict=True):
        draw.rectangle((left, 538, left + 18, 542), fill=colour)
        draw.text((left + 24, 540), name, fill="black", font=font, anchor="lm")
        left += 48 + draw.textlength(name, font=font)
    return result
