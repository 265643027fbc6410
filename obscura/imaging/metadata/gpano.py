"""GPano metadata of 360-degree panoramas. Standard library only.

Of an XMP packet only these fields are read, each value is checked, and a new packet is written from them: no
text is copied.

Source: Google's Photo Sphere XMP metadata (namespace GPano).
"""

import re
from collections.abc import Iterable
from typing import Final

from obscura.imaging.containers.jpeg_png_webp_gif import APP0, APP1, jpeg_segments
from obscura.imaging.formats import Buffer

_NAMESPACE: Final = "http://ns.google.com/photos/1.0/panorama/"
_PROJECTION: Final = "ProjectionType"
_PROJECTIONS: Final = frozenset({"equirectangular", "cylindrical"})
_SIDES: Final = (
    "FullPanoWidthPixels",
    "FullPanoHeightPixels",
    "CroppedAreaImageWidthPixels",
    "CroppedAreaImageHeightPixels",
    "CroppedAreaLeftPixels",
    "CroppedAreaTopPixels",
)
_ANGLES: Final = (
    "PoseHeadingDegrees",
    "PosePitchDegrees",
    "PoseRollDegrees",
    "InitialViewHeadingDegrees",
    "InitialViewPitchDegrees",
    "InitialViewRollDegrees",
    "InitialHorizontalFOVDegrees",
)
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,15})?")
# As an attribute or an element; valid values have at most 40 characters.
_FIELD: Final = re.compile(
    rb"GPano:([A-Za-z]{1,40})(?:\s{0,4}=\s{0,4}[\"']|>)\s{0,4}([A-Za-z0-9.-]{1,40})\s{0,4}[\"'<]"
)
_JPEG_ADDRESS: Final = b"http://ns.adobe.com/xap/1.0/\x00"
_JPEG_REST: Final = b"ap/1.0/\x00"
"""The rest of the XMP namespace in front of a JPEG's packet, after the prefix that `embedded.items`
removes."""


def packet(sources: Iterable[Buffer]) -> bytes:
    """Return a new XMP packet with the panorama of the first of ``sources`` that has one; empty for none.

    A packet that was written here is returned unchanged.
    """
    for source in sources:
        fields = _fields(source)
        if _PROJECTION in fields:
            return _written(fields)
    return b""


def is_full_circle(own: Buffer) -> bool | None:
    """Return whether a picture covers the full 360 degrees horizontally by its packet.

    None where it does not say.
    """
    fields = _fields(own)
    if _PROJECTION not in fields:
        return None
    full, shown = fields.get("FullPanoWidthPixels"), fields.get("CroppedAreaImageWidthPixels")
    return None if full is None or shown is None else int(shown) >= int(full) > 0


def is_own(body: Buffer) -> bool:
    """Return whether an XMP payload is a packet that `packet` wrote, and nothing else."""
    own = packet([body])
    return bool(own) and bytes(body) in (own, _JPEG_REST + own)


def inserted(jpeg: bytes, own: bytes) -> bytes:
    """Return a JPEG file with a packet inserted behind its first APP0 and APP1 segments.

    Raises
    ------
    UndecodablePhotoError
        If the segments of the file cannot be read.
    """
    if not own:
        return jpeg
    first = next((part for part in jpeg_segments(jpeg) if part.marker not in (APP0, APP1)), None)
    at = 2 if first is None else first.start
    body = _JPEG_ADDRESS + own
    return b"".join((jpeg[:at], b"\xff\xe1", (len(body) + 2).to_bytes(2), body, jpeg[at:]))


def _fields(source: Buffer) -> dict[str, str]:
    """Return the fields with valid values, in their canonical form."""
    kept: dict[str, str] = {}
    for match in _FIELD.finditer(source):
        name, value = match[1].decode(), match[2].decode()
        if name in kept:
            continue
        if name == _PROJECTION and value in _PROJECTIONS:
            kept[name] = value
        elif name in _SIDES and _WHOLE.fullmatch(value):
            kept[name] = str(int(value))
        elif name in _ANGLES and _DECIMAL.fullmatch(value):
            kept[name] = f"{float(value):.3f}"
    return kept


def _written(fields: dict[str, str]) -> bytes:
    """Return a packet with the fields as attributes, in a fixed order."""
    order = (_PROJECTION, *_SIDES, *_ANGLES)
    attributes = "".join(f' GPano:{name}="{fields[name]}"' for name in order if name in fields)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:GPano="{_NAMESPACE}"{attributes}/></rdf:RDF></x:xmpmeta>'
    ).encode()
