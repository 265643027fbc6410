"""Five hundred photos with a marker in every place that can hold one: it is in no output."""

import random
import time
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import OutputFormat
from obscura.geometry import Box
from tests.unit.imaging.metadata.test_icc_profiles import marked
from tests.unit.imaging.samples import MARKER, chunk, exif_block, save, segment

PHOTOS = 500
TEXT = MARKER.decode()
ENCODED = (MARKER, TEXT.encode("utf-16-le"), TEXT.encode("utf-16-be"))
TARGETS = [Target("face", Box(10, 8, 30, 28))]


def exif_of(chance: random.Random, text: bytes) -> bytes:
    """Return an EXIF block with the marker in tags of every type, often with a marked thumbnail."""
    exif = Image.Exif()
    exif[274] = chance.randint(1, 8)
    exif.update({270: TEXT, 315: TEXT, 33432: TEXT, 40092: text, 700: text, 33723: text})
    exif.get_ifd(34665).update({37500: text, 37510: b"UNICODE\0" + text, 42033: TEXT, 42016: TEXT})
    exif.get_ifd(34853).update({1: "N", 2: (48.0, 51.0, 29.99), 27: b"ASCII\0\0\0" + text})
    thumbnail = save(Image.new("RGB", (16, 12), (9, 90, 200)), "JPEG", comment=text)
    return exif.tobytes() if chance.random() < 0.5 else exif_block(chance.randint(1, 8), thumbnail)


def as_jpeg(chance: random.Random, image: Image.Image, text: bytes) -> bytes:
    """Return a JPEG with markers in its segments, behind its end and in a second picture."""
    mode = chance.choice(["RGB", "L", "CMYK"])
    plain = save(
        image.convert(mode), "JPEG", quality=chance.randint(40, 95), progressive=chance.random() < 0.3
    )
    profile = marked(text)
    parts = [
        segment(0xE1, exif_of(chance, text)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(text)),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + text),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + profile),
        segment(0xE2, b"MPF\0" + text),
        segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0" + bytes((0, len(text))) + text),
        segment(0xE0, b"JFXX\0\x10" + save(Image.new("RGB", (8, 8)), "JPEG", comment=text)),
        segment(0xEB, text),
        segment(0xFE, text),
    ]
    second = save(image.resize((32, 24)), "JPEG", comment=text, exif=exif_of(chance, text))
    behind = b"".join(chance.sample([second, text, b"\0" * 5 + text], 2))
    return plain[:2] + b"".join(chance.sample(parts, chance.randint(3, len(parts)))) + plain[2:] + behind


def as_png(chance: random.Random, image: Image.Image, text: bytes) -> bytes:
    """Return a PNG with markers in its chunks and behind its end."""
    plain = save(image.convert(chance.choice(["RGB", "L", "RGBA", "P", "LA", "1"])), "PNG")
    parts = [
        chunk(b"tEXt", b"Comment\0" + text),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text)),
        chunk(b"iTXt", b"Comment\0\0\0\0\0" + text),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(text)),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(marked(text))),
        chunk(b"eXIf", exif_of(chance, text)[6:]),
        chunk(b"prVt", text),
        chunk(b"sPLT", text + b"\0\x08"),
    ]
    return plain[:33] + b"".join(chance.sample(parts, chance.randint(2, len(parts)))) + plain[33:] + text


def as_webp(chance: random.Random, image: Image.Image, text: bytes) -> bytes:
    """Return a WebP with markers in EXIF, XMP and profile, and behind its end."""
    picture = image.convert(chance.choice(["RGB", "RGBA"]))
    settings = {"exif": exif_of(chance, text), "xmp": xmp(text), "icc_profile": marked(text)}
    return save(picture, "WEBP", lossless=chance.random() < 0.5, **settings) + text


def as_tiff(chance: random.Random, image: Image.Image, text: bytes) -> bytes:
    """Return a TIFF with markers in its tags, its profile and behind its end."""
    tags = {270: TEXT, 315: TEXT, 700: xmp(text), 33723: text, 65000: TEXT, 34377: text}
    mode = chance.choice(["RGB", "L", "RGBA", "CMYK"])
    return save(image.convert(mode), "TIFF", tiffinfo=tags, icc_profile=marked(text)) + text


def as_avif(chance: random.Random, image: Image.Image, text: bytes) -> bytes:
    """Return an AVIF with markers in EXIF, XMP and profile."""
    settings = {"exif": exif_of(chance, text), "xmp": xmp(text), "icc_profile": marked(text)}
    return save(image, "AVIF", speed=10, **settings)


def xmp(text: bytes) -> bytes:
    """Return an XMP packet with a marker in a property, also in that of a panorama."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description GPano:ProjectionType="' + text + b'" dc:x="'
        b"" + text + b'"><GPano:PoseHeadingDegrees>' + text + b"</GPano:PoseHeadingDegrees>"
        b"</rdf:Description></x:xmpmeta>"
    )


WRITERS: list[Callable[[random.Random, Image.Image, bytes], bytes]] = [as_jpeg, as_png, as_webp, as_tiff]
if features.check("avif"):
    WRITERS.append(as_avif)


@pytest.mark.filterwarnings("ignore")
def test_the_marker_is_in_no_output_of_five_hundred_photos() -> None:
    """Under `strip` no text of the source is in the output, whatever its format, encoding and place."""
    chance = random.Random(20)  # noqa: S311 - a reproducible test
    noise = np.random.default_rng(20)
    leaks, start = [], time.process_time()
    for index in range(PHOTOS):
        write = WRITERS[index % len(WRITERS)]
        image = Image.fromarray(noise.integers(0, 256, (12, 16, 3), np.uint8)).resize((64, 48))
        source = write(chance, image, chance.choice(ENCODED))
        assert any(text in source for text in ENCODED)
        request = RedactionRequest(output=chance.choice(list(OutputFormat)))
        result = redact_photo(source, TARGETS if index % 3 else [], request).data
        if any(text in result for text in (*ENCODED, *(text.swapcase() for text in ENCODED))):
            leaks.append((index, write.__name__))
        with Image.open(BytesIO(result)) as opened:
            packed = opened.info.get("icc_profile", b"") + opened.info.get("xmp", b"")
        if any(text in packed for text in ENCODED):
            leaks.append((index, "compressed"))
    assert leaks == []
    assert time.process_time() - start < 30
