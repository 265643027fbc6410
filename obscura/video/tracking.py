"""Track objects through frames, bridging missed detections.

Two thresholds in the manner of ByteTrack (Zhang et al., ECCV 2022): a sure detection begins a track, an
unsure one only continues it. A track counts, however short it stays: what would be hidden in a photo is
hidden in a frame, too. Gaps inside a track are filled along a straight line; before its first and after
its last detection the box stays where it was for a while. Wherever nothing was detected it grows, because the
object moves on unseen. No track passes from one scene into the next.
Standard library only.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from obscura.geometry import Box

__all__ = ["TrackedBox", "Tracker", "TrackerOptions"]

MIN_OVERLAP = 0.1
MAX_SIZE_RATIO = 2.5
# How far a lost object may have gone, in its own size: more per frame, and at most.
REACH_GROWTH = 0.3
MAX_REACH = 3.0
# Growth of a held box per frame, and its most.
HOLD_GROWTH = 0.01
MAX_HOLD_GROWTH = 1.3


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """One detection in one frame: class, box in pixels of the upright frame, score 0..1."""

    class_name: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How objects are followed.

    Attributes
    ----------
    sure
        Score by class, 0..1, from which a detection begins a track.
    max_gap
        Frames for which an object may be lost and still be the same.
    hold
        Frames for which a box is held before the first and after the last detection.
    """

    sure: Mapping[str, float]
    max_gap: int
    hold: int


@dataclass(slots=True)
class _Track:
    class_name: str
    boxes: dict[int, Box] = field(default_factory=dict)
    last: int = 0

    def predicted(self, frame: int) -> Box:
        """Return where the object should be in ``frame`` if it moves on as it did."""
        box = self.boxes[self.last]
        earlier = [number for number in list(self.boxes)[-3:] if number < self.last]
        if not earlier:
            return box
        then = self.boxes[earlier[0]]
        share = (frame - self.last) / (self.last - earlier[0])
        dx = (box.x1 + box.x2 - then.x1 - then.x2) / 2 * share
        dy = (box.y1 + box.y2 - then.y1 - then.y2) / 2 * share
        return box.shift(dx, dy)


def _iou(one: Box, other: Box) -> float:
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(0.0, width) * max(0.0, height)
    return shared / max(one.area + other.area - shared, 1e-9)


def _likeness(expected: Box, seen: Box, frames: int) -> float:
    """Return how well a detection fits a track, 0 where it is another object.

    Overlap where there is any; small fast objects leave their own box between two frames, so nearness counts
    too, by their size, and the longer one was lost the farther it may have gone.
    """
    sizes = sorted((max(expected.long_side, 1.0), max(seen.long_side, 1.0)))
    if sizes[1] > MAX_SIZE_RATIO * sizes[0]:
        return 0.0
    overlap = _iou(expected, seen)
    if overlap >= MIN_OVERLAP:
        return 1.0 + overlap
    dx = (expected.x1 + expected.x2 - seen.x1 - seen.x2) / 2
    dy = (expected.y1 + expected.y2 - seen.y1 - seen.y2) / 2
    reach = sizes[1] * min(1.0 + REACH_GROWTH * (frames - 1), MAX_REACH)
    return max(0.0, 1.0 - math.hypot(dx, dy) / reach)


class Tracker:
    """Takes the detections of one frame after the other; knows in the end what to hide in each."""

    def __init__(self, options: TrackerOptions) -> None:
        self._options = options
        self._tracks: list[_Track] = []
        self._active: list[int] = []
        self._cuts: list[int] = []

    def cut(self, frame: int) -> None:
        """Note that another scene begins with ``frame``: before its detections are entered."""
        self._cuts.append(frame)
        self._active.clear()

    def is_sure(self, item: TrackedBox) -> bool:
        """Whether a detection alone is enough to be hidden."""
        return item.confidence >= self._options.sure.get(item.class_name, 0.0)

    def update(self, frame: int, seen: Sequence[TrackedBox]) -> list[int]:
        """Enter what was seen in ``frame`` (numbers must rise); return the tracks that begin with it."""
        self._active = [
            number for number in self._active if frame - self._tracks[number].last <= self._options.max_gap
        ]
        sure = [item for item in seen if self.is_sure(item)]
        unsure = [item for item in seen if item not in sure]
        fresh = self._continue(frame, sure)
        self._continue(frame, unsure)
        begun = []
        for item in fresh:
            self._tracks.append(_Track(item.class_name, {frame: item.box}, frame))
            begun.append(len(self._tracks) - 1)
        self._active += begun
        return begun

    def _continue(self, frame: int, seen: Iterable[TrackedBox]) -> list[TrackedBox]:
        """Give detections to the tracks that they fit best; return those that fit none."""
        left = list(seen)
        free = [number for number in self._active if self._tracks[number].last != frame]
        pairs = sorted(
            (
                (self._fit(number, frame, item), number, place)
                for number in free
                for place, item in enumerate(left)
                if item.class_name == self._tracks[number].class_name
            ),
            reverse=True,
        )
        taken: set[int] = set()
        for likeness, number, place in pairs:
            track = self._tracks[number]
            if likeness > 0 and track.last != frame and place not in taken:
                track.boxes[frame] = left[place].box
                track.last = frame
                taken.add(place)
        return [item for place, item in enumerate(left) if place not in taken]

    def _fit(self, number: int, frame: int, item: TrackedBox) -> float:
        track = self._tracks[number]
        return _likeness(track.predicted(frame), item.box, frame - track.last)

    def class_of(self, track: int) -> str:
        """Return what a track follows."""
        return self._tracks[track].class_name

    def box_of(self, track: int, frame: int) -> Box:
        """Return where a track was detected in ``frame``."""
        return self._tracks[track].boxes[frame]

    @property
    def tracks(self) -> range:
        """All tracks so far, in the order in which they began."""
        return range(len(self._tracks))

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
        for number, track in enumerate(self._tracks):
            frames = tuple(sorted(track.boxes))
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
        if place == len(self.seen):
            return _held(boxes[before], frame - before)
        after = self.seen[place]
        box = _between(boxes[before], boxes[after], (frame - before) / (after - before))
        # Between two detections nobody knows how straight the way was.
        return _held(box, min(frame - before, after - frame))


def _held(box: Box, frames: int) -> Box:
    return box.grow(min(1.0 + HOLD_GROWTH * frames, MAX_HOLD_GROWTH))


def _between(one: Box, other: Box, share: float) -> Box:
    return Box(*(start + (stop - start) * share for start, stop in zip(one, other, strict=True)))
