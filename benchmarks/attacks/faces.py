"""Faces to attack: crops of the shared photos and re-takes of them.

Different photos of one person are rare in the material, so that a second photo is made of the first: shifted,
rotated, scaled, lit differently and compressed again (`SAME_SCENE`). Clothes, hair and place stay, which no
second photo would keep. `OTHER_SCENE` puts the inside of the face before another picture, in another light:
only the face itself can identify the person. The expression stays in both: the attacks are easier here than
in life, and the figures are upper bounds in that respect.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from benchmarks.attacks.methods import Pixels
from obscura.geometry import Box

PORTRAITS: Final = ("wm_", "thes416_", "kaggle853_")
"""Sets of portraits that show hardly anybody twice."""
LEAST_FACE: Final = 90
"""Pixels of the long side under which a face is left out."""

FACE_SIDE: Final = 400
"""Pixels of the long side that a face is brought to: a portrait from a telephone."""

CANVAS: Final = 760
LABEL_FIELDS: Final = 5


@dataclass(frozen=True)
class Strength:
    """How different a re-take is: the widest step of each kind, either way.

    Attributes
    ----------
    shift, scale, box
        Shares of the face's side: of the face in the picture, of its size, of every edge of the found box.
    turn
        Degrees.
    light, tint
        Shares: of the brightness, and of that of each colour by itself.
    slope
        Share by which the light changes from one side of the picture to the other.
    least_quality
        Lowest JPEG quality.
    has_other_scene
        Whether everything but the face becomes another picture's.
    """

    shift: float = 0.05
    scale: float = 0.08
    box: float = 0.03
    turn: float = 5.0
    light: float = 0.2
    tint: float = 0.05
    slope: float = 0.0
    least_quality: int = 60
    has_other_scene: bool = False


SAME_SCENE: Final = Strength()
OTHER_SCENE: Final = Strength(light=0.3, tint=0.1, slope=0.3, has_other_scene=True)
FEATHER: Final = 0.12
"""Share of the face over which it passes into the other picture."""


@dataclass(frozen=True, eq=False)
class Face:
    """A picture (``uint8[height, width, 3]``, RGB) and the box of the one face that counts."""

    pixels: Pixels
    box: Box


def portraits(pack: Path) -> Iterator[Face]:
    """Yield one face per photo of the pack, each on a canvas of the same size."""
    with tarfile.open(pack) as archive:
        members = {Path(item.name).stem: item for item in archive if "/images/" in item.name}
        labels = {Path(item.name).stem: item for item in archive.getmembers() if "/labels/" in item.name}
        chosen = [name for prefix in PORTRAITS for name in sorted(members) if name.startswith(prefix)]
        for name in chosen:
            if name not in labels:
                continue
            photo = np.asarray(Image.open(io.BytesIO(_bytes(archive, members[name]))).convert("RGB"))
            box = _only_face(_bytes(archive, labels[name]).decode(), photo)
            if box is not None:
                yield _on_canvas(photo, box)


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def _only_face(label: str, photo: Pixels) -> Box | None:
    """Return the box of a photo's only face where it is large enough."""
    lines = [line.split() for line in label.splitlines() if line.strip()]
    if len(lines) != 1 or len(lines[0]) != LABEL_FIELDS:
        return None
    height, width = photo.shape[:2]
    x, y, w, h = (float(text) for text in lines[0][1:])
    box = Box((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    return box if box.long_side >= LEAST_FACE else None


def _on_canvas(photo: Pixels, box: Box) -> Face:
    """Return a face scaled to `FACE_SIDE` in the middle of a canvas."""
    factor = FACE_SIDE / box.long_side
    move = np.array(
        [
            [factor, 0, CANVAS / 2 - factor * (box.x1 + box.x2) / 2],
            [0, factor, CANVAS / 2 - factor * (box.y1 + box.y2) / 2],
        ]
    )
    pixels = cv2.warpAffine(
        photo, move, (CANVAS, CANVAS), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    half_w, half_h = factor * box.width / 2, factor * box.height / 2
    middle = CANVAS / 2
    placed = Box(middle - half_w, middle - half_h, middle + half_w, middle + half_h)
    return Face(np.asarray(pixels, np.uint8), placed)


def before(face: Face, scene: Face) -> Face:
    """Return a face, the ellipse in its box, with everything else from another picture."""
    rows, columns = np.ogrid[:CANVAS, :CANVAS]
    middle = CANVAS / 2
    reach = np.hypot(
        (columns + 0.5 - middle) / (face.box.width / 2), (rows + 0.5 - middle) / (face.box.height / 2)
    )
    share = np.clip((1 - reach) / FEATHER, 0, 1)[..., None]
    return Face(np.rint(face.pixels * share + scene.pixels * (1 - share)).astype(np.uint8), face.box)


def retake(face: Face, rng: np.random.Generator, strength: Strength = SAME_SCENE) -> Face:
    """Return another photo of a face, with the box that a detector might find in it."""
    factor = 1 + rng.uniform(-strength.scale, strength.scale)
    move = cv2.getRotationMatrix2D(
        (CANVAS / 2, CANVAS / 2), rng.uniform(-strength.turn, strength.turn), factor
    )
    shift = rng.uniform(-strength.shift, strength.shift, 2) * FACE_SIDE
    move[:, 2] = move[:, 2] + shift
    moved = cv2.warpAffine(face.pixels, move, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE)
    gain = 1 + rng.uniform(-strength.light, strength.light)
    gains = gain * (1 + rng.uniform(-strength.tint, strength.tint, 3))
    slope = rng.uniform(-strength.slope, strength.slope)
    across = 1 + slope * np.linspace(-1, 1, CANVAS)[None, :, None]
    lit = np.clip(moved * gains * across, 0, 255).astype(np.uint8)
    quality = int(rng.integers(strength.least_quality, 96))
    buffer = io.BytesIO()
    Image.fromarray(lit).save(buffer, "JPEG", quality=quality)
    pixels = np.asarray(Image.open(buffer).convert("RGB"))
    half_w, half_h = factor * face.box.width / 2, factor * face.box.height / 2
    x, y = CANVAS / 2 + shift
    edges = rng.uniform(-strength.box, strength.box, 4) * FACE_SIDE
    found = Box(x - half_w + edges[0], y - half_h + edges[1], x + half_w + edges[2], y + half_h + edges[3])
    return Face(pixels, found)
