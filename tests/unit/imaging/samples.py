"""Pictures that several tests of this folder make: every format, mode and kind of metadata."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

MARKER = b"SECRET-MARKER-7f3a"
"""What must be in no output."""

FACE = (175, 65, 275, 195)
"""The face in `portrait`, ``(x1, y1, x2, y2)``."""


def portrait() -> NDArray[np.uint8]:
    """Return the public-domain portrait of scikit-image, ``uint8[512, 512, 3]``."""
    return np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]


def save(image: Image.Image, name: str, **settings: Any) -> bytes:
    """Return a picture as a file of the named format."""
    sink = BytesIO()
    image.save(sink, format=name, **settings)
    return sink.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """Return a JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif_block(orientation: int = 1, thumbnail: bytes = b"") -> bytes:
    """Return an EXIF block full of markers, with GPS, a maker note, and a thumbnail if one is given."""
    exif = Image.Exif()
    exif[274] = orientation
    exif[270] = MARKER.decode()
    exif[271] = "Canon"
    exif[272] = "Canon EOS 5D Mark IV"
    exif[306] = "2024:05:06 07:08:09"
    exif[315] = MARKER.decode()
    exif.get_ifd(34665).update(
        {37500: MARKER, 37510: b"ASCII\0\0\0" + MARKER, 33434: (1, 250), 42036: "EF24-105mm f/4L IS USM"}
    )
    exif.get_ifd(34853).update(
        {
            0: b"\2\3\0\0",
            1: "N",
            2: (48.0, 51.0, 29.99),
            3: "E",
            4: (2.0, 17.0, 40.2),
            6: 35.5,
            29: "2024:05:06",
        }
    )
    block = exif.tobytes()
    if not thumbnail:
        return block
    body = bytearray(block[6:])
    order = "<" if body[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", body, 4)[0]
    link = first + 2 + struct.unpack_from(order + "H", body, first)[0] * 12
    struct.pack_into(order + "I", body, link, len(body))
    at = len(body) + 2 + 2 * 12 + 4
    table = struct.pack(order + "HHHIIHHIII", 2, 513, 4, 1, at, 514, 4, 1, len(thumbnail), 0)
    return block[:6] + bytes(body) + table + thumbnail


def marked_jpeg(orientation: int = 1) -> bytes:
    """Return the portrait as a JPEG with a marker in every place that can hold one."""
    small = Image.fromarray(portrait()).resize((64, 64))
    thumbnail = save(small, "JPEG", comment=MARKER)
    plain = save(Image.fromarray(portrait()), "JPEG", quality=90)
    parts = [
        plain[:2],
        segment(0xE1, exif_block(orientation, thumbnail)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + MARKER + b"</x>"),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + MARKER),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + MARKER),
        segment(0xE2, b"MPF\0" + MARKER),
        segment(0xED, b"Photoshop 3.0\0" + MARKER),
        segment(0xEB, MARKER),
        segment(0xFE, MARKER),
        plain[2:],
        thumbnail,
        MARKER,
    ]
    return b"".join(parts)


def marked_png() -> bytes:
    """Return the portrait as a PNG with a marker in every place that can hold one."""
    plain = save(Image.fromarray(portrait()), "PNG", compress_level=1)
    extra = [
        chunk(b"tEXt", b"Comment\0" + MARKER),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MARKER)),
        chunk(b"iTXt", b"Comment\0\0\0\0\0" + MARKER),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + MARKER),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(MARKER)),
        chunk(b"eXIf", exif_block()[6:]),
        chunk(b"prVt", MARKER),
    ]
    return plain[:33] + b"".join(extra) + plain[33:] + MARKER


def marked_webp() -> bytes:
    """Return the portrait as a WebP with markers in EXIF, XMP, profile and behind its end."""
    picture = Image.fromarray(portrait())
    return save(picture, "WEBP", exif=exif_block(), xmp=MARKER, icc_profile=MARKER) + MARKER


def marked_tiff() -> bytes:
    """Return the portrait as a TIFF with markers in its tags."""
    picture = Image.fromarray(portrait()).resize((256, 256))
    tags = {270: MARKER.decode(), 315: MARKER.decode(), 700: MARKER, 33723: MARKER, 65000: MARKER.decode()}
    return save(picture, "TIFF", tiffinfo=tags)


MARKED = {"jpeg": marked_jpeg, "png": marked_png, "webp": marked_webp, "tiff": marked_tiff}
