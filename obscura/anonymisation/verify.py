"""Verify the finished file: every region is hidden, and it has no metadata that was to be removed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from obscura.anonymisation.outcome import Redaction
from obscura.anonymisation.proof import require_painted_pixels
from obscura.anonymisation.request import RedactionRequest
from obscura.contract import MetadataPolicy
from obscura.errors import PhotoError, ProcessingFailedError
from obscura.imaging.encode import EncodedPhoto, on_white
from obscura.imaging.metadata import policy
from obscura.imaging.metadata.embedded import exif_of
from obscura.imaging.metadata.exif import ORIENTATION
from obscura.imaging.open import Photo, decode
from obscura.imaging.pixels import Pixels, Plane
from obscura.imaging.validation import ValidationLimits
from obscura.observability import Stage, stage
from obscura.redaction.masks import mask, window
from obscura.redaction.regions import Region

_KEPT_KINDS: Final[Mapping[MetadataPolicy, frozenset[str]]] = {
    MetadataPolicy.STRIP: frozenset({"icc", "pano"}),
    MetadataPolicy.KEEP_SAFE: frozenset({"icc", "pano", "exif", "gps", "tiff_text"}),
    MetadataPolicy.COARSE_GPS: frozenset({"icc", "pano", "exif", "gps", "tiff_text"}),
}
_FLAT: Final = 8.0
"""Standard deviation, in levels, below which a region is uniform, so that no change can be measured."""

_LEAST_CHANGE: Final = 1.0
"""Mean change of a region, in levels, below which it was not hidden."""

_LEAST_SHARE: Final = 0.4
"""Share of the painted change that the finished file must show; strong compression reduces it."""


def require_hidden(redaction: Redaction, request: RedactionRequest) -> tuple[str, ...]:
    """Check the finished file; return the kinds of metadata in it.

    Raises
    ------
    ProcessingFailedError
        If it has metadata that was to be removed, such as a preview of the original; or if a hidden area
        differs from what was painted (see `obscura.anonymisation.proof`).
    """
    encoded = redaction.encoded
    kept = policy.found(encoded.data, encoded.format)
    if redaction.spliced is not None and _holds_only_orientation(encoded):
        kept = tuple(kind for kind in kept if kind != "exif")
    if not set(kept) <= _KEPT_KINDS[request.metadata]:
        message = "the redacted photo still carries metadata that was to be removed"
        raise ProcessingFailedError(message)
    _require_painted(redaction)
    require_painted_pixels(redaction)
    return kept


def _require_painted(redaction: Redaction) -> None:
    """Check that the finished file shows the painted pixels and not the original ones."""
    before, shown = redaction.before, redaction.shown
    if (shown.size, shown.count) != (before.size, before.count):
        message = "the redacted photo has another size than the photo, or other frames"
        raise ProcessingFailedError(message)
    frames = zip(before.frames, redaction.after.frames, shown.frames, redaction.regions, strict=True)
    if not all(_are_hidden(painted, *views) for *views, painted in frames):
        message = "an object is still to be seen in the redacted photo"
        raise ProcessingFailedError(message)


def _are_hidden(regions: Sequence[Region], before: Photo, after: Photo, shown: Photo) -> bool:
    """Return whether all regions of a finished picture are hidden."""
    if not regions:
        return True
    # A file without transparency shows transparent areas on white, so the others are compared on white.
    flatten = on_white if shown.alpha is None else _stored
    views = (flatten(before), flatten(after), shown.pixels)
    return all(_is_hidden(region, before, views) for region in regions)


def open_again(encoded: EncodedPhoto, limits: ValidationLimits) -> Photo:
    """Decode a finished file; raise ProcessingFailedError where that fails."""
    # A finished file may be longer than an upload may be.
    own_limits = replace(limits, max_bytes=len(encoded.data))
    try:
        with stage(Stage.VERIFY):
            return decode(encoded.data, own_limits)
    except PhotoError as error:
        message = "the redacted photo cannot be opened again"
        raise ProcessingFailedError(message) from error


def _holds_only_orientation(encoded: EncodedPhoto) -> bool:
    """Return whether the only EXIF tag is the orientation, which a spliced picture needs."""
    block = exif_of(encoded.data, encoded.format)
    return block is not None and set(block.main) <= {ORIENTATION} and not block.exif and not block.gps


def _stored(photo: Photo) -> Pixels:
    """Return the stored colours of a photo."""
    return photo.pixels


def _is_hidden(region: Region, photo: Photo, views: tuple[Pixels, Pixels, Pixels]) -> bool:
    """Return whether a region was changed, and whether the finished file shows the change.

    Parameters
    ----------
    region
        The painted region.
    photo
        The original photo.
    views
        The original, the painted and the finished picture, ``uint8[height, width, 3]`` each.
    """
    inside = window(region.box, photo.size)
    if inside.is_empty:
        return True
    covered = mask(region.box, region.shape, inside).astype(np.uint8)
    came, painted, shown = (view[inside.slices] for view in views)
    if float(cv2.meanStdDev(came, mask=covered)[1].max()) < _FLAT:
        return True
    if float(cv2.meanStdDev(shown, mask=covered)[1].max()) < _FLAT:
        # A uniform result is hidden, even where the change is small: a dark sky with a thin watermark.
        return True
    change = _difference(painted, came, covered)
    return change >= _LEAST_CHANGE and _difference(shown, came, covered) >= _LEAST_SHARE * change


def _difference(one: Pixels, other: Pixels, covered: Plane) -> float:
    """Return the mean difference of two pictures, in levels, where ``covered`` is not 0."""
    return float(np.mean(cv2.mean(cv2.absdiff(one, other), covered)[:3]))
