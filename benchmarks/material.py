"""Photos to measure with: composed from the test material where it is present, else from the portrait."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

ROOT: Final = Path(__file__).parent.parent
SIZES: Final = {"0.3": (640, 480), "2": (1600, 1200), "12": (4000, 3000)}
"""Megapixels in words, and width and height."""

QUALITY: Final = 90
TILE_PIXELS: Final = 480_000
"""About 800 x 600: how large a real photo is shown in a composed one."""


@dataclass(frozen=True)
class Material:
    """Real photos, and where they come from in words."""

    photos: Sequence[Path]
    source: str


def material() -> Material:
    """Return validation photos of faces and plates in turn; the portrait where there are none.

    ``OBSCURA_BENCH_PHOTOS`` names a folder with ``faces`` and ``plates`` unpacked in it.
    """
    folder = Path(os.environ.get("OBSCURA_BENCH_PHOTOS", ROOT / "build" / "photos")).resolve()
    faces = sorted(folder.glob("**/faces/images/val/*.webp"))
    plates = sorted(folder.glob("**/plates/images/val/*.webp"))
    if faces and plates:
        # Three of four with people: a marketplace's photos are of things, but faces are what is looked for.
        mixed = [
            photo
            for index, plate in enumerate(plates)
            for photo in (*faces[3 * index : 3 * index + 3], plate)
        ]
        return Material(mixed, "validation photos of faces and plates (3 : 1)")
    return Material([ROOT / "examples" / "portrait.jpg"], "the portrait in examples/")


def composed(source: Material, size: tuple[int, int], number: int) -> bytes:
    """Return the JPEG of photo ``number``: a grid of real photos that fills ``size``, all different."""
    width, height = size
    cells = max(1, round((width * height / TILE_PIXELS) ** 0.5))
    canvas = Image.new("RGB", size)
    for index in range(cells * cells):
        path = source.photos[(number * cells * cells + index) % len(source.photos)]
        row, column = divmod(index, cells)
        corner = (column * width // cells, row * height // cells)
        end = ((column + 1) * width // cells, (row + 1) * height // cells)
        with Image.open(path) as photo:
            part = ImageOps.fit(photo.convert("RGB"), (end[0] - corner[0], end[1] - corner[1]))
        canvas.paste(part, corner)
    buffer = io.BytesIO()
    canvas.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def photos(name: str, count: int) -> list[bytes]:
    """Return ``count`` photos of a size in `SIZES`."""
    source = material()
    return [composed(source, SIZES[name], number) for number in range(count)]
