"""Open pictures: the only module that decodes them.

Every part of the system that needs pixels gets them here: behind the same gate, with the same orientation, in
the same colours. Boxes found by one part therefore fit the pixels of another.
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
from obscura.imaging import decoders, fast_jpeg, validation
from obscura.imaging import frames as strip
from obscura.imaging import high_bit_depth as deep
from obscura.imaging.coding import JpegCoding, is_lossless, jpeg_coding
from obscura.imaging.formats import PhotoFormat, PhotoHeader
from obscura.imaging.frames import FrameStack
from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.metadata import embedded, exif, icc
from obscura.imaging.metadata.exif import ExifBlock
from obscura.imaging.pixels import Colours, Pixels, Plane, to_rgb
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
_INK: Final = "CMYK"
_BYTE_BITS: Final = 8

# Pillow's own guard is the last resort: how large a picture may be is for the gate to say.
Image.MAX_IMAGE_PIXELS = 2**28

DEEP_WARNING: Final = "samples of more than 8 bits were reduced to 8 bits"
PROFILE_WARNING: Final = "the colour profile is damaged or of another kind of picture, and was dropped"


@dataclass(frozen=True, eq=False, slots=True)
class Photo:
    """A decoded picture, upright.

    Attributes
    ----------
    pixels
        ``uint8[height, width, 3]``, RGB, as a person sees it: EXIF orientation is applied. The colours under
        a transparent alpha are the stored ones.
    alpha
        ``uint8[height, width]``, or None.
    header
        What the file's structure says; its ``size`` is the stored one, `size` here the upright one.
    orientation
        The EXIF orientation that was applied, 1..8; invalid values count as 1.
    icc
        The colour profile, where it parses and fits the pixels.
    ink_icc
        The colour profile of a CMYK picture, which fits what is stored and not the pixels.
    exif
        The EXIF block as found, or None.
    panorama
        A fresh XMP packet with the numbers of a panorama, empty for any other picture.
    jpeg
        How a JPEG was coded; None for other formats.
    is_grey
        Whether the source has no colours; it is then encoded without any.
    is_lossless
        Whether the source was stored without loss.
    is_indexed
        Whether the source names its colours in a palette.
    strip
        Of an animation or a document of several pages, whose frames lie one below the other in ``pixels`` and
        ``alpha``; None for one picture.
    deep
        All bits of a PNG or TIFF of 16 bits per sample, of which ``pixels`` and ``alpha`` are the upper ones.
    warnings
        What was lost in decoding, in words.
    """

    pixels: Pixels
    alpha: Plane | None
    header: PhotoHeader
    orientation: int = 1
    icc: bytes | None = None
    ink_icc: bytes | None = None
    exif: ExifBlock | None = None
    panorama: bytes = b""
    jpeg: JpegCoding | None = None
    is_grey: bool = False
    is_lossless: bool = False
    is_indexed: bool = False
    strip: FrameStack | None = None
    deep: HighBitDepth | None = None
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Width and height of the upright picture, in pixels; of each where there are several."""
        return Size(self.pixels.shape[1], self.pixels.shape[0] // self.count)

    @property
    def count(self) -> int:
        """Number of frames or pages."""
        return 1 if self.strip is None else self.strip.count

    @property
    def frames(self) -> tuple["Photo", ...]:
        """Each frame as a picture of its own; the one picture of a file that is not several."""
        if self.strip is None:
            return (self,)
        alphas = (None,) * self.count if self.alpha is None else np.split(self.alpha, self.count)
        parts = zip(np.split(self.pixels, self.count), alphas, strict=True)
        return tuple(replace(self, pixels=pixels, alpha=alpha, strip=None) for pixels, alpha in parts)

    def with_frames(self, frames: Sequence["Photo"]) -> "Photo":
        """Return this photo with other frames of the same size."""
        if self.strip is None:
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
    whole = photo.strip or FrameStack(1)
    wide = replace(photo, strip=replace(whole, count=len(shown)))
    return wide.with_frames([frames[number] for number in shown])


def decode(data: bytes, limits: validation.ValidationLimits | None = None) -> Photo:
    """Check a file at the gate and decode its picture: all of its frames, where the limits let several in.

    Parameters
    ----------
    data
        All bytes of the file.
    limits
        What is allowed; the defaults of `ValidationLimits` where None.

    Raises
    ------
    PhotoError
        As `gate.check` does; `TruncatedPhotoError` or `UndecodablePhotoError` where the decoder fails;
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
    """Decode a file that has passed the gate."""
    several = header.frames > 1
    block, profile, panorama = embedded.told(data, header.format)
    bare = bytes(embedded.stripped_file(data, header.format, is_animated=several))
    image = _guarded(lambda: _open(bare, header))
    parts, frames = (
        _guarded(lambda: strip.read(image, header.format, profile, max_frames))
        if several
        else (None, [_guarded(lambda: _colours(bare, image, header.format, profile))])
    )
    orientation = _orientation(image, block, header.format)
    # Pillow turns a TIFF by itself while loading it, and nothing else.
    turn = 1 if header.format is PhotoFormat.TIFF else orientation
    colours = strip.joined([frame.turned(turn) for frame in frames]) if several else frames[0].turned(turn)
    pixels, alpha = colours.rgb, colours.alpha
    full = None if several else _deep(bare, header, (pixels, alpha), orientation)
    is_reduced = full is None and (colours.is_reduced or header.bits > _BYTE_BITS)
    return Photo(
        pixels=pixels,
        alpha=alpha,
        header=header,
        orientation=orientation,
        icc=icc.usable(profile, _profile_mode(image.mode, is_grey=colours.is_grey)),
        ink_icc=icc.usable(profile, image.mode) if image.mode == _INK else None,
        exif=block,
        panorama=panorama,
        jpeg=jpeg_coding(image, header, turn),
        is_grey=colours.is_grey or (full is not None and full.is_grey),
        is_lossless=is_lossless(data, header.format),
        is_indexed=image.mode == "P" and not several,
        strip=parts,
        deep=full,
        warnings=(
            *((DEEP_WARNING,) if is_reduced else ()),
            *((PROFILE_WARNING,) if _is_lost(profile, image.mode, is_grey=colours.is_grey) else ()),
        ),
    )


def _is_lost(profile: bytes | None, mode: str, *, is_grey: bool) -> bool:
    """Return whether there is a colour profile that cannot be used for the pixels of ``mode``."""
    fitting = _INK if mode == _INK else _profile_mode(mode, is_grey=is_grey)
    return profile is not None and bool(fitting) and icc.usable(profile, fitting) is None


def open_stored(data: bytes, header: PhotoHeader) -> tuple[Image.Image, int]:
    """Return the loaded picture in its own mode and depth, and the EXIF orientation that it still needs.

    Parameters
    ----------
    data
        A file that has passed the gate.
    header
        What the gate said of it; its format's decoder is loaded (`decoders.require`).

    Raises
    ------
    PhotoError
        If the decoder fails.
    """
    block = embedded.exif_of(data, header.format)
    image = _guarded(lambda: _open(bytes(embedded.stripped_file(data, header.format)), header))
    _guarded(image.load)
    return image, 1 if header.format is PhotoFormat.TIFF else _orientation(image, block, header.format)


def _deep(
    data: bytes, header: PhotoHeader, seen: tuple[Pixels, Plane | None], orientation: int
) -> HighBitDepth | None:
    """Return all bits of a PNG or TIFF of 16 bits per sample; None for any other file."""
    if header.bits != deep.BITS or header.format not in (PhotoFormat.PNG, PhotoFormat.TIFF):
        return None
    return _guarded(lambda: deep.read(data, *seen, orientation))


def _open(data: bytes, header: PhotoHeader) -> Image.Image:
    """Open with the one plugin of the format, so that no other is ever tried on hostile bytes."""
    image = Image.open(BytesIO(data), formats=[_PILLOW_NAMES[header.format]])
    if header.format in _BOXED and image.width * image.height > header.size.pixels:
        message = "the picture is larger than its header says"
        raise UndecodablePhotoError(message)
    return image


def _colours(data: bytes, image: Image.Image, photo_format: PhotoFormat, profile: bytes | None) -> Colours:
    """Return the pixels of an opened picture, by the short way where there is one."""
    fast = fast_jpeg.colours(data, image) if photo_format is PhotoFormat.JPEG else None
    if fast is not None:
        return fast
    image.load()
    return to_rgb(image, profile)


def _orientation(image: Image.Image, block: ExifBlock | None, photo_format: PhotoFormat) -> int:
    """Return the orientation that the loaded pixels still need, as an EXIF number.

    HEIC and AVIF are turned by their own boxes, and their EXIF orientation says nothing. The HEIC decoder has
    turned the pixels by them; the AVIF decoder hands them on, written into the EXIF block that it gives.
    """
    match photo_format:
        case PhotoFormat.HEIC:
            return 1
        case PhotoFormat.AVIF:
            return exif.orientation(exif.parse(image.info.get("exif", b"")))
        case _:
            return exif.orientation(block)


def _guarded(work: Callable[[], _Result]) -> _Result:
    """Return what ``work`` returns, with whatever Pillow raises turned into an error of ours."""
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
        # Broad on purpose: on hostile bytes Pillow's plugins raise almost anything.
        if "out of memory" in str(error).lower():
            message = "there is not enough memory to open the picture"
            raise PhotoTooCostlyError(message) from error
        if "truncated" in str(error).lower():
            message = "the file ends before its picture does"
            raise TruncatedPhotoError(message) from error
        message = "the picture cannot be decoded"
        raise UndecodablePhotoError(message) from error


def _profile_mode(mode: str, *, is_grey: bool) -> str:
    """Return the kind of profile that still fits: none after CMYK and LAB were turned into sRGB."""
    if mode in ("CMYK", "LAB"):
        return ""
    return "L" if is_grey else "RGB"
