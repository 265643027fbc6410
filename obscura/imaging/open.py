"""Open pictures: the only module that decodes them.

Every part of the system gets its pixels here: after the same validation, with the same orientation and
colours. So the boxes of one part fit the pixels of another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final, TypeVar

import numpy as np
from PIL import Image

from obscura.errors import (
    ObscuraError,
    PhotoTooCostlyError,
    TooManyPixelsError,
    TruncatedPhotoError,
    UndecodablePhotoError,
)
from obscura.geometry import Size
from obscura.imaging import decoders, fast_jpeg, high_bit_depth, validation
from obscura.imaging.coding import JpegCoding, is_lossless, jpeg_coding
from obscura.imaging.formats import PhotoFormat, PhotoHeader
from obscura.imaging.frames import FrameStack, joined, read_frames
from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.metadata import embedded, exif, icc
from obscura.imaging.metadata.exif import ExifBlock
from obscura.imaging.pixels import Colours, Pixels, Plane, to_rgb, turned_back
from obscura.imaging.resource_limits import for_picture, within

_Result = TypeVar("_Result")

_PILLOW_NAMES: Final = {
    PhotoFormat.JPEG: "JPEG",
    PhotoFormat.PNG: "PNG",
    PhotoFormat.WEBP: "WEBP",
    PhotoFormat.TIFF: "TIFF",
    PhotoFormat.BMP: "BMP",
    PhotoFormat.GIF: "GIF",
    PhotoFormat.AVIF: "AVIF",
    PhotoFormat.HEIC: "HEIF",
}
_BOXED: Final = frozenset({PhotoFormat.HEIC, PhotoFormat.AVIF})
_CMYK: Final = "CMYK"
_BYTE_BITS: Final = 8

# Pillow's own limit is the last resort; `validation` checks the configured one.
Image.MAX_IMAGE_PIXELS = 2**28

REDUCED_WARNING: Final = "samples of more than 8 bits were reduced to 8 bits"
PROFILE_WARNING: Final = "the colour profile is damaged or of another kind of picture, and was dropped"


@dataclass(frozen=True, eq=False, slots=True)
class Photo:
    """A decoded picture, upright.

    Attributes
    ----------
    pixels
        ``uint8[height, width, 3]``, RGB, with EXIF orientation applied. The colours of transparent pixels are
        the stored ones.
    alpha
        ``uint8[height, width]``, or None.
    header
        Properties read from the file's structure; its ``size`` is as stored, ``Photo.size`` is upright.
    orientation
        The EXIF orientation that was applied, 1..8; invalid values count as 1.
    icc
        The colour profile, where it is valid and fits the pixels.
    has_inks
        Whether the stored samples are those of four inks (CMYK).
    ink_icc
        The colour profile of such a picture; it fits the stored samples, not ``pixels``.
    exif
        The EXIF block as found, or None.
    panorama
        A newly written XMP packet with the panorama metadata, empty for any other picture.
    jpeg
        How a JPEG was coded; None for other formats.
    is_grey
        Whether the source has no colours; it is then encoded without any.
    is_lossless
        Whether the source was stored without loss.
    is_indexed
        Whether the source has a palette.
    frame_stack
        Number and timing of frames or pages, which are stacked vertically in ``pixels`` and ``alpha``; None
        for a single picture.
    high_bit_depth
        The 16-bit samples of a PNG or TIFF, of which ``pixels`` and ``alpha`` are the upper 8 bits.
    warnings
        Messages about losses in decoding.
    """

    pixels: Pixels
    alpha: Plane | None
    header: PhotoHeader
    orientation: int = 1
    icc: bytes | None = None
    has_inks: bool = False
    ink_icc: bytes | None = None
    exif: ExifBlock | None = None
    panorama: bytes = b""
    jpeg: JpegCoding | None = None
    is_grey: bool = False
    is_lossless: bool = False
    is_indexed: bool = False
    frame_stack: FrameStack | None = None
    high_bit_depth: HighBitDepth | None = None
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Width and height of the upright picture or of one frame, in pixels."""
        return Size(self.pixels.shape[1], self.pixels.shape[0] // self.count)

    @property
    def count(self) -> int:
        """Number of frames or pages."""
        return 1 if self.frame_stack is None else self.frame_stack.count

    @property
    def frames(self) -> tuple["Photo", ...]:
        """Each frame as a `Photo`; the photo itself where there is only one."""
        if self.frame_stack is None:
            return (self,)
        alphas = (None,) * self.count if self.alpha is None else np.split(self.alpha, self.count)
        parts = zip(np.split(self.pixels, self.count), alphas, strict=True)
        return tuple(replace(self, pixels=pixels, alpha=alpha, frame_stack=None) for pixels, alpha in parts)

    def stored_pixels(self) -> Pixels:
        """Return the pixels as they are stored, before the orientation is applied."""
        return turned_back(self.pixels, self.orientation)

    def with_frames(self, frames: Sequence["Photo"]) -> "Photo":
        """Return this photo with other frames of the same size."""
        if self.frame_stack is None:
            return frames[0]
        alphas = [frame.alpha for frame in frames if frame.alpha is not None]
        return replace(
            self,
            pixels=np.concatenate([frame.pixels for frame in frames]),
            alpha=np.concatenate(alphas) if alphas else None,
        )


def as_shown(photo: Photo, shown: Sequence[int]) -> Photo:
    """Return a photo with frames repeated where its writer joined equal neighbours; see `encode.shown_by`."""
    if photo.count == len(shown) or max(shown) >= photo.count:
        return photo
    frames = photo.frames
    whole = photo.frame_stack or FrameStack(1)
    wide = replace(photo, frame_stack=replace(whole, count=len(shown)))
    return wide.with_frames([frames[number] for number in shown])


def decode(data: bytes, limits: validation.ValidationLimits | None = None) -> Photo:
    """Validate a file and decode its picture, with all frames where the limits allow several.

    Parameters
    ----------
    data
        All bytes of the file.
    limits
        Limits; the defaults of `ValidationLimits` where None.

    Raises
    ------
    PhotoError
        As `validation.check` does; `TruncatedPhotoError` or `UndecodablePhotoError` where the decoder fails;
        `UnsupportedFormatError` where the decoder is not installed; `PhotoTooCostlyError` where it takes
        more than the budget of ``limits``.
    """
    limits = limits or validation.ValidationLimits()
    with within(for_picture(limits.budget, 0, len(data))):
        header = validation.check(data, limits)
    decoders.require(header.format)
    with within(for_picture(limits.budget, header.size.pixels * header.frames, len(data))):
        return _decode(data, header, limits.max_frames)


def _decode(data: bytes, header: PhotoHeader, max_frames: int) -> Photo:
    """Decode a validated file."""
    several = header.frames > 1
    block, profile, panorama = embedded.read_metadata(data, header.format)
    bare = bytes(embedded.stripped_file(data, header.format, is_animated=several))
    image = _guarded(lambda: _open(bare, header))
    stack, frames = (
        _guarded(lambda: read_frames(image, header.format, profile, max_frames))
        if several
        else (None, [_guarded(lambda: _colours(bare, image, header.format, profile))])
    )
    orientation = _orientation(image, block, header.format)
    # Pillow applies the orientation of a TIFF while loading it, but of no other format.
    turn = 1 if header.format is PhotoFormat.TIFF else orientation
    colours = joined([frame.turned(turn) for frame in frames]) if several else frames[0].turned(turn)
    pixels, alpha = colours.rgb, colours.alpha
    full = None if several else _read_high_bit_depth(bare, header, (pixels, alpha), orientation)
    is_reduced = full is None and (colours.is_reduced or header.bits > _BYTE_BITS)
    return Photo(
        pixels=pixels,
        alpha=alpha,
        header=header,
        orientation=orientation,
        icc=icc.usable(profile, _profile_mode(image.mode, is_grey=colours.is_grey)),
        has_inks=image.mode == _CMYK,
        ink_icc=icc.usable(profile, image.mode) if image.mode == _CMYK else None,
        exif=block,
        panorama=panorama,
        jpeg=jpeg_coding(image, header, turn),
        is_grey=colours.is_grey or (full is not None and full.is_grey),
        is_lossless=is_lossless(data, header.format),
        is_indexed=image.mode == "P" and not several,
        frame_stack=stack,
        high_bit_depth=full,
        warnings=(
            *((REDUCED_WARNING,) if is_reduced else ()),
            *((PROFILE_WARNING,) if _is_lost(profile, image.mode, is_grey=colours.is_grey) else ()),
        ),
    )


def _is_lost(profile: bytes | None, mode: str, *, is_grey: bool) -> bool:
    """Return whether there is a colour profile that does not fit pixels of ``mode``."""
    fitting = _CMYK if mode == _CMYK else _profile_mode(mode, is_grey=is_grey)
    return profile is not None and bool(fitting) and icc.usable(profile, fitting) is None


def open_stored(data: bytes, header: PhotoHeader) -> tuple[Image.Image, int]:
    """Return the loaded picture in its own mode and depth, and the EXIF orientation that it still needs.

    Parameters
    ----------
    data
        A validated file.
    header
        Its header from validation; the decoder of its format is loaded (`decoders.require`).

    Raises
    ------
    PhotoError
        If the decoder fails.
    """
    block = embedded.exif_of(data, header.format)
    image = _guarded(lambda: _open(bytes(embedded.stripped_file(data, header.format)), header))
    _guarded(image.load)
    return image, 1 if header.format is PhotoFormat.TIFF else _orientation(image, block, header.format)


def stored_samples(jpeg: bytes, header: PhotoHeader, mode: str | None = None) -> Pixels:
    """Return the samples of a JPEG that this system wrote, ``uint8[height, width, n]``, not yet upright.

    Parameters
    ----------
    jpeg, header
        The file and its header.
    mode
        Pillow's name of the colours to decode to, such as the file's own YCbCr; None for Pillow's choice,
        which converts these to RGB.
    """
    image = _open(jpeg, header)
    image.draft(mode, None)
    return _guarded(lambda: np.asarray(image))


def _read_high_bit_depth(
    data: bytes, header: PhotoHeader, seen: tuple[Pixels, Plane | None], orientation: int
) -> HighBitDepth | None:
    """Return the samples of a PNG or TIFF of 16 bits; None for any other file."""
    if header.bits != high_bit_depth.BITS or header.format not in (PhotoFormat.PNG, PhotoFormat.TIFF):
        return None
    return _guarded(lambda: high_bit_depth.read(data, *seen, orientation))


def _open(data: bytes, header: PhotoHeader) -> Image.Image:
    """Open with the Pillow plugin of the format only, so that no other plugin parses untrusted bytes."""
    image = Image.open(BytesIO(data), formats=[_PILLOW_NAMES[header.format]])
    if header.format in _BOXED and image.width * image.height > header.size.pixels:
        message = "the picture is larger than its header says"
        raise UndecodablePhotoError(message)
    return image


def _colours(data: bytes, image: Image.Image, photo_format: PhotoFormat, profile: bytes | None) -> Colours:
    """Return the pixels of an opened picture, with the fast JPEG decoder where possible."""
    fast = fast_jpeg.colours(data, image) if photo_format is PhotoFormat.JPEG else None
    if fast is not None:
        return fast
    image.load()
    return to_rgb(image, profile)


def _orientation(image: Image.Image, block: ExifBlock | None, photo_format: PhotoFormat) -> int:
    """Return the orientation that the loaded pixels still need, as an EXIF number.

    HEIC and AVIF are rotated by their ``irot`` and ``imir`` boxes; their EXIF orientation is ignored. The
    HEIC decoder has already rotated the pixels; the AVIF decoder returns the boxes as the orientation in its
    EXIF block.
    """
    match photo_format:
        case PhotoFormat.HEIC:
            return 1
        case PhotoFormat.AVIF:
            return exif.orientation(exif.parse(image.info.get("exif", b"")))
        case _:
            return exif.orientation(block)


def _guarded(work: Callable[[], _Result]) -> _Result:
    """Call ``work`` and translate Pillow's exceptions into `ObscuraError`."""
    try:
        return work()
    except ObscuraError:
        raise
    except MemoryError as error:
        message = "there is not enough memory to open the picture"
        raise PhotoTooCostlyError(message) from error
    except Image.DecompressionBombError as error:
        message = "the picture has more pixels than can be decoded"
        raise TooManyPixelsError(message) from error
    except Exception as error:
        # Broad, because Pillow's plugins raise almost any exception on malformed files.
        if "out of memory" in str(error).lower():
            message = "there is not enough memory to open the picture"
            raise PhotoTooCostlyError(message) from error
        if "truncated" in str(error).lower():
            message = "the file ends before its picture does"
            raise TruncatedPhotoError(message) from error
        message = "the picture cannot be decoded"
        raise UndecodablePhotoError(message) from error


def _profile_mode(mode: str, *, is_grey: bool) -> str:
    """Return the mode of a profile that fits the decoded pixels.

    Empty for CMYK and LAB, converted to sRGB.
    """
    if mode in ("CMYK", "LAB"):
        return ""
    return "L" if is_grey else "RGB"
