"""Several detectors on the same photos."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from obscura.errors import InvalidRequestError, PhotoError
from obscura.evaluation.labels import corners
from obscura.evaluation.matching import Photo
from obscura.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from obscura.evaluation.labels import LabelledPhoto
    from obscura.evaluation.peers import Found, Peer
    from obscura.imaging.pixels import Pixels

    # Opens a photo; raises PhotoError.
    Opener = Callable[[Path], Pixels]
    # Called after every photo looked at.
    Tick = Callable[[], object]

LOWEST_SCORE = 0.01
"""Score down to which boxes are collected: one below it would come with a crowd of false ones."""

TIMED_PHOTOS = 24


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What several detectors said about the same photos.

    Attributes
    ----------
    seen
        Per detector, in their order: labels and detections of every photo.
    unreadable
        Photos that cannot be opened, and why. Their labels count as missed.
    cpu_ms
        Per detector: mean processor time for a photo, milliseconds over all threads.
    """

    seen: tuple[tuple[Photo, ...], ...]
    unreadable: tuple[tuple[Path, PhotoError], ...]
    cpu_ms: tuple[float, ...]


def compare(
    photos: Sequence[LabelledPhoto], peers: Sequence[Peer], read: Opener, tick: Tick = lambda: None
) -> Comparison:
    """Let every detector look at every photo, down to a low score.

    The time is taken apart, at each detector's own threshold: work on thousands of improbable boxes is
    nothing that a user waits for.

    Raises
    ------
    InvalidRequestError
        If no photo can be opened.
    """
    sizes: list[Size | None] = []
    found: list[list[Found]] = [[] for _ in peers]
    unreadable = []
    for photo in photos:
        try:
            pixels = read(photo.path)
        except PhotoError as error:
            unreadable.append((photo.path, error))
            pixels = None
        sizes.append(None if pixels is None else Size(pixels.shape[1], pixels.shape[0]))
        for boxes, peer in zip(found, peers, strict=True):
            boxes.append(_nothing() if pixels is None else peer.detect(pixels, LOWEST_SCORE))
        tick()
    whole = _filled(sizes)
    timed = _spread([photo.path for photo, size in zip(photos, sizes, strict=True) if size], TIMED_PHOTOS)
    return Comparison(
        tuple(_seen(photos, whole, boxes) for boxes in found),
        tuple(unreadable),
        tuple(_cpu_ms(peer, timed, read, tick) for peer in peers),
    )


def steps(photo_count: int, peer_count: int) -> int:
    """Return how often at most `compare` ticks."""
    return photo_count + peer_count * min(photo_count, TIMED_PHOTOS)


def _seen(
    photos: Sequence[LabelledPhoto], sizes: Sequence[Size], found: Sequence[Found]
) -> tuple[Photo, ...]:
    return tuple(
        Photo(corners(photo.labels, size), boxes, scores, corners(photo.ignored, size))
        for photo, size, (boxes, scores) in zip(photos, sizes, found, strict=True)
    )


def _filled(sizes: Sequence[Size | None]) -> list[Size]:
    """Give a photo that cannot be opened the median size, so that its labels have pixels to be missed."""
    known = [size for size in sizes if size]
    if not known:
        message = "none of the photos can be opened"
        raise InvalidRequestError(message)
    width, height = np.median(np.array(known), axis=0).tolist()
    return [size or Size(round(width), round(height)) for size in sizes]


def _nothing() -> Found:
    return np.zeros((0, 4)), np.zeros(0)


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    """Return at most so many of the paths, evenly spread over all of them."""
    chosen = np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int)
    return [paths[index] for index in chosen]


def _cpu_ms(peer: Peer, paths: Sequence[Path], read: Opener, tick: Tick) -> float:
    peer.detect(read(paths[0]), peer.default_score)
    spent = 0.0
    for path in paths:
        pixels = read(path)
        start = time.process_time()
        peer.detect(pixels, peer.default_score)
        spent += time.process_time() - start
        tick()
    return spent / len(paths) * 1000.0
