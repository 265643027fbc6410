"""Run several detectors on the same photos."""

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
    # Called after every processed photo.
    Tick = Callable[[], object]

LOWEST_SCORE = 0.01
"""Lowest score of collected boxes; below it nearly all boxes are false."""

TIMED_PHOTOS = 24


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """The detections of several detectors on the same photos.

    Attributes
    ----------
    seen
        For each detector: labels and detections of every photo.
    unreadable
        Photos that cannot be opened, with the errors. Their labels count as missed.
    cpu_ms
        For each detector: mean processor time of a photo in milliseconds, over all threads.
    """

    seen: tuple[tuple[Photo, ...], ...]
    unreadable: tuple[tuple[Path, PhotoError], ...]
    cpu_ms: tuple[float, ...]


def compare(
    photos: Sequence[LabelledPhoto], peers: Sequence[Peer], read: Opener, tick: Tick = lambda: None
) -> Comparison:
    """Run every detector on every photo, with the threshold `LOWEST_SCORE`.

    The time is measured separately at each detector's default threshold, without the work on thousands of
    improbable boxes.

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
    """Return the largest number of calls of ``tick`` by `compare`."""
    return photo_count + peer_count * min(photo_count, TIMED_PHOTOS)


def _seen(
    photos: Sequence[LabelledPhoto], sizes: Sequence[Size], found: Sequence[Found]
) -> tuple[Photo, ...]:
    return tuple(
        Photo(corners(photo.labels, size), boxes, scores, corners(photo.ignored, size))
        for photo, size, (boxes, scores) in zip(photos, sizes, found, strict=True)
    )


def _filled(sizes: Sequence[Size | None]) -> list[Size]:
    """Replace the size of unreadable photos by the median size, so that their labels can count as missed."""
    known = [size for size in sizes if size]
    if not known:
        message = "none of the photos can be opened"
        raise InvalidRequestError(message)
    width, height = np.median(np.array(known), axis=0).tolist()
    return [size or Size(round(width), round(height)) for size in sizes]


def _nothing() -> Found:
    return np.zeros((0, 4)), np.zeros(0)


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    """Return at most ``most`` of the paths, evenly spread."""
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
