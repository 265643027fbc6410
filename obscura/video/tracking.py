"""Track objects through frames, bridging missed detections.

Two kinds of detections in the manner of ByteTrack (Zhang et al., ECCV 2022): an unsure one begins or
continues a track, but only tracks with a sure one are hidden, then with all their unsure detections before
and after it. One sure detection is enough: what would be hidden in a photo is hidden in a frame, too. Gaps
inside a track are filled along a straight line; before its first and after its last detection the box stays
where it was for a while. Wherever nothing was detected it grows, because the object moves on unseen. No
track passes from one scene into the next.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from obscura.detection.arrays import Floats
from obscura.detection.nms import overlaps
from obscura.geometry import Box

__all__ = ["TrackedBox", "Tracker", "TrackerOptions"]

MIN_OVERLAP = 0.1
MAX_SIZE_RATIO = 2.5
# How far a lost object may have gone, in its own size: more per frame, and at most.
REACH_GROWTH = 0.3
MAX_REACH = 3.0
# How much larger than its own box an unsure detection before or after all sure ones is hidden at most.
MAX_ENLARGED = 1.6
# Growth of a held box per frame, and its most.
HOLD_GROWTH = 0.01
MAX_HOLD_GROWTH = 1.3


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """One detection in one frame: class, box in pixels of the upright frame, whether it alone is hidden."""

    class_name: str
    box: Box
    is_sure: bool


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How objects are followed.

    Attributes
    ----------
    max_gap
        Frames for which an object may be lost and still be the same.
    max_doubt
        The same for a track without a sure detection, and where an unsure detection continues a track.
    hold
        Frames for which a box is held before the first and after the last detection.
    """

    max_gap: int
    max_doubt: int
    hold: int


@dataclass(slots=True)
class _Track:
    class_name: str
    boxes: dict[int, Box] = field(default_factory=dict)
    last: int = 0
    sure: list[int] = field(default_factory=list)

    @property
    def is_sure(self) -> bool:
        """Whether a detection of it is sure."""
        return bool(self.sure)

    def size_in(self, frame: int) -> tuple[float, float]:
        """Return width and height in ``frame`` by the sure detections before and after it."""
        place = bisect_right(self.sure, frame)
        before = self.sure[max(place - 1, 0)]
        after = self.sure[min(place, len(self.sure) - 1)]
        share = (frame - before) / (after - before) if after > before else 0.0
        box = _between(self.boxes[before], self.boxes[after], share)
        return box.width, box.height

    def predicted(self, frame: int) -> Box:
        """Return where the object should be in ``frame`` if it moves on as it did."""
        box = self.boxes[self.last]
        *_, earliest = islice(reversed(self.boxes), 3)
        if earliest == self.last:
            return box
        then = self.boxes[earliest]
        share = (frame - self.last) / (self.last - earliest)
        dx = (box.x1 + box.x2 - then.x1 - then.x2) / 2 * share
        dy = (box.y1 + box.y2 - then.y1 - then.y2) / 2 * share
        return box.shift(dx, dy)


def _likeness(expected: Floats, seen: Floats, frames: Floats) -> Floats:
    """Return how well detections ``[n, 4]`` fit tracks ``[t, 4]``, ``[t, n]``; 0: another object.

    Overlap where there is any; small fast objects leave their own box between two frames, so nearness counts
    too, by their size, and the longer one was lost the farther it may have gone: ``frames``, ``[t]``.
    """
    overlap = overlaps(expected, seen)
    sides = [np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0) for boxes in (expected, seen)]
    longer = np.maximum(sides[0][:, None], sides[1])
    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (expected, seen)]
    distance = np.hypot(*(middles[0][:, None] - middles[1]).transpose(2, 0, 1))
    reach = longer * np.minimum(1.0 + REACH_GROWTH * (frames - 1), MAX_REACH)[:, None]
    likeness = np.where(overlap >= MIN_OVERLAP, 1.0 + overlap, 1.0 - distance / reach)
    same = longer <= MAX_SIZE_RATIO * np.minimum(sides[0][:, None], sides[1])
    found: Floats = np.where(same, likeness, 0.0)
    return found


class Tracker:
    """Takes the detections of one frame after the other; knows in the end what to hide in each."""

    def __init__(self, options: TrackerOptions) -> None:
        self._options = options
        self._tracks: dict[int, _Track] = {}
        self._active: list[int] = []
        self._begun = 0
        self._cuts: list[int] = []

    def cut(self, frame: int) -> None:
        """Note that another scene begins with ``frame``: before its detections are entered."""
        self._cuts.append(frame)
        self._keep_active([])

    def is_weak(
        self, frame: int, class_name: str, seen: Sequence[TrackedBox], strong: int, since: int
    ) -> bool:
        """Return whether detections of a class leave open what ``frame`` shows.

        That is, one of the first ``strong`` of ``seen`` fits no track that is sure or as old as frame
        ``since``, or none of ``seen`` fits a sure track that was last seen in frame ``since`` or later.
        """
        tracks = {number: self._tracks[number] for number in self._active}
        known = [
            number for number, track in tracks.items() if track.is_sure or next(iter(track.boxes)) <= since
        ]
        fits = self._fits(frame, known, seen)
        fitting = list(fits.values())
        lost = any(
            track.is_sure and track.class_name == class_name and track.last >= since
            for number, track in tracks.items()
            if number not in fits
        )
        return lost or any(item not in fitting for item in seen[:strong])

    def update(self, frame: int, seen: Sequence[TrackedBox]) -> list[int]:
        """Enter what was seen in ``frame`` (numbers must rise); return the tracks that become sure by it."""
        self._keep_active(
            [number for number in self._active if frame - self._tracks[number].last <= self._gap(number)]
        )
        left = list(seen)
        sure_before = [number for number in self._active if self._tracks[number].is_sure]
        became_sure = []
        # Doubtful tracks take no detection from sure ones, and unsure detections no track from sure ones.
        for tracks in (sure_before, self._active):
            for is_sure in (True, False):
                asked = [item for item in left if item.is_sure is is_sure]
                gap = self._options.max_gap if is_sure else self._options.max_doubt
                free = [number for number in tracks if 0 < frame - self._tracks[number].last <= gap]
                for number, item in self._fits(frame, free, asked).items():
                    became_sure += self._enter(number, frame, item)
                    left.remove(item)
        for item in left:
            number, self._begun = self._begun, self._begun + 1
            self._tracks[number] = _Track(item.class_name)
            self._active.append(number)
            became_sure += self._enter(number, frame, item)
        return became_sure

    def _gap(self, number: int) -> int:
        return self._options.max_gap if self._tracks[number].is_sure else self._options.max_doubt

    def _keep_active(self, active: list[int]) -> None:
        """Follow these tracks only; forget the others that have no sure detection."""
        for number in set(self._active).difference(active):
            if not self._tracks[number].is_sure:
                del self._tracks[number]
        self._active = active

    def _enter(self, number: int, frame: int, item: TrackedBox) -> list[int]:
        """Add a detection to a track; return the track if it becomes sure with it."""
        track = self._tracks[number]
        track.boxes[frame], track.last = item.box, frame
        if not item.is_sure:
            return []
        track.sure.append(frame)
        return [number] if len(track.sure) == 1 else []

    def _fits(self, frame: int, tracks: Sequence[int], seen: Sequence[TrackedBox]) -> dict[int, TrackedBox]:
        """Return for each of ``tracks`` the detection that fits it best, each detection once."""
        if not (tracks and seen):
            return {}
        followed = [self._tracks[number] for number in tracks]
        likeness = _likeness(
            np.array([track.predicted(frame) for track in followed], np.float32),
            np.array([item.box for item in seen], np.float32),
            np.array([frame - track.last for track in followed], np.float32),
        )
        likeness[np.array([[track.class_name != item.class_name for item in seen] for track in followed])] = 0
        fits: dict[int, TrackedBox] = {}
        taken: set[int] = set()
        for pair in np.argsort(-likeness, axis=None, kind="stable")[: np.count_nonzero(likeness > 0)]:
            row, place = divmod(int(pair), len(seen))
            if tracks[row] not in fits and place not in taken:
                fits[tracks[row]] = seen[place]
                taken.add(place)
        return fits

    def class_of(self, track: int) -> str:
        """Return what a track follows."""
        return self._tracks[track].class_name

    def box_of(self, track: int, frame: int) -> Box:
        """Return where a track was detected in ``frame``."""
        return self._tracks[track].boxes[frame]

    @property
    def tracks(self) -> list[int]:
        """The tracks to hide so far, in the order in which they began."""
        return [number for number, track in self._tracks.items() if track.is_sure]

    def to_hide(self, frames: int) -> Iterator[list[tuple[int, Box]]]:
        """Yield for each of ``frames`` frames in turn the tracks to hide and where."""
        waiting = deque(sorted(self._lives(), key=lambda life: life.begin))
        living: list[_Life] = []
        for frame in range(frames):
            while waiting and waiting[0].begin <= frame:
                living.append(waiting.popleft())
            living = [life for life in living if life.end > frame]
            yield [(life.number, life.box_in(frame)) for life in living]

    def _lives(self) -> Iterator["_Life"]:
        for number in self.tracks:
            track = self._tracks[number]
            frames = tuple(track.boxes)
            # What is held does not pass into another scene, where it would cover something else.
            scene = bisect_right(self._cuts, frames[0])
            begin = max(frames[0] - self._options.hold, self._cuts[scene - 1] if scene else 0)
            end = frames[-1] + self._options.hold + 1
            next_cut = bisect_right(self._cuts, frames[-1])
            if next_cut < len(self._cuts):
                end = min(end, self._cuts[next_cut])
            yield _Life(number, track, frames, begin, end)


@dataclass(frozen=True, slots=True)
class _Life:
    """A track: the frames it was seen in, and from which to which (exclusive) it is hidden."""

    number: int
    track: _Track
    seen: tuple[int, ...]
    begin: int
    end: int

    def box_in(self, frame: int) -> Box:
        """Return where to hide it in one of its frames."""
        boxes = self.track.boxes
        place = bisect_right(self.seen, frame)
        if place == 0:
            return _held(boxes[self.seen[0]], self.seen[0] - frame)
        before = self.seen[place - 1]
        if before == frame:
            # Unsure boxes are less accurate, and sizes that change with the network would flicker.
            most = math.inf if self.track.sure[0] < frame < self.track.sure[-1] else MAX_ENLARGED
            return _at_least(boxes[frame], self.track.size_in(frame), most)
        if place == len(self.seen):
            return _held(boxes[before], frame - before)
        after = self.seen[place]
        box = _between(boxes[before], boxes[after], (frame - before) / (after - before))
        # Between two detections nobody knows how straight the way was.
        return _held(box, min(frame - before, after - frame))


def _held(box: Box, frames: int) -> Box:
    return box.grow(min(1.0 + HOLD_GROWTH * frames, MAX_HOLD_GROWTH))


def _at_least(box: Box, size: tuple[float, float], most: float) -> Box:
    """Return a box around the same middle, as wide and high as ``size``, enlarged by ``most`` at most."""
    width, height = min(size[0], most * box.width), min(size[1], most * box.height)
    more = max(width - box.width, 0.0) / 2, max(height - box.height, 0.0) / 2
    return Box(box.x1 - more[0], box.y1 - more[1], box.x2 + more[0], box.y2 + more[1])


def _between(one: Box, other: Box, share: float) -> Box:
    return Box(*(start + (stop - start) * share for start, stop in zip(one, other, strict=True)))
