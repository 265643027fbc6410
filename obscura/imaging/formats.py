"""Picture formats and headers. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from obscura.geometry import Size

Buffer: TypeAlias = bytes | memoryview
"""Bytes of a whole file; never changed."""


class PhotoFormat(Enum):
    """A picture format that is recognised by its first bytes."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    BMP = "bmp"
    GIF = "gif"
    HEIC = "heic"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """The registered media type, such as ``image/jpeg``."""
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        """The usual file name extension with its dot, such as ``.jpg``."""
        return _EXTENSIONS.get(self, f".{self.value}")


_EXTENSIONS: Final[Mapping[PhotoFormat, str]] = MappingProxyType(
    {PhotoFormat.JPEG: ".jpg", PhotoFormat.TIFF: ".tif"}
)


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """Properties of a file read from its structure, without decoding.

    Attributes
    ----------
    format
        The format by magic bytes; the file name is not used.
    size
        Width and height as stored, in pixels, before EXIF orientation is applied.
    frames
        Frames of an animation or pages of a document. Thumbnails and the second image of a JPEG (MPF) do not
        count.
    scans
        SOS segments of a JPEG; 1 for every other format.
    complete
        Whether the file contains the picture up to its end.
    bits
        Bits per sample as stored.
    """

    format: PhotoFormat
    size: Size
    frames: int = 1
    scans: int = 1
    complete: bool = True
    bits: int = 8
