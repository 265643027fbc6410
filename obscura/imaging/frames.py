"""Animations and multi-page documents as one frame stack.

Frames are stacked vertically in one array. Validation counts the pixels of all frames together.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from obscura.errors import AnimatedPhotoError
from obscura.imaging.containers.jpeg_png_webp_gif import PNG_SIGNATURE
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.high_bit_depth import filtered, png_chunk, png_head
from obscura.imaging.pixels import Colours, to_rgb

FRAMED: Final = frozenset({PhotoFormat.PNG, PhotoFormat.WEBP, PhotoFormat.TIFF, PhotoFormat.GIF})
"""The formats whose frames are read; those of HEIC and AVIF sequences are not."""

_REDUCED: Final = 1
_SUBFILE: Final = 254
_LEVEL: Final = 6
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class FrameStack:
    """Number and timing of the frames of a picture.

    Attributes
    ----------
    count
        Number of frames.
    durations
        Display time of each frame in milliseconds; empty for pages.
    loop
        How often an animation is played; 0: endlessly.
    """

    count: int
    durations: tuple[int, ...] = ()
    loop: int = 0


def read_frames(
    image: Image.Image, photo_format: PhotoFormat, profile: bytes | None, most: int
) -> tuple[FrameStack, list[Colours]]:
    """Return all frames of an opened file.

    Raises
    ------
    AnimatedPhotoError
        If there are more than ``most``, pages of several sizes, or a format whose frames are not read.
    """
    count = int(getattr(image, "n_frames", 1))
    if photo_format not in FRAMED or count > most:
        message = f"the {photo_format.name} file has {count} frames, which cannot be worked on one by one"
        raise AnimatedPhotoError(message)
    frames, durations, size = list[Colours](), list[int](), image.size
    # An APNG may begin with a still picture for old viewers, which is not a frame of the animation.
    for number in range(1 if image.info.get("default_image") else 0, count):
        image.seek(number)
        if _is_reduced(image):
            continue
        if image.size != size:
            message = f"the file has {count} pages of different sizes: send them one by one"
            raise AnimatedPhotoError(message)
        image.load()
        durations.append(max(0, round(float(image.info.get("duration", 0) or 0))))
        frames.append(to_rgb(image, profile))
    is_document = photo_format is PhotoFormat.TIFF
    # A GIF without the looping extension is played once.
    loop = int(image.info.get("loop", 1 if photo_format is PhotoFormat.GIF else 0) or 0)
    return FrameStack(
        len(frames), () if is_document else tuple(durations), 0 if is_document else loop
    ), frames


def _is_reduced(image: Image.Image) -> bool:
    """Return whether a TIFF page is a reduced-size copy of another page."""
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(_SUBFILE, 0) & _REDUCED)


def joined(frames: Sequence[Colours]) -> Colours:
    """Return frames stacked vertically as one picture."""
    has_alpha = any(frame.alpha is not None for frame in frames)
    alpha = [_opaque(frame) if frame.alpha is None else frame.alpha for frame in frames]
    return Colours(
        np.concatenate([frame.rgb for frame in frames]),
        np.concatenate(alpha) if has_alpha else None,
        is_grey=all(frame.is_grey for frame in frames),
        is_reduced=any(frame.is_reduced for frame in frames),
    )


def _opaque(frame: Colours) -> NDArray[np.uint8]:
    return np.full(frame.rgb.shape[:2], 255, np.uint8)


def distinct(frames: Sequence[NDArray[np.uint8]]) -> tuple[int, ...]:
    """Return a number per frame, equal for equal neighbours."""
    numbers = [0]
    for before, frame in pairwise(frames):
        numbers.append(numbers[-1] + (not np.array_equal(before, frame)))
    return tuple(numbers)


def apng(
    frames: Sequence[NDArray[np.uint8]], frame_stack: FrameStack, icc: bytes | None, block: bytes
) -> bytes:
    """Return an animated PNG of frames ``uint8[height, width, channels]``, each whole.

    Source: PNG specification (third edition) section 11.3.4.
    """
    height, width = frames[0].shape[:2]
    parts = [PNG_SIGNATURE, *png_head(frames[0], icc, block)]
    parts.append(png_chunk(b"acTL", struct.pack(">II", len(frames), frame_stack.loop)))
    for name, body in _numbered(frames, frame_stack, (width, height)):
        parts.append(png_chunk(name, body))
    return b"".join([*parts, png_chunk(b"IEND", b"")])


def _numbered(
    frames: Sequence[NDArray[np.uint8]], frame_stack: FrameStack, size: tuple[int, int]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fcTL, IDAT and fdAT chunks of all frames with their sequence numbers."""
    number = 0
    for index, frame in enumerate(frames):
        shown = min(frame_stack.durations[index], 65_535)
        yield b"fcTL", struct.pack(">5I2H2B", number, *size, 0, 0, shown, _SECOND_MS, 0, 0)
        number += 1
        data = zlib.compress(filtered(frame), _LEVEL)
        if index == 0:
            yield b"IDAT", data
        else:
            yield b"fdAT", number.to_bytes(4) + data
            number += 1
