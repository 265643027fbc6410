"""Encode pictures in the chosen format, at the source's quality, with explicitly given metadata only."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from obscura.contract import OutputFormat
from obscura.errors import InvalidOptionError, ProcessingFailedError
from obscura.imaging import high_bit_depth
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.frames import FrameStack, apng, distinct
from obscura.imaging.headers import inspect
from obscura.imaging.open import Photo
from obscura.imaging.pixels import Pixels

_WEBP_SIDE: Final = 16_383
_PALETTE: Final = 256

_HIGH_BIT_DEPTH_WRITERS: Final = {PhotoFormat.PNG: high_bit_depth.png, PhotoFormat.TIFF: high_bit_depth.tiff}
"""The formats that hold 16 bits per sample, with their writers."""


_SAME: Final = {
    PhotoFormat.JPEG: PhotoFormat.JPEG,
    PhotoFormat.WEBP: PhotoFormat.WEBP,
    PhotoFormat.TIFF: PhotoFormat.TIFF,
    PhotoFormat.HEIC: PhotoFormat.JPEG,
    PhotoFormat.AVIF: PhotoFormat.JPEG,
}
_CHOSEN: Final = {
    OutputFormat.JPEG: PhotoFormat.JPEG,
    OutputFormat.PNG: PhotoFormat.PNG,
    OutputFormat.WEBP: PhotoFormat.WEBP,
}


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to encode.

    Attributes
    ----------
    output
        The format asked for.
    exif
        EXIF block with its prefix to write, empty for none; see `obscura.imaging.metadata.policy.kept_exif`.
    quality
        0..100, for lossy formats where the source's quantisation tables are unknown.
    """

    output: OutputFormat = OutputFormat.SAME
    exif: bytes = b""
    quality: int = 92


@dataclass(frozen=True, slots=True)
class EncodedPhoto:
    """A finished file."""

    data: bytes
    format: PhotoFormat

    @property
    def media_type(self) -> str:
        """Media type, such as ``image/jpeg``."""
        return self.format.media_type

    @property
    def extension(self) -> str:
        """File name extension, such as ``.jpg``."""
        return self.format.extension


def target_format(source: PhotoFormat, output: OutputFormat, *, has_alpha: bool = False) -> PhotoFormat:
    """Return the format that is written for a source of format ``source``.

    HEIC and AVIF are not written: they become JPEG, or PNG where there is transparency.
    """
    if output is OutputFormat.SAME and has_alpha and source in (PhotoFormat.HEIC, PhotoFormat.AVIF):
        return PhotoFormat.PNG
    return _CHOSEN.get(output) or _SAME.get(source, PhotoFormat.PNG)


def encode(photo: Photo, options: EncodeOptions | None = None) -> EncodedPhoto:
    """Encode a picture with its colour profile, its panorama metadata and ``options.exif``, and nothing else.

    Raises
    ------
    InvalidOptionError
        If the output format cannot hold the picture's size or frames.
    ProcessingFailedError
        If the encoder fails.
    """
    options = options or EncodeOptions()
    target = target_format(photo.header.format, options.output, has_alpha=photo.alpha is not None)
    if target is PhotoFormat.WEBP and photo.size.long_side > _WEBP_SIDE:
        message = f"WebP holds at most {_WEBP_SIDE} pixels a side; ask for another output"
        raise InvalidOptionError(message)
    if photo.frame_stack is not None:
        return EncodedPhoto(_encode_frames(photo, photo.frame_stack, options, target), target)
    if photo.high_bit_depth is not None and target in _HIGH_BIT_DEPTH_WRITERS:
        return EncodedPhoto(
            _HIGH_BIT_DEPTH_WRITERS[target](photo.high_bit_depth, photo.icc, options.exif), target
        )
    image = _image(photo, target)
    sink = BytesIO()
    # The image is made from an array, so Pillow has no `info` from which it would write a comment.
    settings = _profile(photo) | _panorama(photo, target) | _settings(photo, options, target)
    try:
        image.save(sink, format=target.name, exif=options.exif, **settings)
    except (OSError, ValueError, RuntimeError) as error:
        message = f"the picture cannot be written as {target.name}"
        raise ProcessingFailedError(message) from error
    return EncodedPhoto(sink.getvalue(), target)


def shown_by(photo: Photo, target: PhotoFormat) -> tuple[int, ...]:
    """Return for each frame the frame of the written file that shows it.

    Animated WebP joins equal neighbours.
    """
    if target is not PhotoFormat.WEBP:
        return tuple(range(photo.count))
    return distinct([np.asarray(_image(frame, target)) for frame in photo.frames])


def _encode_frames(
    photo: Photo, frame_stack: FrameStack, options: EncodeOptions, target: PhotoFormat
) -> bytes:
    """Return a file of all frames."""
    frames = [np.asarray(_image(frame, target)) for frame in photo.frames]
    if target is PhotoFormat.PNG and frame_stack.durations:
        return apng([np.atleast_3d(frame) for frame in frames], frame_stack, photo.icc, options.exif)
    if target is not PhotoFormat.TIFF and not (target is PhotoFormat.WEBP and frame_stack.durations):
        message = f"{target.name} does not hold these {frame_stack.count} frames; ask for another output"
        raise InvalidOptionError(message)
    first, *others = map(Image.fromarray, frames)
    timing = (
        {"duration": list(frame_stack.durations), "loop": frame_stack.loop} if frame_stack.durations else {}
    )
    settings = _profile(photo) | _settings(photo, options, target) | timing
    written = b""
    # Lossy WebP also joins frames that differ little: then write lossless.
    for exact in ({}, {"lossless": True}):
        sink = BytesIO()
        try:
            first.save(
                sink, target.name, save_all=True, append_images=others, exif=options.exif, **settings | exact
            )
        except (OSError, ValueError, RuntimeError) as error:
            message = f"the frames cannot be written as {target.name}"
            raise ProcessingFailedError(message) from error
        written = sink.getvalue()
        if target is not PhotoFormat.WEBP or inspect(written).frames == 1 + max(shown_by(photo, target)):
            break
    return written


def on_white(photo: Photo) -> Pixels:
    """Return the pixels blended over white; the stored ones where there is no transparency."""
    if photo.alpha is None:
        return photo.pixels
    alpha = photo.alpha[..., None].astype(np.uint16)
    return ((photo.pixels * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _image(photo: Photo, target: PhotoFormat) -> Image.Image:
    """Return a Pillow image in the smallest mode that holds what the target can hold of the photo."""
    indexed = _indexed(photo) if photo.is_indexed and target is PhotoFormat.PNG else None
    if indexed is not None:
        return indexed
    if photo.alpha is None or target is PhotoFormat.JPEG:
        image = Image.fromarray(on_white(photo))
        return image.convert("L") if photo.is_grey else image
    image = Image.fromarray(np.dstack((photo.pixels, photo.alpha)))
    return image.convert("LA") if photo.is_grey and target is PhotoFormat.PNG else image


def _indexed(photo: Photo) -> Image.Image | None:
    """Return a picture with a palette of exactly its colours; None where it has more than 256."""
    opacity = np.full(photo.pixels.shape[:2], 255, np.uint8) if photo.alpha is None else photo.alpha
    colours = np.dstack((photo.pixels, opacity))
    names, places = np.unique(colours.view(np.uint32).reshape(-1), return_inverse=True)
    if len(names) > _PALETTE:
        return None
    table = np.ascontiguousarray(names).view(np.uint8).reshape(-1, 4)
    image = Image.fromarray(places.reshape(opacity.shape).astype(np.uint8))
    image.putpalette(table[:, :3].tobytes())
    if photo.alpha is not None:
        image.info["transparency"] = table[:, 3].tobytes()
    return image


def _profile(photo: Photo) -> dict[str, Any]:
    return {} if photo.icc is None else {"icc_profile": photo.icc}


def _panorama(photo: Photo, target: PhotoFormat) -> dict[str, Any]:
    """Return the XMP packet of a panorama.

    Dropped where the pixels were rotated, because its sizes no longer fit.
    """
    is_kept = target is PhotoFormat.JPEG and photo.panorama and photo.orientation == 1
    return {"xmp": photo.panorama} if is_kept else {}


def _settings(photo: Photo, options: EncodeOptions, target: PhotoFormat) -> dict[str, Any]:
    """Return Pillow's settings for the target format."""
    match target:
        case PhotoFormat.JPEG if photo.jpeg is not None:
            # No `quality` beside the tables: Pillow would scale them by it.
            return {
                "qtables": [list(table) for table in photo.jpeg.tables],
                "subsampling": photo.jpeg.subsampling,
                "progressive": photo.jpeg.is_progressive,
            }
        case PhotoFormat.JPEG:
            return {"quality": options.quality, "subsampling": 0}
        case PhotoFormat.WEBP:
            return {"lossless": photo.is_lossless, "quality": 75 if photo.is_lossless else options.quality}
        case PhotoFormat.TIFF if options.exif:
            return {}  # Pillow can write EXIF directories only without compression.
        case PhotoFormat.TIFF:
            return {"compression": "tiff_adobe_deflate"}
        case _:
            return {}
