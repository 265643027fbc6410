"""HEIC and AVIF: what the boxes tell before decoding, and what comes out of them."""

import random
import struct
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from obscura.contract import OutputFormat
from obscura.errors import (
    AnimatedPhotoError,
    ObscuraError,
    PhotoError,
    TooManyPixelsError,
    TruncatedPhotoError,
    UndecodablePhotoError,
    UnsupportedFormatError,
)
from obscura.geometry import Size
from obscura.imaging import decoders
from obscura.imaging.encode import EncodeOptions, encode
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.metadata import policy
from obscura.imaging.open import decode
from obscura.imaging.validation import ValidationLimits, check
from tests.unit.imaging.samples import MARKER, exif_block, portrait, save
from tests.unit.imaging.test_validation import corpus

SMALL = Image.fromarray(portrait()).resize((96, 64))
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def heic(image: Image.Image, **settings: object) -> bytes:
    """Return a picture as HEIC, where the optional package is there to write it."""
    package = pytest.importorskip("pillow_heif")
    package.register_heif_opener()
    return save(image, "HEIF", quality=90, **settings)


def near(left: np.ndarray, right: object, levels: float = 6.0) -> bool:
    """Return whether two pictures differ by few levels on average."""
    other = np.asarray(right).astype(float)
    return left.shape == other.shape and float(np.abs(left.astype(float) - other).mean()) <= levels


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def file_with(*properties: bytes, more: bytes = b"", brand: bytes = b"heic") -> bytes:
    """Return the frame of a HEIC file with the given properties and no picture data."""
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", *properties)), more)
    return box(b"ftyp", brand, bytes(4), b"mif1") + meta


def ispe(width: int, height: int) -> bytes:
    """Return a size property."""
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation: int) -> None:
    """Pixels come out upright; the boxes turn them, and the EXIF number beside them does not do so again."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = SMALL.transpose(Image.Transpose(undo[orientation])) if orientation in undo else SMALL
    exif = Image.Exif()
    exif[274] = orientation
    photo = decode(save(stored, "AVIF", quality=90, exif=exif))
    assert photo.header.format is PhotoFormat.AVIF
    assert near(photo.pixels, SMALL)


def test_heic_is_not_turned_by_its_exif() -> None:
    """The number in EXIF says nothing in HEIC: the decoder has done what the boxes say."""
    exif = Image.Exif()
    exif[274] = 1
    data = heic(SMALL, exif=exif.tobytes())
    entry = struct.pack(">HHIH", 274, 3, 1, 1), struct.pack("<HHIH", 274, 3, 1, 1)
    turned = data.replace(entry[0], entry[0][:-1] + b"\x06").replace(entry[1], entry[1][:-2] + b"\x06\x00")
    assert turned != data
    photo = decode(turned)
    assert (photo.header.format, photo.orientation, photo.size) == (PhotoFormat.HEIC, 1, Size(96, 64))
    assert near(photo.pixels, SMALL)


@pytest.mark.parametrize("name", ["HEIF", pytest.param("AVIF", marks=needs_avif)])
def test_they_go_out_as_jpeg_or_as_png_with_alpha(name: str) -> None:
    """Neither format is written: JPEG stands in, PNG where there is transparency, or what was asked for."""
    write = heic if name == "HEIF" else lambda image: save(image, "AVIF")
    opaque = decode(write(SMALL))
    assert encode(opaque).format is PhotoFormat.JPEG
    assert encode(opaque, EncodeOptions(OutputFormat.WEBP)).format is PhotoFormat.WEBP
    rgba = SMALL.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(SMALL.size))
    photo = decode(write(rgba))
    assert photo.alpha is not None
    assert encode(photo).format is PhotoFormat.PNG
    assert encode(photo, EncodeOptions(OutputFormat.JPEG)).format is PhotoFormat.JPEG


@needs_avif
def test_metadata_is_named_and_stays_behind() -> None:
    """EXIF, XMP and profile of the source are found by name, and nothing of them is in the output."""
    source = save(SMALL, "AVIF", exif=exif_block(), xmp=MARKER, icc_profile=MARKER)
    assert {"exif", "gps", "icc", "maker_note", "xmp"} <= set(policy.found(source))
    photo = decode(source)
    assert photo.exif is not None
    assert photo.exif.gps
    result = encode(photo)
    assert MARKER in source
    assert MARKER not in result.data
    assert policy.found(result.data) == ()


def test_without_its_decoder_heic_is_refused_by_the_worker_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate decides alike everywhere; where the package is missing, opening says so."""
    data = heic(SMALL)
    monkeypatch.setattr(decoders, "_HEIF_PACKAGE", "no_such_package_at_all")
    decoders._register_heif.cache_clear()
    try:
        assert check(data).format is PhotoFormat.HEIC
        with pytest.raises(UnsupportedFormatError, match="not installed"):
            decode(data)
    finally:
        decoders._register_heif.cache_clear()
    with pytest.raises(UnsupportedFormatError):
        check(data, ValidationLimits(formats=frozenset({PhotoFormat.JPEG})))


@needs_avif
def test_sequences_are_refused_with_their_frames() -> None:
    """An AVIF sequence is an animation; the message tells its frames."""
    frames = [Image.new("RGB", (32, 32), (value, 0, 0)) for value in (0, 90, 200)]
    data = save(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    with pytest.raises(AnimatedPhotoError, match="3 frames"):
        check(data)
    with pytest.raises(AnimatedPhotoError):
        check(file_with(ispe(32, 32), brand=b"msf1"))


@needs_avif
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_ends_early_is_truncated(share: float) -> None:
    """A file cut short never passes the gate."""
    data = save(SMALL, "AVIF")
    with pytest.raises((TruncatedPhotoError, UndecodablePhotoError)):
        check(data[: int(len(data) * share)])


def test_the_largest_size_counts() -> None:
    """A huge size is refused before decoding, wherever it stands: a property, or a grid of tiles."""
    with pytest.raises(TooManyPixelsError):
        check(file_with(ispe(30, 20), ispe(30_000, 20_000)))
    grid = b"\x00\x01\xff\xff" + struct.pack(">II", 60_000, 60_000)
    items = box(b"iinf", bytes(4), b"\x00\x01", box(b"infe", b"\x02\0\0\0", b"\x00\x07", b"\0\0grid\0"))
    place = box(b"iloc", b"\x01\0\0\0", b"\x44\x00", b"\x00\x01", struct.pack(">HHHHII", 7, 1, 0, 1, 0, 12))
    with pytest.raises(TooManyPixelsError, match="60000"):
        check(file_with(ispe(512, 512), more=items + place + box(b"idat", grid)))
    assert check(file_with(ispe(512, 512))).size == Size(512, 512)


@pytest.mark.parametrize(
    "data",
    [
        file_with(more=box(b"free") * 500_000),
        file_with(ispe(8, 8)) + box(b"free") * 500_000,
        file_with(ispe(8, 8), more=box(b"iloc", b"\x02\0\0\0", b"\x00\x00", b"\xff" * 1_000_000)),
        file_with(box(b"pixi", b"\xff" * 5_000_000)),
        box(b"ftyp", b"heic", bytes(4)) + struct.pack(">I4sQ", 1, b"meta", 3),
    ],
    ids=["boxes", "outer", "extents", "bits", "length"],
)
def test_hostile_boxes_are_judged_in_time(data: bytes) -> None:
    """Millions of boxes or entries cost a second or two and raise nothing but errors of ours."""
    start = time.perf_counter()
    with suppress(PhotoError):
        check(data)
    with suppress(ObscuraError):
        policy.found(data)
    assert time.perf_counter() - start < 5.0


@pytest.mark.filterwarnings("ignore")
def test_damaged_corpus_files_raise_only_errors_of_ours(shared: Path) -> None:
    """Files of the corpus with a few bytes changed or cut off open, or raise an ObscuraError."""
    seeds = [data for _, data in corpus(shared) if data[4:8] == b"ftyp" and len(data) < 100_000]
    assert len(seeds) > 50
    chance = random.Random(7)  # noqa: S311 - a reproducible test
    for _ in range(2000):
        broken = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 6)):
            broken[chance.randrange(min(len(broken), 1500))] = chance.choice(
                [0, 1, 255, chance.randrange(256)]
            )
        cut = chance.randrange(1, len(broken)) if chance.random() < 0.2 else len(broken)
        for work in (check, policy.found, decode):
            with suppress(ObscuraError):
                work(bytes(broken[:cut]))


@pytest.mark.filterwarnings("ignore")
def test_the_shared_corpus_opens_where_its_decoder_can(shared: Path) -> None:
    """Valid AVIF and HEIC files of the corpus decode to the size that the manifest gives."""
    pytest.importorskip("pillow_heif")
    opened = 0
    for row, data in corpus(shared):
        if row["magic"] == "avif" and row["kind"] == "valid" and features.check("avif"):
            stored = decode(data).size
            assert row["size"] in {f"{stored.width}x{stored.height}", f"{stored.height}x{stored.width}"}
            opened += 1
        elif row["file"].endswith(("samplefilehub.heif", "hopper.heif")):
            with Image.open(BytesIO(data), formats=["HEIF"]) as image:
                assert near(decode(data).pixels, image.convert("RGB"))
            opened += 1
    assert opened >= 2
