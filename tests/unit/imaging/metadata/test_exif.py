"""EXIF blocks: read whatever they are, written small and fresh."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from obscura.contract import MetadataPolicy
from obscura.imaging.metadata import exif
from obscura.imaging.metadata.exif import ASCII, LONG, SHORT, Entry, ExifBlock
from obscura.imaging.metadata.policy import kept_exif
from tests.unit.imaging.samples import MARKER, exif_block


def block(order: str, entry: Entry) -> bytes:
    """Return an EXIF block with one orientation entry."""
    return exif.build(ExifBlock(order, {exif.ORIENTATION: entry}))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_in_both_byte_orders(order: str, value: int) -> None:
    """Orientation 1..8 is read as written."""
    data = block(order, Entry(SHORT, 1, struct.pack(order + "H", value)))
    assert exif.orientation(exif.parse(data)) == value


@pytest.mark.parametrize(
    "entry",
    [
        Entry(SHORT, 1, struct.pack("<H", 0)),
        Entry(SHORT, 1, struct.pack("<H", 9)),
        Entry(SHORT, 1, struct.pack("<H", 255)),
        Entry(SHORT, 2, struct.pack("<HH", 6, 6)),
        Entry(LONG, 1, struct.pack("<I", 65_536 + 6)),
        Entry(ASCII, 2, b"6\x00"),
    ],
)
def test_an_orientation_that_cannot_be_counts_as_1(entry: Entry) -> None:
    """Values out of range and of the wrong type turn nothing."""
    assert exif.orientation(exif.parse(block("<", entry))) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    """The reader never raises, with or without a true beginning."""
    for head in (b"", b"II*\x00\x08\x00\x00\x00", b"Exif\x00\x00MM\x00*\x00\x00\x00\x08"):
        assert 1 <= exif.orientation(exif.parse(head + noise)) <= 8


def test_strip_keeps_nothing() -> None:
    """The default policy writes no EXIF at all."""
    assert kept_exif(exif.parse(exif_block()), MetadataPolicy.STRIP) == b""


def test_keep_safe_keeps_camera_time_and_place_and_nothing_private() -> None:
    """Camera, time, exposure and GPS stay; texts, maker note, thumbnail and the orientation go."""
    fresh = kept_exif(exif.parse(exif_block(6, b"\xff\xd8" + MARKER)), MetadataPolicy.KEEP_SAFE)
    read = Image.Exif()
    read.load(fresh)
    assert (read[271], read[272], read[306], read[274]) == (
        "Canon",
        "Canon EOS 5D Mark IV",
        "2024:05:06 07:08:09",
        1,
    )
    assert read.get_ifd(34853)[2] == (48.0, 51.0, 29.99)
    assert read.get_ifd(34665)[42036] == "EF24-105mm f/4L IS USM"
    assert MARKER not in fresh
    parsed = exif.parse(fresh)
    assert parsed is not None
    assert not parsed.has_thumbnail


def test_coarse_gps_is_within_a_hundredth_of_a_degree_and_no_closer() -> None:
    """The position is rounded to 0.01 degree; altitude and everything finer are gone."""
    fresh = kept_exif(exif.parse(exif_block()), MetadataPolicy.COARSE_GPS)
    read = Image.Exif()
    read.load(fresh)
    gps = read.get_ifd(34853)
    latitude = float(gps[2][0]) + float(gps[2][1]) / 60 + float(gps[2][2]) / 3600
    assert latitude == pytest.approx(48.86, abs=1e-9)
    assert gps[1] == "N"
    assert set(gps) == {0, 1, 2, 3, 4}
