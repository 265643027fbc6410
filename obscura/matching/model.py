"""Features of a picture and their serialisation for a cache."""

import struct
import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from obscura.errors import FeaturesUnreadableError
from obscura.geometry import Size


class Kind(NamedTuple):
    """A kind of keypoint.

    Attributes
    ----------
    width
        Bytes of a descriptor.
    side
        Longer side of the picture that is searched, in pixels; larger pictures are reduced to it.
    most
        Number of keypoints that are kept, the strongest.
    """

    width: int
    side: int
    most: int

    def scale(self, size: Size) -> float:
        """Return the factor by which a picture of ``size`` is reduced, at most 1."""
        return min(1.0, self.side / size.long_side)


AKAZE: Final = Kind(width=61, side=800, most=3000)
SIFT: Final = Kind(width=128, side=640, most=1500)

GRID: Final = 16
"""Positions are multiples of 1/16 pixel, so that cached features equal newly computed ones."""

_MAGIC: Final = b"OBF1"
"""Format version; the digit is increased whenever the features of a picture change."""

_HEAD: Final = struct.Struct("<4s5I")
_CHECK: Final = struct.Struct("<I")
_POINT: Final = np.dtype("<u2")


@dataclass(frozen=True, eq=False, slots=True)
class Keypoints:
    """Keypoints of one kind.

    Attributes
    ----------
    points
        ``float32[n, 2]``: x and y in pixels of the reduced picture.
    descriptors
        ``uint8[n, width]``: binary for AKAZE, histograms for SIFT.
    scale
        Pixels of the reduced picture per pixel of the picture.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    scale: float

    def __len__(self) -> int:
        return len(self.points)

    def to_bytes(self) -> bytes:
        """Return positions, then descriptors, as bytes."""
        return (self.points * GRID).astype(_POINT).tobytes() + self.descriptors.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, kind: Kind, scale: float) -> Self:
        """Return the keypoints of one kind from the bytes of `to_bytes`."""
        count = len(data) // (kind.width + 2 * _POINT.itemsize)
        positions = np.frombuffer(data, _POINT, 2 * count).reshape(count, 2)
        descriptors = np.frombuffer(data, np.uint8, offset=positions.nbytes)
        points = positions.astype(np.float32) / np.float32(GRID)
        return cls(points, descriptors.reshape(count, kind.width), scale)


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """The features of a picture that comparison needs.

    Attributes
    ----------
    size
        Width and height of the picture itself, in pixels.
    keypoints
        Number of AKAZE keypoints found; at most the 3,000 strongest are kept.
    akaze, sift
        The kept keypoints.
    """

    size: Size
    keypoints: int
    akaze: Keypoints
    sift: Keypoints

    def to_bytes(self) -> bytes:
        """Return the features as bytes: 65 per AKAZE keypoint, 132 per SIFT keypoint, at most 393,028.

        Plain arrays with a checksum; reading them executes no code.
        """
        head = _HEAD.pack(_MAGIC, *self.size, self.keypoints, len(self.akaze), len(self.sift))
        body = head + self.akaze.to_bytes() + self.sift.to_bytes()
        return body + _CHECK.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the features from the bytes of `to_bytes`.

        Raises
        ------
        FeaturesUnreadableError
            If the bytes are damaged or of another version; the features must then be computed again.
        """
        if len(data) < _HEAD.size + _CHECK.size or not data.startswith(_MAGIC):
            message = "not features of this version"
            raise FeaturesUnreadableError(message)
        body, check = data[: -_CHECK.size], data[-_CHECK.size :]
        _, width, height, keypoints, akaze, sift = _HEAD.unpack_from(body)
        middle = _HEAD.size + akaze * (AKAZE.width + 2 * _POINT.itemsize)
        end = middle + sift * (SIFT.width + 2 * _POINT.itemsize)
        if (zlib.crc32(body),) != _CHECK.unpack(check) or end != len(body) or not width * height:
            message = "the features are damaged"
            raise FeaturesUnreadableError(message)
        size = Size(width, height)
        return cls(
            size,
            keypoints,
            Keypoints.from_bytes(body[_HEAD.size : middle], AKAZE, AKAZE.scale(size)),
            Keypoints.from_bytes(body[middle:], SIFT, SIFT.scale(size)),
        )
