"""The report of a redaction."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from obscura.anonymisation.outcome import Redaction
from obscura.anonymisation.request import RedactionRequest, Target
from obscura.geometry import Box
from obscura.imaging.encode import shown_by
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.metadata import policy
from obscura.imaging.open import REDUCED_WARNING
from obscura.jpeg.splice import SplicedPhoto
from obscura.redaction.masks import Window, window
from obscura.redaction.styles import Blur, Style, describe

_HIGH_BIT_DEPTH_FORMATS: Final = frozenset({PhotoFormat.PNG, PhotoFormat.TIFF})


class Verdict(Enum):
    """Result of the verification after redaction. A failed verification raises an error instead."""

    CLEAN = "clean"
    NOTHING_FOUND = "nothing_found"


@dataclass(frozen=True, slots=True)
class FrameReport:
    """Frames of the painted boxes in a file of several frames.

    Attributes
    ----------
    count
        Number of frames of the photo.
    height
        Height of one frame, in pixels.
    regions
        The frame of each painted box.
    shown
        For each frame of the photo the frame of the finished file that shows it: an encoder may join equal
        neighbours.
    """

    count: int
    height: int
    regions: tuple[int, ...]
    shown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RedactionReport:
    """What was done to a photo.

    Attributes
    ----------
    verdict
        Result of the verification.
    hidden
        Number of hidden objects, by class; for a privacy mask the number of its areas.
    styles
        Descriptions of the styles, by class.
    regions
        The painted boxes, ``(x1, y1, x2, y2)`` in whole pixels, grown and clipped, in the targets' order.
    metadata_removed
        Kinds of metadata that were in the input and are not in the output.
    metadata_kept
        Kinds of metadata in the output.
    warnings
        Messages for the user.
    lossless
        Which blocks of a spliced JPEG were replaced, the coefficients of all others being unchanged; None
        where the picture was encoded as a whole.
    frames
        Frames of the painted boxes; None for a single picture.
    kept
        Number of targets inside exclusion zones; None where there are no zones.
    content_credentials
        Whether signed Content Credentials (C2PA) are in the file.
    """

    verdict: Verdict
    hidden: Mapping[str, int]
    styles: Mapping[str, str]
    regions: tuple[Window, ...]
    metadata_removed: tuple[str, ...]
    metadata_kept: tuple[str, ...]
    warnings: tuple[str, ...]
    lossless: SplicedPhoto | None = None
    frames: FrameReport | None = None
    kept: int | None = None
    content_credentials: bool = False

    @property
    def hidden_boxes(self) -> list[Box]:
        """The painted boxes, in pixels of `Photo.pixels`, in which frames are stacked vertically."""
        boxes = [Box(*region) for region in self.regions]
        if self.frames is None:
            return boxes
        steps = (number * self.frames.height for number in self.frames.regions)
        return [box.shift(0, step) for box, step in zip(boxes, steps, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        several = {} if self.frames is None else {"frames": asdict(self.frames)}
        spared = {} if self.kept is None else {"kept": self.kept}
        signed = {"content_credentials": True} if self.content_credentials else {}
        return (
            several
            | spared
            | signed
            | {
                "verdict": self.verdict.value,
                "hidden": dict(self.hidden),
                "styles": dict(self.styles),
                "regions": [list(region) for region in self.regions],
                "metadata_removed": list(self.metadata_removed),
                "metadata_kept": list(self.metadata_kept),
                "warnings": list(self.warnings),
                "lossless": None
                if self.lossless is None
                else {
                    "engine": self.lossless.engine,
                    "blocks_touched": self.lossless.blocks_touched,
                    "blocks_total": self.lossless.blocks_total,
                },
            }
        )


def report_of(
    data: bytes,
    placed: Sequence[Sequence[Target]],
    request: RedactionRequest,
    redaction: Redaction,
    kept: tuple[str, ...],
) -> RedactionReport:
    """Return the report of a redaction; ``placed`` are the targets by frame."""
    windows = [
        (target.class_name, window(region.box, redaction.before.size), number)
        for number, (targets, painted_here) in enumerate(zip(placed, redaction.regions, strict=True))
        for target, region in zip(targets, painted_here, strict=True)
    ]
    painted = [item for item in windows if not item[1].is_empty]
    counts = Counter(class_name for class_name, _, _ in painted)
    styles = {class_name: request.policy.style_of(class_name) for class_name in sorted(counts)}
    found = policy.found(data, redaction.before.header.format)
    return RedactionReport(
        verdict=Verdict.CLEAN if painted else Verdict.NOTHING_FOUND,
        hidden={class_name: counts[class_name] for class_name in styles},
        styles={class_name: describe(style) for class_name, style in styles.items()},
        regions=tuple(inside for _, inside, _ in painted),
        frames=_frames(redaction, tuple(number for _, _, number in painted)),
        metadata_removed=tuple(kind for kind in found if kind not in kept),
        metadata_kept=kept,
        lossless=redaction.spliced,
        warnings=(
            *redaction.before.warnings,
            *redaction.warnings,
            *_warnings(redaction, styles.values(), len(windows) - len(painted)),
        ),
    )


def _frames(redaction: Redaction, regions: tuple[int, ...]) -> FrameReport | None:
    """Return the frames of the painted boxes; None for a single picture."""
    if redaction.before.frame_stack is None:
        return None
    return FrameReport(
        redaction.before.count,
        redaction.before.size.height,
        regions,
        shown_by(redaction.after, redaction.encoded.format),
    )


def _warnings(redaction: Redaction, styles: Iterable[Style], left_out: int) -> Iterator[str]:
    """Yield messages for the user."""
    if any(isinstance(style, Blur) for style in styles):
        yield "blur is cosmetic: it can be undone"
    if (
        redaction.before.high_bit_depth is not None
        and redaction.encoded.format not in _HIGH_BIT_DEPTH_FORMATS
    ):
        yield REDUCED_WARNING
    if redaction.encoded.format is PhotoFormat.JPEG and redaction.before.alpha is not None:
        yield "transparent parts became white"
    if left_out:
        yield f"{left_out} boxes lie outside the picture"
