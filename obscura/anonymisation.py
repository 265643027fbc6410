"""The use case: a photo and what was found in it go in, the redacted photo and a report come out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

import numpy as np

from obscura.contract import MetadataPolicy, OutputFormat
from obscura.errors import PhotoError, ProcessingFailedError
from obscura.geometry import Box, Size
from obscura.imaging import metadata, panorama
from obscura.imaging.embedded import exif_of
from obscura.imaging.encode import EncodedPhoto, EncodeOptions, encode, on_white
from obscura.imaging.exif import ORIENTATION
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.gate import GateLimits
from obscura.imaging.photo import Photo, decode
from obscura.imaging.pixels import Pixels
from obscura.jpeg.errors import NotSpliceableError
from obscura.jpeg.splice import SplicedPhoto, splice
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.paint import paint, paint_alpha
from obscura.redaction.policy import RedactionPolicy, regions_for
from obscura.redaction.regions import Region
from obscura.redaction.styles import Blur, Style, describe

_KEPT_KINDS: Final[Mapping[MetadataPolicy, frozenset[str]]] = {
    MetadataPolicy.STRIP: frozenset({"icc", "pano"}),
    MetadataPolicy.KEEP_SAFE: frozenset({"icc", "pano", "exif", "gps", "tiff_text"}),
    MetadataPolicy.COARSE_GPS: frozenset({"icc", "pano", "exif", "gps", "tiff_text"}),
}
_FLAT: Final = 8.0
"""Standard deviation, in levels, under which a region has nothing in it that could be seen to change."""

_LEAST_CHANGE: Final = 1.0
"""Mean change of a region, in levels, under which it was not hidden."""

_LEAST_SHARE: Final = 0.4
"""Share of the painted change that the finished file must show; strong compression takes some of it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to hide: its class and its box in pixels of the upright picture, not grown."""

    class_name: str
    box: Box


@dataclass(frozen=True, slots=True)
class RedactionRequest:
    """How to redact; the defaults are the project's promises."""

    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    output: OutputFormat = OutputFormat.SAME
    limits: GateLimits = field(default_factory=GateLimits)


class Verdict(Enum):
    """What the check after redaction found. A failed check raises and has no verdict."""

    CLEAN = "clean"
    NOTHING_FOUND = "nothing_found"


@dataclass(frozen=True, slots=True)
class RedactionReport:
    """What was done to a photo.

    Attributes
    ----------
    verdict
        The outcome of the check.
    hidden
        Number of objects hidden, by class.
    styles
        What they were hidden with, in words, by class.
    regions
        The painted boxes, ``(x1, y1, x2, y2)`` in whole pixels, grown and clipped, in the targets' order.
    metadata_removed
        Kinds of metadata that were in the input and are not in the output.
    metadata_kept
        Kinds of metadata in the output.
    warnings
        What the user ought to know, in words.
    lossless
        Which blocks of a JPEG were replaced, all others being the same numbers as before; None where the
        picture was encoded as a whole.
    """

    verdict: Verdict
    hidden: Mapping[str, int]
    styles: Mapping[str, str]
    regions: tuple[Window, ...]
    metadata_removed: tuple[str, ...]
    metadata_kept: tuple[str, ...]
    warnings: tuple[str, ...]
    lossless: SplicedPhoto | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
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


@dataclass(frozen=True, slots=True)
class RedactedPhoto:
    """A finished file with its report; ``size`` in pixels of the upright picture."""

    data: bytes
    media_type: str
    extension: str
    size: Size
    report: RedactionReport


@dataclass(frozen=True, eq=False, slots=True)
class _Redaction:
    """The picture before and after painting, and the file made of it."""

    before: Photo
    after: Photo
    encoded: EncodedPhoto
    spliced: SplicedPhoto | None = None
    warnings: tuple[str, ...] = ()


def redact_photo(
    data: bytes, targets: Sequence[Target], request: RedactionRequest | None = None
) -> RedactedPhoto:
    """Hide ``targets`` in a photo.

    Parameters
    ----------
    data
        All bytes of the photo.
    targets
        What to hide; boxes are grown by the policy.
    request
        How; the defaults of `RedactionRequest` where None.

    Returns
    -------
    RedactedPhoto
        The file, which passed a check of its pixels and of its structure, and the report.

    Raises
    ------
    PhotoError
        If the photo cannot be opened; see `obscura.imaging.photo.decode`.
    InvalidOptionError
        If the picture does not fit the output asked for.
    ProcessingFailedError
        If the check finds an object that is still to be seen, or metadata that was to be removed.
    """
    request = request or RedactionRequest()
    regions = regions_for(targets, request.policy)
    redaction = _redact(data, regions, request)
    kept = _require_hidden(redaction, regions, request)
    return RedactedPhoto(
        data=redaction.encoded.data,
        media_type=redaction.encoded.media_type,
        extension=redaction.encoded.extension,
        size=redaction.after.size,
        report=_report(data, targets, request, (redaction, regions, kept)),
    )


def _redact(data: bytes, regions: Sequence[Region], request: RedactionRequest) -> _Redaction:
    """Hide regions: in place where a JPEG goes in and out, by painting and encoding otherwise."""
    before = decode(data, request.limits)
    is_jpeg = before.header.format is PhotoFormat.JPEG
    if not (is_jpeg and request.output in {OutputFormat.SAME, OutputFormat.JPEG}):
        return _repaint(before, regions, request)
    try:
        return _splice(data, before, regions, request)
    except NotSpliceableError as error:
        warning = f"the picture was encoded again as a whole: {error.message}"
        return replace(_repaint(before, regions, request), warnings=(warning,))


def _splice(data: bytes, before: Photo, regions: Sequence[Region], request: RedactionRequest) -> _Redaction:
    """Redact without decoding: every coefficient outside the regions stays as it is."""
    exif = metadata.kept_exif(before.exif, request.metadata)
    spliced = splice(data, regions, orientation=before.orientation, icc=before.icc, exif=exif)
    encoded = EncodedPhoto(panorama.inserted(spliced.data, before.panorama), PhotoFormat.JPEG)
    return _Redaction(before, _open_again(encoded, request.limits), encoded, spliced)


def _repaint(before: Photo, regions: Sequence[Region], request: RedactionRequest) -> _Redaction:
    """Redact by painting and encoding."""
    alpha = None if before.alpha is None else paint_alpha(before.alpha, regions)
    after = replace(before, pixels=paint(before.pixels, regions), alpha=alpha)
    exif = metadata.kept_exif(before.exif, request.metadata)
    return _Redaction(before, after, encode(after, EncodeOptions(request.output, exif)))


def _require_hidden(
    redaction: _Redaction, regions: Sequence[Region], request: RedactionRequest
) -> tuple[str, ...]:
    """Open the finished file again and check it; return the kinds of metadata in it.

    The seam for a stronger check (a second detection): it belongs here and raises likewise.
    """
    encoded = redaction.encoded
    kept = metadata.found(encoded.data, encoded.format)
    if redaction.spliced is not None and _holds_only_orientation(encoded):
        kept = tuple(kind for kind in kept if kind != "exif")
    if not set(kept) <= _KEPT_KINDS[request.metadata]:
        message = "the redacted photo still carries metadata that was to be removed"
        raise ProcessingFailedError(message)
    if regions:
        _require_painted(redaction, regions, request.limits)
    return kept


def _require_painted(redaction: _Redaction, regions: Sequence[Region], limits: GateLimits) -> None:
    """Check that the finished file shows what was painted, and not what was there before."""
    result = redaction.after if redaction.spliced else _open_again(redaction.encoded, limits)
    if result.size != redaction.before.size:
        message = "the redacted photo has another size than the photo"
        raise ProcessingFailedError(message)
    # Where the file holds no transparency, all three are compared as seen on white.
    look = on_white if result.alpha is None else _stored
    views = (look(redaction.before), look(redaction.after), result.pixels)
    if not all(_is_hidden(region, redaction.before, views) for region in regions):
        message = "an object is still to be seen in the redacted photo"
        raise ProcessingFailedError(message)


def _open_again(encoded: EncodedPhoto, limits: GateLimits) -> Photo:
    """Decode a finished file; raise ProcessingFailedError where that fails."""
    # What is written may be longer than what may be sent in: no limit on the length of our own file.
    own_limits = replace(limits, max_bytes=len(encoded.data))
    try:
        return decode(encoded.data, own_limits)
    except PhotoError as error:
        message = "the redacted photo cannot be opened again"
        raise ProcessingFailedError(message) from error


def _holds_only_orientation(encoded: EncodedPhoto) -> bool:
    """Return whether the only EXIF tag is the orientation, which a spliced picture needs."""
    block = exif_of(encoded.data, encoded.format)
    return block is not None and set(block.main) <= {ORIENTATION} and not block.exif and not block.gps


def _stored(photo: Photo) -> Pixels:
    """Return the pixels of a photo, whatever its transparency."""
    return photo.pixels


def _is_hidden(region: Region, photo: Photo, views: tuple[Pixels, Pixels, Pixels]) -> bool:
    """Return whether a region was changed, and whether the finished file shows the change.

    Parameters
    ----------
    region
        What was painted over.
    photo
        The photo as it came.
    views
        The photo as it came, as painted, and as the finished file shows it, ``uint8[height, width, 3]`` each.
    """
    inside = window(region.box, photo.size)
    if inside.is_empty:
        return True
    covered = mask(region.box, region.shape, inside)
    came, painted, shown = (view[inside.slices][covered].astype(np.float32) for view in views)
    if float(came.std(axis=0).max()) < _FLAT:
        return True
    change = float(np.abs(painted - came).mean())
    return change >= _LEAST_CHANGE and float(np.abs(shown - came).mean()) >= _LEAST_SHARE * change


def _report(
    data: bytes,
    targets: Sequence[Target],
    request: RedactionRequest,
    done: tuple[_Redaction, Sequence[Region], tuple[str, ...]],
) -> RedactionReport:
    """Say what was done."""
    redaction, regions, kept = done
    windows = [window(region.box, redaction.before.size) for region in regions]
    painted = [
        (target.class_name, inside)
        for target, inside in zip(targets, windows, strict=True)
        if not inside.is_empty
    ]
    counts = Counter(class_name for class_name, _ in painted)
    styles = {class_name: request.policy.style_of(class_name) for class_name in sorted(counts)}
    found = metadata.found(data, redaction.before.header.format)
    return RedactionReport(
        verdict=Verdict.CLEAN if painted else Verdict.NOTHING_FOUND,
        hidden={class_name: counts[class_name] for class_name in styles},
        styles={class_name: describe(style) for class_name, style in styles.items()},
        regions=tuple(inside for _, inside in painted),
        metadata_removed=tuple(kind for kind in found if kind not in kept),
        metadata_kept=kept,
        lossless=redaction.spliced,
        warnings=(
            *(() if redaction.spliced else redaction.before.warnings),
            *redaction.warnings,
            *_warnings(redaction, styles.values(), len(windows) - len(painted)),
        ),
    )


def _warnings(redaction: _Redaction, styles: Iterable[Style], left_out: int) -> Iterator[str]:
    """Yield what the user ought to know."""
    if any(isinstance(style, Blur) for style in styles):
        yield "blur is cosmetic: it can be undone"
    if redaction.encoded.format is PhotoFormat.JPEG and redaction.before.alpha is not None:
        yield "transparent parts became white"
    if left_out:
        yield f"{left_out} boxes lie outside the picture"
