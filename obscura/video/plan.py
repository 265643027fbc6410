"""Plan what to hide in each frame once all frames have been analysed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from av import VideoFrame

from obscura.anonymisation.exclusion_zones import require_few
from obscura.geometry import Box, Size
from obscura.redaction.policy import MASK, RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.redaction.regions import grown
from obscura.redaction.styles import RegionShape
from obscura.video.patterns import Pattern, paintable, pattern_of
from obscura.video.rotation import down_of, to_stored
from obscura.video.tracking import TrackedBox, Tracker

__all__ = ["Painted", "Plan"]

Painted: TypeAlias = tuple[Pattern, Box, RegionShape]
"""What is laid where, in pixels of the stored frame, in which outline."""


class Plan:
    """What the first pass leaves: tracks, and a pattern per track; of the video how long and large it is.

    Finds wholly inside a zone of ``keep`` are not followed, and those that would have been hidden are counted
    in ``kept``; what ``mask`` shows, ``masked``, is hidden in all frames.
    """

    def __init__(
        self, tracker: Tracker, policy: RedactionPolicy, keep: Sequence[Box], mask: PrivacyMask | None
    ) -> None:
        self._tracker = tracker
        self._policy = policy
        self._keep = keep
        self._mask = mask
        self._always: list[Painted] = []
        self._patterns: dict[int, Pattern] = {}
        self._shapes: dict[int, RegionShape] = {}
        self.frames = 0
        self.broken = 0
        self.kept = 0
        self.masked: tuple[Box, ...] = ()
        self.turns = 0
        self.size = Size(0, 0)

    def enter(self, frame: VideoFrame, seen: Sequence[TrackedBox]) -> None:
        """Follow what was seen in the next frame; a track that becomes sure gets its pattern.

        Raises
        ------
        WeakerThanPolicyError, MaskDoesNotFitError
            If zones or mask do not go with the first frame, to which all others are alike.
        """
        if self.frames == 0:
            self._lay_out(frame)
        left = [item for item in seen if not item.box.lies_in_one_of(self._keep)]
        self.kept += sum(item.is_sure for item in seen) - sum(item.is_sure for item in left)
        for track in self._tracker.update(self.frames, left):
            class_name = self._tracker.class_of(track)
            box = self._region(self._tracker.box_of(track, self.frames), class_name)
            style = self._policy.style_of(class_name)
            self._patterns[track] = pattern_of(paintable(frame), box, style, down_of(self.turns))
            self._shapes[track] = self._policy.shape_of(class_name)
        self.frames += 1

    @property
    def shown(self) -> Size:
        """The size of the frames as a person sees them."""
        return self.size if self.turns % 2 == 0 else Size(self.size.height, self.size.width)

    def _lay_out(self, frame: VideoFrame) -> None:
        require_few(self._keep, self._policy, self.shown)
        if self._mask is None:
            return
        style = self._policy.style_of(MASK)
        self.masked = self._mask.areas(self.shown)
        for area in self.masked:
            box = to_stored(area, self.turns, self.size)
            self._always.append((pattern_of(paintable(frame), box, style), box, RegionShape.BOX))

    def hidden(self) -> Iterator[list[Painted]]:
        """Yield for each frame in turn what is to be painted where, in pixels of the stored frame."""
        for boxes in self._tracker.to_hide(self.frames):
            found = [
                (self._patterns[track], self._region(box, self._tracker.class_of(track)), self._shapes[track])
                for track, box in boxes
            ]
            yield [*found, *self._always]

    @property
    def tracks(self) -> dict[str, int]:
        """How many objects of which class are hidden."""
        return dict(Counter(self._tracker.class_of(track) for track in self._tracker.tracks))

    def _region(self, box: Box, class_name: str) -> Box:
        return to_stored(grown(box, self._policy.grow_of(class_name)), self.turns, self.size)
