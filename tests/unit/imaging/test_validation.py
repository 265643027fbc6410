"""The gate: what passes, what is refused with which error, and that nothing else is ever raised."""

import csv
import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from obscura.errors import (
    AnimatedPhotoError,
    EmptyPhotoError,
    ObscuraError,
    PhotoError,
    PhotoTooLargeError,
    TooManyPixelsError,
    TooManyScansError,
    TruncatedPhotoError,
    UndecodablePhotoError,
    UnsupportedFormatError,
)
from obscura.geometry import Size
from obscura.imaging.headers import PhotoFormat, inspect, sniff
from obscura.imaging.metadata import policy
from obscura.imaging.validation import ValidationLimits, check
from tests.unit.imaging.samples import chunk, marked_jpeg, save, segment

PICTURE = Image.fromarray(np.arange(60 * 40 * 3, dtype=np.uint8).reshape(40, 60, 3))


def file_of(name: str) -> bytes:
    """Return the small picture as a file of the named format."""
    return save(PICTURE, name)


def three_frames(name: str) -> bytes:
    """Return an animation or document of three pages."""
    # Fresh images: Pillow leaves the settings of one encoder on an image, where the next trips over them.
    first, *others = (Image.new("RGB", (20, 10), (value, 0, 0)) for value in (0, 90, 200))
    return save(first, name, save_all=True, append_images=others)


SEEDS = {name: file_of(name) for name in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")}
SEEDS["progressive"] = save(PICTURE, "JPEG", progressive=True)
SEEDS["animated"] = three_frames("GIF")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("wrap", [bytes, memoryview])
def test_whole_pictures_pass_with_their_format_and_size(name: str, wrap: type) -> None:
    """Every accepted format passes, from bytes and from a memoryview, and tells its stored size."""
    header = check(wrap(file_of(name)))
    assert header.format is PhotoFormat[name]
    assert header.size == Size(60, 40)
    assert header.frames == 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_rows_of_every_depth_are_measured_right(mode: str) -> None:
    """A whole BMP passes and one that lacks its last byte does not, whatever its bits per pixel."""
    data = save(PICTURE.convert(mode), "BMP")
    assert check(data).complete
    with pytest.raises(TruncatedPhotoError):
        check(data[:-1])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_file_that_ends_early_is_truncated(name: str, share: float) -> None:
    """A file cut anywhere inside its picture never passes."""
    data = file_of(name)
    with pytest.raises((TruncatedPhotoError, UndecodablePhotoError)):
        check(data[: int(len(data) * share)])


def test_a_jpeg_without_its_end_marker_is_truncated() -> None:
    """A JPEG that lacks only EOI is told as truncated."""
    with pytest.raises(TruncatedPhotoError):
        check(SEEDS["JPEG"][:-2])


def test_no_bytes_are_an_empty_photo() -> None:
    """An empty file has an error of its own."""
    with pytest.raises(EmptyPhotoError):
        check(b"")


@pytest.mark.parametrize(
    "data",
    [b"hello", b"%PDF-1.7\n", b"<svg/>", b"\x00", b"\x00" * 16 + SEEDS["JPEG"], b"RIFF\x00\x00\x00\x00WAVE"],
)
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    """The first bytes decide, whatever follows them."""
    with pytest.raises(UnsupportedFormatError):
        check(data)


@pytest.mark.parametrize(
    ("brand", "expected"),
    [(b"heic", PhotoFormat.HEIC), (b"mif1", PhotoFormat.HEIC), (b"avif", PhotoFormat.AVIF)],
)
def test_heic_and_avif_are_told_and_can_be_refused(brand: bytes, expected: PhotoFormat) -> None:
    """A format that the caller does not take is named in the message; one without a picture never passes."""
    data = b"\x00\x00\x00\x18ftyp" + brand + b"\x00" * 12
    assert sniff(data) is expected
    with pytest.raises((TruncatedPhotoError, UndecodablePhotoError)):
        check(data)


def test_limits_are_those_handed_in() -> None:
    """Bytes, pixels, sides and formats are each held against the limits of the caller."""
    data = SEEDS["PNG"]
    with pytest.raises(PhotoTooLargeError):
        check(data, ValidationLimits(max_bytes=len(data) - 1))
    with pytest.raises(TooManyPixelsError):
        check(data, ValidationLimits(max_pixels=60 * 40 - 1))
    with pytest.raises(TooManyPixelsError):
        check(data, ValidationLimits(max_side=59))
    with pytest.raises(UnsupportedFormatError):
        check(data, ValidationLimits(formats=frozenset({PhotoFormat.JPEG})))
    exact = ValidationLimits(max_bytes=len(data), max_pixels=60 * 40, max_side=60)
    assert check(data, exact).size == Size(60, 40)


def test_a_png_that_claims_900_megapixels_is_refused() -> None:
    """The size in the header counts, before anything is decoded."""
    header = b"".join(part.to_bytes(4) for part in (30_000, 30_000)) + b"\x08\x00\x00\x00\x00"
    data = SEEDS["PNG"][:8] + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(TooManyPixelsError):
        check(data)


def test_a_jpeg_of_many_scans_is_refused() -> None:
    """The scans of a JPEG are counted; a usual progressive file passes."""
    data = SEEDS["progressive"]
    scans = check(data).scans
    assert scans > 5
    repeated = data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 80 + b"\xff\xd9"
    with pytest.raises(TooManyScansError, match=str(scans + 80)):
        check(repeated)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_documents_are_refused_with_their_frames(name: str) -> None:
    """A file of three frames or pages is refused, and the message says three."""
    data = three_frames(name)
    with pytest.raises(AnimatedPhotoError, match="3 frames"):
        check(data)
    assert check(data, ValidationLimits(max_frames=3)).frames == 3


def test_the_second_picture_of_a_phone_jpeg_is_no_frame() -> None:
    """What hangs behind a JPEG (MPF, motion photos) is not part of the picture."""
    data = three_frames("MPO")
    assert check(data).frames == 1
    assert check(marked_jpeg()).scans == 1


def test_a_tiff_whose_directories_go_in_a_circle_ends() -> None:
    """A chain of directories that leads back to itself is counted once."""
    data = bytearray(SEEDS["TIFF"])
    first = int.from_bytes(data[4:8], "little")
    link = first + 2 + int.from_bytes(data[first : first + 2], "little") * 12
    data[link : link + 4] = first.to_bytes(4, "little")
    assert inspect(bytes(data)).frames <= 2


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 3_000_000,
        b"\xff\xd8" + segment(0xDA, b"") * 1_000_000,
        b"\xff\xd8" + segment(0xFE, b"") * 1_000_000,
        SEEDS["PNG"][:33] + chunk(b"IDAT", b"") * 700_000,
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b"\x21\xf9" + b"\x01\x00" * 3_000_000,
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b"\x21\xf9\x00" * 3_000_000,
        SEEDS["WEBP"][:12] + (b"ABCD" + b"\x00" * 4) * 1_000_000,
        b"II*\x00\x08\x00\x00\x00\xff\xff" + b"\x11\x01\x04\x00\xff\xff\x0f\x00\x00\x00\x00\x00" * 500_000,
    ],
    ids=["fill", "scans", "segments", "chunks", "sub-blocks", "extensions", "riff", "entries"],
)
def test_hostile_structures_are_refused_in_time(data: bytes) -> None:
    """Millions of tiny parts cost a second or two, not minutes."""
    start = time.process_time()
    with pytest.raises(PhotoError):
        check(data)
    assert time.process_time() - start < 5.0


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(SEEDS)),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 2000),
)
def test_damaged_files_raise_only_errors_of_ours(name: str, edits: list[tuple[int, int]], cut: int) -> None:
    """Whatever bytes are changed or cut off, the gate and the metadata walk pass or raise an ObscuraError."""
    data = bytearray(SEEDS[name])
    for place, value in edits:
        data[place % len(data)] = value
    broken = bytes(data[: max(1, len(data) - cut)])
    for work in (check, policy.found):
        with suppress(ObscuraError):
            work(broken)


@settings(max_examples=300, deadline=None)
@given(
    head=st.sampled_from([seed[:size] for seed in SEEDS.values() for size in (2, 4, 12, 26)]),
    tail=st.binary(max_size=300),
)
def test_random_bytes_behind_a_magic_raise_only_errors_of_ours(head: bytes, tail: bytes) -> None:
    """A true beginning with noise behind it passes or raises an ObscuraError."""
    for work in (check, policy.found):
        with suppress(ObscuraError):
            work(head + tail)


def test_the_gate_loads_no_image_library() -> None:
    """A gateway can check uploads and policies without numpy, Pillow or OpenCV in its process."""
    code = (
        "import sys, obscura.imaging.validation, obscura.imaging.metadata.policy, obscura.redaction.policy;"
        "print(sorted({'numpy', 'PIL', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def corpus(shared: Path) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield every file of the shared bad-input pack with its row of the manifest."""
    with tarfile.open(shared / "data" / "badinput.tar") as pack:
        bodies = {
            member.name.split("badinput/", 1)[1]: pack.extractfile(member)
            for member in pack
            if member.isfile()
        }
        table = bodies["manifest.csv"]
        assert table is not None
        for row in csv.DictReader(io.StringIO(table.read().decode())):
            body = bodies.get(row["file"])
            if body is not None:
                yield row, body.read()


def test_the_shared_corpus_is_judged_as_its_manifest_says(shared: Path) -> None:
    """Every core `valid` file passes, no non-image and no unsupported file does, each in time.

    Bombs are refused here or, where only the decoder can tell, by it: see test_photo.
    """
    wrong, judged = [], 0
    for row, data in corpus(shared):
        start = time.process_time()
        try:
            accepted = bool(check(data))
        except ObscuraError:
            accepted = False
        judged += 1
        core = row["kind"] == "valid" and row["pil_format"] in {"JPEG", "PNG", "WEBP", "TIFF", "BMP"}
        must_pass = core and row["expect"].startswith("2xx") and "415" not in row["expect"]
        # The manifest is of a time before HEIC and AVIF were read; see test_boxes.
        is_boxed = row["magic"] in {"heif", "avif"}
        must_fail = row["kind"] == "not-an-image" or (row["kind"] == "unsupported" and not is_boxed)
        too_slow = time.process_time() - start > 2.0
        if (must_pass and not accepted) or (must_fail and accepted) or too_slow:
            wrong.append(row["file"])
    assert judged > 1000
    assert wrong == []
