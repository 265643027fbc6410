"""Inversion attack on the mosaic with many redactions of one photo.

The soft style has no noise, so that repeating it tells nothing; boxes that move choose the tone from other
pixels, which is measured. The noise of a mosaic averages out: what is left are the means of the cells. Boxes
that differ by a few pixels from one redaction to the next (another detector, another frame) move the grid,
and an average over moved grids shows more than any one of them. Smooth enlarging is tried on each, and the
best counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.faces import FACE_SIDE, Face
from benchmarks.attacks.methods import AreaMosaic, Hide, ours, seed_gaussian
from obscura.geometry import Size
from obscura.redaction.masks import window
from obscura.redaction.paint import paint
from obscura.redaction.regions import Region, grown
from obscura.redaction.styles import DEFAULT_CELLS, Fill, Mosaic, RegionShape, Soft, Solid

COMMON_TONE: Final = 4
"""The tone that most faces of the material have."""

REDACTIONS: Final = 100
SINGLES: Final = 10
"""Single mosaics for each face: the noise of one moves its PSNR by more than a decibel either way."""

MOVED: Final = 0.1
"""Share of the face by which every edge of a moved box goes, either way."""

SOFTENING: Final = (0.0, 0.05, 0.1)
"""Sigmas, as shares of the face, by which an attacker smooths the steps between cells."""


@dataclass(frozen=True)
class Inversion:
    """How near the best guess came to the face: mean PSNR in dB over all faces and guesses."""

    name: str
    psnr: float


def invert(faces: Sequence[Face], rng: np.random.Generator) -> list[Inversion]:
    """Attack every face in every way; the same order each time."""
    soft, mosaic, single = ours(Soft()), ours(Mosaic()), ours(Solid())
    tries: dict[str, list[float]] = {}
    for face in faces:
        guesses: dict[str, NDArray[Any]] = {
            "solid (all that chance needs)": single(face.pixels, face.box),
            "legacy: Gaussian (99, 99), 30": seed_gaussian(face.pixels, face.box),
            "soft, the default, however often": soft(face.pixels, face.box),
            "soft, one tone for everybody": _one_tone(face),
            f"soft, mean of {REDACTIONS} with moved boxes": _average(face, soft, REDACTIONS, rng),
            "filled from around (all that is seen)": ours(Fill())(face.pixels, face.box),
            "mosaic, mean of 10": _average(face, mosaic, 10),
            f"mosaic, mean of {REDACTIONS}": _average(face, mosaic, REDACTIONS),
            "un-noised cell means": AreaMosaic(DEFAULT_CELLS)(face.pixels, face.box),
            f"mosaic, mean of {REDACTIONS} with moved boxes": _average(face, mosaic, REDACTIONS, rng),
        }
        for name, guess in guesses.items():
            tries.setdefault(name, []).append(_best_psnr(face, guess))
        for _ in range(SINGLES):
            guess = mosaic(face.pixels, face.box)
            tries.setdefault("mosaic, one redaction", []).append(_best_psnr(face, guess))
    return [Inversion(name, float(np.mean(values))) for name, values in tries.items()]


def _one_tone(face: Face) -> NDArray[np.uint8]:
    """Return a face filled with the same tone whatever it looks like: what an attacker knows before."""
    region = Region(grown(face.box), Soft(), RegionShape.SUPERELLIPSE, tone=COMMON_TONE)
    return np.asarray(paint(face.pixels, [region]), np.uint8)


def _average(
    face: Face, hide: Hide, count: int, moves: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """Return the mean of many redactions of one photo, with boxes moved where ``moves`` is given."""
    total = np.zeros(face.pixels.shape, np.float32)
    for _ in range(count):
        box = face.box
        if moves is not None:
            edges = moves.uniform(-MOVED, MOVED, 4) * FACE_SIDE
            box = type(box)(*(float(edge + step) for edge, step in zip(box, edges, strict=True)))
        total += hide(face.pixels, box)
    return total / np.float32(count)


def _best_psnr(face: Face, guess: NDArray[Any]) -> float:
    """Return the PSNR, in dB, of a guess inside the face's box, smoothed in the way that suits it best."""
    inside = window(face.box, Size(face.pixels.shape[1], face.pixels.shape[0])).slices
    wanted, seen = face.pixels[inside].astype(np.float32), guess.astype(np.float32)
    smoothed = [_smooth(seen, share * FACE_SIDE) for share in SOFTENING]
    return max(_psnr(wanted, picture[inside]) for picture in smoothed)


def _smooth(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return picture if sigma == 0 else np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _psnr(wanted: NDArray[np.float32], seen: NDArray[np.float32]) -> float:
    error = float(((wanted - seen) ** 2).mean())
    return float(10 * np.log10(255.0**2 / max(error, 1e-9)))
