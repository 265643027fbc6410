"""Files that cannot be spliced are refused with an error that says so; no file whatever does more harm."""

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from obscura.errors import (
    InvalidOptionError,
    NotSpliceableError,
    PhotoError,
    TruncatedPhotoError,
    UndecodablePhotoError,
)
from obscura.geometry import Box
from obscura.imaging.containers.jpeg_png_webp_gif import jpeg_segments
from obscura.jpeg import native, parsing
from obscura.jpeg.codec import Codec
from obscura.jpeg.header import HeaderOptions
from obscura.jpeg.native import NativeCodec
from obscura.jpeg.portable import PortableCodec
from obscura.jpeg.splice import splice, splice_with
from obscura.redaction.regions import Region
from obscura.redaction.styles import Mosaic, Solid
from tests.unit.jpeg.samples import arithmetic, blocks_under, decoded, made

FACE = Region(Box(20.0, 15.0, 85.0, 80.0), Mosaic())


def test_the_code_is_stable() -> None:
    """Callers tell by the code that they may encode again instead."""
    assert NotSpliceableError.code == "not_spliceable"
    assert issubclass(NotSpliceableError, PhotoError)


def test_arithmetic_coding_is_refused() -> None:
    """An arithmetic-coded JPEG raises the error for files that must be encoded again."""
    with pytest.raises(NotSpliceableError, match="arithmetic"):
        splice(arithmetic(), [FACE])


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC7, 0xC9, 0xCA, 0xCB])
def test_other_processes_are_refused(marker: int) -> None:
    """Lossless, hierarchical and arithmetic frames are refused by their marker."""
    source = made("cv2 420").replace(b"\xff\xc0", bytes((0xFF, marker)), 1)
    with pytest.raises(NotSpliceableError):
        splice(source, [FACE])


def test_twelve_bits_are_refused() -> None:
    """A frame of 12 bits per sample is refused."""
    source = bytearray(made("cv2 420"))
    source[source.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(NotSpliceableError, match="12 bits"):
        splice(bytes(source), [FACE])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["pillow 4:2:0", "pillow progressive", "cv2 restarts"])
def test_a_file_cut_short(kind: str, share: float, codec: Codec) -> None:
    """A cut file is refused, with an end marker glued on or without."""
    source = made(kind)
    cut = source[: int(len(source) * share)]
    for part in (cut, cut + b"\xff\xd9"):
        with pytest.raises(PhotoError):
            splice_with(codec, part, [FACE], HeaderOptions())


def test_a_huge_picture_in_a_few_bytes() -> None:
    """A frame header that promises 65000 x 65000 pixels is refused before anything is allocated."""
    source = bytearray(made("cv2 420"))
    at = source.index(b"\xff\xc0") + 5
    source[at : at + 4] = (65000).to_bytes(2) * 2
    with pytest.raises(TruncatedPhotoError):
        splice(bytes(source), [FACE])


def test_no_jpeg() -> None:
    """Something else than a JPEG is undecodable."""
    with pytest.raises(UndecodablePhotoError):
        splice(b"\x89PNG\r\n\x1a\n", [FACE])


def test_a_box_without_numbers() -> None:
    """A box with a coordinate that is not finite is an invalid option."""
    with pytest.raises(InvalidOptionError):
        splice(made("cv2 420"), [Region(Box(0.0, 0.0, float("nan"), 5.0), Solid())])


def test_large_progressive_files_need_the_compiled_coder() -> None:
    """The coder in Python refuses at once what would take it minutes."""
    noise = np.random.default_rng(3).integers(0, 256, (60, 80), np.uint8)
    sink = BytesIO()
    Image.fromarray(noise).resize((3200, 2400)).convert("RGB").save(sink, "JPEG", progressive=True)
    with pytest.raises(NotSpliceableError, match="compiled"):
        splice_with(PortableCodec(), sink.getvalue(), [FACE], HeaderOptions())


def test_tables_without_a_code_for_what_is_new(codec: Codec) -> None:
    """Where the file's own Huffman tables cannot say what is new, it gets tables that can."""
    grey = np.full((64, 96), 128, np.uint8)
    grey[::2, ::2], grey[1::2, 1::2] = 90, 166
    sink = BytesIO()
    Image.fromarray(grey).save(sink, "JPEG", optimize=True, quality=90)
    region = Region(Box(16.0, 16.0, 64.0, 48.0), Mosaic())
    done = splice_with(
        codec, sink.getvalue(), [region], HeaderOptions(), entropy=lambda count: b"\x07\x31" * (count // 2)
    )
    tables = [{bytes(s) for s in _tables(jpeg)} for jpeg in (sink.getvalue(), done.data)]
    assert tables[0] != tables[1]
    mcus = np.zeros((8, 12), np.bool_)
    mcus[2:6, 2:8] = True
    before, after = decoded(sink.getvalue()), decoded(done.data)
    for (old, hidden), (new, _) in zip(blocks_under(mcus, before), blocks_under(mcus, after), strict=True):
        np.testing.assert_array_equal(new[~hidden], old[~hidden])
        assert not new[hidden][:, 1:].any()
        assert (new[hidden][:, 0] != old[hidden][:, 0]).any()


def _tables(jpeg: bytes) -> list[bytes]:
    return [jpeg[s.body : s.end] for s in jpeg_segments(jpeg) if s.marker == 0xC4]


@pytest.mark.parametrize("kind", ["pillow 4:2:0", "pillow progressive", "cv2 restarts"])
def test_damaged_files_raise_or_work(kind: str, codec: Codec) -> None:
    """Whatever bytes are changed, a splice ends in a file or in an error of ours; both coders agree."""
    source, chance = made(kind), np.random.default_rng(len(kind))
    for _ in range(60 if codec.name == "native" else 12):
        damaged = bytearray(source)
        for _ in range(chance.choice([1, 1, 3, 12])):
            damaged[chance.integers(2, len(damaged))] = chance.integers(256)
        results = [_outcome(codec, bytes(damaged))]
        if codec.name == "portable" and native.problem() is None:
            results.append(_outcome(NativeCodec(), bytes(damaged)))
            assert results[0] == results[1]


def _outcome(codec: Codec, jpeg: bytes) -> bytes | str:
    try:
        return splice_with(codec, jpeg, [FACE], HeaderOptions(), entropy=bytes).data
    except PhotoError as error:
        return error.code


def test_the_shared_corpus(shared_pack: Callable[[str], Path]) -> None:
    """Every JPEG of the corpus is spliced, as a second library confirms, or refused with our errors."""
    spliced = compared = 0
    region = Region(Box(9.0, 7.0, 60.0, 60.0), Mosaic())
    files = sorted(path for path in shared_pack("badinput").rglob("*") if path.is_file())
    for path in files:
        source = path.read_bytes()
        if source[:2] != b"\xff\xd8" or len(source) > 3_000_000:
            continue
        try:
            done = splice(source, [region]).data
        except PhotoError:
            continue
        spliced += 1
        # The second library ends the process over some damaged files: only sound ones are shown to it.
        if _is_sound(source) and len(parsing.read(source).frame.components) != 2:
            _require_same_outside(source, done, region)
            compared += 1
    assert spliced >= 50
    assert compared >= 20


def _is_sound(jpeg: bytes) -> bool:
    """Return whether libjpeg's own program reads a file without a word of warning."""
    program = shutil.which("djpeg")
    if program is None:
        pytest.skip("djpeg (libjpeg-turbo-progs) is not installed")
    done = subprocess.run([program, "-fast"], input=jpeg, capture_output=True, check=False)
    return done.returncode == 0 and not done.stderr


def _require_same_outside(source: bytes, done: bytes, region: Region) -> None:
    before, after = decoded(source), decoded(done)
    frame = parsing.read(source).frame
    box = region.box.scale(1 / frame.mcu.width, 1 / frame.mcu.height).outward()
    mcus = np.zeros((frame.mcus.height, frame.mcus.width), np.bool_)
    if not region.box.clip(frame.size).is_empty:
        mcus[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
    for (old, hidden), (new, _) in zip(blocks_under(mcus, before), blocks_under(mcus, after), strict=True):
        np.testing.assert_array_equal(new[~hidden], old[~hidden])
        assert not new[hidden][:, 1:].any()


def test_a_component_comes_in_one_sequential_scan() -> None:
    """A second sequential scan of a component, which decoders treat in different ways, is refused."""
    source = made("pillow grey")
    scan = source[source.index(b"\xff\xda") : -2]
    with pytest.raises(NotSpliceableError, match="two scans"):
        splice(source[:-2] + scan + b"\xff\xd9", [FACE])
