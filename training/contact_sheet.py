"""Numbered thumbnails of boxes in their surroundings, many to a page, for review by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    # The photo, the box (corners in its pixels) and what to write beside it.
    Tile = tuple[Path, NDArray[np.float64], str]

TILE_PIXELS = 150
CAPTION_PIXELS = 14
COLUMNS, ROWS = 10, 7
# How much of the surroundings is shown: a plate is known by its car.
SURROUNDINGS = 2.5
SMALLEST_VIEW_PIXELS = 70


def write_sheets(stem: Path, tiles: Sequence[Tile]) -> list[Path]:
    """Write pages ``<stem>_00.png``, ``<stem>_01.png``, ... and return their paths."""
    pages = []
    per_page = COLUMNS * ROWS
    for start in range(0, len(tiles), per_page):
        page = Image.new("RGB", (COLUMNS * TILE_PIXELS, ROWS * (TILE_PIXELS + CAPTION_PIXELS)), "white")
        for position, tile in enumerate(tiles[start : start + per_page]):
            row, column = divmod(position, COLUMNS)
            page.paste(_thumbnail(tile), (column * TILE_PIXELS, row * (TILE_PIXELS + CAPTION_PIXELS)))
        pages.append(stem.with_name(f"{stem.name}_{start // per_page:02}.png"))
        page.save(pages[-1])
    return pages


def _thumbnail(tile: Tile) -> Image.Image:
    photo, box, caption = tile
    centre = (box[:2] + box[2:]) / 2
    half = max(float((box[2:] - box[:2]).max()) * SURROUNDINGS, SMALLEST_VIEW_PIXELS) / 2
    with Image.open(photo) as opened:
        region = (
            *(centre - half).round().astype(int).tolist(),
            *(centre + half).round().astype(int).tolist(),
        )
        view = opened.convert("RGB").crop(region).resize((TILE_PIXELS - 2, TILE_PIXELS - 2))
    zoom = (TILE_PIXELS - 2) / (2 * half)
    left, top, right, bottom = ((box - np.tile(centre - half, 2)) * zoom).tolist()
    ImageDraw.Draw(view).rectangle((left, top, right, bottom), outline="red")
    framed = Image.new("RGB", (TILE_PIXELS, TILE_PIXELS + CAPTION_PIXELS), "white")
    framed.paste(view, (1, CAPTION_PIXELS))
    ImageDraw.Draw(framed).text((2, 1), caption, fill="black")
    return framed
