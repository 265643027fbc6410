"""Check on the finished file that every hidden pixel is what was painted, within the coding tolerance.

Lossless formats must have exactly the painted samples. A JPEG that was encoded as a whole may differ by its
quantisation: the DCT of ITU-T T.81 A.3.3 is orthonormal, so by Parseval's theorem the squared luma error of a
block is at most the sum of the squared halves of its quantisation steps. In a JPEG that was changed in place
the fills are painted again, from the finished pixels and the tones, and compared block by block
(`obscura.jpeg.repaint`). Lossy WebP has no such bound; its tolerance was measured.

A second decoder (OpenCV's builds of libpng, libwebp and libtiff; Pillow has written the file) must show the
same pixels. JPEGs need none, because this check decodes them with another library than the one that wrote
them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.anonymisation.outcome import Redaction
from obscura.errors import ProcessingFailedError
from obscura.imaging.encode import on_white
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.open import Photo, stored_samples
from obscura.imaging.pixels import Pixels
from obscura.jpeg import parsing
from obscura.jpeg.colours import Colours
from obscura.jpeg.repaint import BlockErrors, Decoded, block_errors
from obscura.jpeg.splice import SplicedPhoto
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.regions import Region

__all__ = ["require_painted_pixels"]

_BLOCK: Final = 8
_JPEG_SLACK: Final = 3.0
"""Luma levels that colour conversion, clipping and chroma subsampling may add in a JPEG."""

_BRIGHTNESS_SLACK: Final = 2.0
_COLOUR_SLACK: Final = 6.0
"""Levels by which a block of a spliced JPEG may differ beyond its quantisation (root mean square), in
brightness and in colour differences, which decoders interpolate from blocks beside the hidden ones. The most
measured on 120 photos of five qualities was 0.6 and 2.6."""

_WEBP_RMS: Final = 8.0
"""Luma levels (root mean square) by which a hidden area may differ in a lossy WebP: three times the largest
difference of any style on 40 photos (2.4)."""

_GREY_STEP: Final = 1
_FLOAT_SLACK: Final = 0.01
"""What single precision adds to a difference of one level in all channels."""

_SECOND_STEP: Final = 1
"""Levels by which two decoders of one file may differ through rounding."""

_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_WORD_TO_BYTE: Final = 256
_WITHOUT_CHANNELS: Final = 2


class _HiddenArea(NamedTuple):
    """A hidden area in a frame: its window, and which pixels of the window it covers."""

    inside: Window
    covered: NDArray[np.bool_]


def require_painted_pixels(redaction: Redaction) -> None:
    """Check that a finished file shows the painted pixels in all regions.

    Raises
    ------
    ProcessingFailedError
        If it does not, or if another decoder shows something else.
    """
    message = "a hidden area of the finished picture is not what was painted"
    if redaction.spliced is not None:
        if not _are_filled(redaction, redaction.spliced):
            raise ProcessingFailedError(message)
        return
    frames = zip(redaction.after.frames, redaction.shown.frames, redaction.regions, strict=True)
    for expected, shown, painted in frames:
        areas = list(_hidden_areas(painted, shown))
        if not all(_matches_expected(expected, shown, area) for area in areas):
            raise ProcessingFailedError(message)
    if redaction.shown.frame_stack is None and any(redaction.regions):
        second = _second_view(redaction)
        areas = list(_hidden_areas(redaction.regions[0], redaction.shown))
        if second is not None and not all(_is_same(second, redaction.shown, area) for area in areas):
            raise ProcessingFailedError(message)


def _are_filled(redaction: Redaction, spliced: SplicedPhoto) -> bool:
    """Return whether the filled blocks of a spliced JPEG are what they are meant to be."""
    shown = redaction.shown

    def holds(decoded: Decoded) -> bool:
        regions = redaction.regions[0]
        found = block_errors(spliced.data, decoded, regions, shown.orientation, spliced.painted)
        return all(map(_is_within, found))

    if shown.has_inks:
        return holds(Decoded(255 - stored_samples(spliced.data, shown.header)))
    # Converting strong colours clips them: where that explains a difference, it is not in the file itself.
    return holds(Decoded(shown.stored_pixels())) or (
        Colours.of(parsing.read(spliced.data)) is Colours.YCC
        and holds(Decoded(stored_samples(spliced.data, shown.header, "YCbCr"), are_components=True))
    )


def _is_within(found: BlockErrors) -> bool:
    """Return whether the blocks of a component differ from their fill by no more than coding explains."""
    slack = _BRIGHTNESS_SLACK if found.is_brightness else _COLOUR_SLACK
    return bool((found.errors <= found.bounds + slack).all())


def _hidden_areas(regions: Sequence[Region], photo: Photo) -> Iterator[_HiddenArea]:
    for region in regions:
        inside = window(region.box, photo.size)
        if not inside.is_empty:
            yield _HiddenArea(inside, mask(region.box, region.shape, inside))


def _matches_expected(expected: Photo, shown: Photo, area: _HiddenArea) -> bool:
    """Return whether a finished frame shows the painted pixels in one area."""
    is_flat = shown.alpha is None
    before_coding, after_coding = (
        (on_white(photo) if is_flat else photo.pixels)[area.inside.slices][area.covered].astype(np.float32)
        for photo in (expected, shown)
    )
    if shown.alpha is not None:
        # Colours of fully transparent pixels are invisible, and not every format keeps them.
        visible = shown.alpha[area.inside.slices][area.covered] > 0
        before_coding, after_coding = before_coding[visible], after_coding[visible]
    if not len(before_coding):
        return True
    # Samples of 16 bits are filled as such and shown in 8: the two round apart by a level.
    if shown.is_lossless and not expected.is_grey and expected.high_bit_depth is None:
        return bool(np.array_equal(before_coding, after_coding))
    error = before_coding @ _LUMA - after_coding @ _LUMA
    if shown.is_lossless:
        return bool(np.abs(error).max() <= _GREY_STEP + _FLOAT_SLACK)
    return float(np.square(error).sum()) <= _allowed(shown, area)


def _allowed(shown: Photo, area: _HiddenArea) -> float:
    """Return the largest sum of squared luma errors in an area that lossy coding may cause."""
    if shown.jpeg is None:
        return float(area.covered.sum()) * _WEBP_RMS**2
    divisors = np.array(shown.jpeg.tables[0], dtype=np.float64)
    rms = math.sqrt(float(np.square(divisors / 2).mean())) + _JPEG_SLACK
    # The largest number of blocks that the window can touch: in a rotated picture they begin at any pixel.
    rows, columns = ((side - 2) // _BLOCK + 2 for side in (area.covered.shape))
    return float(rows * columns * _BLOCK**2 * rms**2)


def _second_view(redaction: Redaction) -> Pixels | None:
    """Return the colours of the finished file as another decoder shows them; None where there is none.

    Raises
    ------
    ProcessingFailedError
        If the other decoder cannot open the file.
    """
    encoded = redaction.encoded
    if encoded.format not in (PhotoFormat.PNG, PhotoFormat.WEBP, PhotoFormat.TIFF):
        return None
    read = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if read is None:
        message = "another decoder cannot open the redacted photo"
        raise ProcessingFailedError(message)
    # The upper 8 of 16 bits, as in `Photo.pixels`.
    samples = np.asarray(read // _WORD_TO_BYTE if read.dtype == np.uint16 else read, dtype=np.uint8)
    if samples.ndim == _WITHOUT_CHANNELS:
        return np.repeat(samples[..., None], 3, axis=2)
    return np.ascontiguousarray(samples[..., 2::-1])


def _is_same(second: Pixels, shown: Photo, area: _HiddenArea) -> bool:
    """Return whether two decoders show the same pixels in one area, except for rounding."""
    if second.shape != shown.pixels.shape:
        return False
    one, other = (view[area.inside.slices][area.covered] for view in (second, shown.pixels))
    if shown.alpha is not None:
        visible = shown.alpha[area.inside.slices][area.covered] > 0
        one, other = one[visible], other[visible]
    return not len(one) or int(np.abs(one.astype(np.int16) - other).max()) <= _SECOND_STEP
