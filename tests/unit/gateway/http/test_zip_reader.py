"""Zips that somebody sends: what is refused whole, what is one file's error, what is read."""

import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from gateway_service.http.zip_members import open_member
from gateway_service.http.zip_reader import FREE_BYTES, ArchiveLimits, read_directory
from obscura.errors import (
    ArchiveTooLargeError,
    InvalidRequestError,
    ObscuraError,
    PhotoError,
    TooManyFilesError,
)
from tests import hostile_zips, photos
from tests.hostile_zips import BZIP2, DEFLATED, LZMA, STORED, Member

MIB = 1 << 20
LIMITS = ArchiveLimits(max_files=500, max_file_bytes=25 * MIB, max_bytes=2048 * MIB)
NOISE = os.urandom(3000)


def read(data: bytes, limits: ArchiveLimits = LIMITS) -> list[bytes | str]:
    """Return what each file of a zip gives: its bytes, or the code of its error."""
    file = io.BytesIO(data)
    found: list[bytes | str] = []
    for entry in read_directory(file, limits):
        try:
            with open_member(file, entry, limits.max_file_bytes) as member:
                found.append(member.read(limits.max_file_bytes + 1))
        except PhotoError as error:
            found.append(error.code)
    return found


@pytest.mark.parametrize("method", [STORED, DEFLATED, BZIP2, LZMA])
@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n"])
def test_every_usual_method_is_read(method: int, prefix: bytes) -> None:
    """Stored, deflated, bzip2 and LZMA come out as they went in, also behind something else."""
    photo = photos.PORTRAIT.read_bytes()
    made = hostile_zips.archive([Member("a", photo, method), Member("b", NOISE, method)], prefix)
    assert read(made) == [photo, NOISE]


@pytest.mark.parametrize("method", [STORED, DEFLATED, BZIP2, LZMA])
def test_what_other_programs_write_is_read(method: int) -> None:
    """An archive of Python's own `zipfile`, folders, comment and zip64 entries in it."""
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w", method) as bundle:
        bundle.mkdir("street")
        with bundle.open("street/1.jpg", "w", force_zip64=True) as member:
            member.write(NOISE)
        bundle.writestr("ü.jpg", b"x" * 1000)
        bundle.comment = b"PK\x05\x06 in a comment" * 3
    text.seek(0)
    assert [item.name for item in read_directory(text, LIMITS)] == ["street/1.jpg", "ü.jpg"]
    assert read(text.getvalue()) == [NOISE, b"x" * 1000]


def test_files_over_one_another_are_refused() -> None:
    """Four hundred entries over one local header: 100 kB that would unpack to 7.5 GB."""
    made = hostile_zips.overlapping(400)
    assert len(made) < 120_000
    assert sum(item.file_size for item in zipfile.ZipFile(io.BytesIO(made)).infolist()) > 7_000_000_000
    with pytest.raises(ArchiveTooLargeError, match="overlap"):
        read(made)


def test_a_long_local_header_reaches_into_no_other_file() -> None:
    """A local header that says it is longer than the directory does moves the data into its neighbour."""
    made = bytearray(hostile_zips.archive([Member("a", NOISE), Member("b", NOISE[::-1])]))
    made[28:30] = (500).to_bytes(2, "little")
    assert read(bytes(made)) == ["undecodable_photo", NOISE[::-1]]


def test_the_total_is_bounded() -> None:
    """Files that are small alone and large together are refused before any is unpacked."""
    made = hostile_zips.archive([Member(str(number), os.urandom(MIB)) for number in range(4)])
    assert len(read(made, replace(LIMITS, max_bytes=4 * MIB))) == 4
    with pytest.raises(ArchiveTooLargeError, match="holds 4 MB; at most 3 MB"):
        read(made, replace(LIMITS, max_bytes=3 * MIB))


def test_the_ratio_is_bounded() -> None:
    """More than a hundred times the archive's own size is refused, once it is more than 64 MiB."""
    said = [Member(str(number), b"", DEFLATED, bytes(200), unpacked=20 * MIB) for number in range(4)]
    assert len(read(hostile_zips.archive(said[:3]))) == 3
    assert 3 * 20 * MIB < FREE_BYTES < 4 * 20 * MIB
    with pytest.raises(ArchiveTooLargeError, match="100 times"):
        read(hostile_zips.archive(said))
    large = Member("noise", os.urandom(MIB))
    assert len(read(hostile_zips.archive([*said, large]))) == 5


def test_a_file_that_is_too_large_alone_is_its_own_error() -> None:
    """It is not unpacked at all, and does not count for the others."""
    made = hostile_zips.archive(
        [
            Member("a", b"", DEFLATED, b"x", unpacked=3000 * MIB),
            Member("b", NOISE),
            Member("c", bytes(26 * MIB)),
        ]
    )
    assert read(made) == ["photo_too_large", NOISE, "photo_too_large"]


def test_the_count_is_bounded() -> None:
    """More files than allowed, and a directory longer than those would need."""
    made = hostile_zips.archive([Member(str(number), b"x") for number in range(6)])
    with pytest.raises(TooManyFilesError, match="6 files"):
        read(made, replace(LIMITS, max_files=5))
    folders = hostile_zips.archive([Member(f"{number:060}/", b"") for number in range(3000)])
    with pytest.raises(TooManyFilesError, match="directory"):
        read(folders, replace(LIMITS, max_files=5))


DAMAGED = {
    "bzip2 cut short": Member("x", NOISE, BZIP2, hostile_zips.packed(NOISE, BZIP2)[:1500]),
    "bzip2 with other bytes": Member("x", NOISE, BZIP2, b"BZh9" + NOISE),
    "LZMA cut short": Member("x", NOISE, LZMA, hostile_zips.packed(NOISE, LZMA)[:200]),
    "LZMA with other bytes": Member("x", NOISE, LZMA, b"\x09\x04\x05\x00\x5d\x00\x00\x10\x00" + NOISE),
    "LZMA with impossible properties": Member("x", NOISE, LZMA, b"\x09\x04\x05\x00\xff" + NOISE),
    "LZMA with a dictionary of 4 GB": Member(
        "x", NOISE, LZMA, b"\x09\x04\x05\x00\x5d\xff\xff\xff\xff" + NOISE
    ),
    "LZMA of nothing": Member("x", NOISE, LZMA, b""),
    "bzip2 that is stored": Member("x", NOISE, BZIP2, NOISE),
    "deflate with other bytes": Member("x", NOISE, DEFLATED, b"\xff" * 100),
    "deflate that is cut short": Member("x", NOISE, DEFLATED, hostile_zips.packed(NOISE, DEFLATED)[:100]),
    "longer than it is": Member("x", NOISE, STORED, unpacked=5000),
    "a wrong checksum": Member("x", NOISE, DEFLATED, crc=1),
    "an unknown method": Member("x", NOISE, 97),
    "a password": Member("x", NOISE, flags=1),
    "an offset behind the archive": Member("x", NOISE, offset=10**7),
    "an offset of 2^32": Member("x", NOISE, offset=2**32),
    "an offset of 2^63 - 1": Member("x", NOISE, offset=2**63 - 1),
    "an offset of 2^63": Member("x", NOISE, offset=2**63),
    "an offset of 2^64 - 1": Member("x", NOISE, offset=2**64 - 1),
    "a zip64 field that is too short": Member("x", NOISE, extra=b"\1\0\4\0abcd", offset=0xFFFF_FFFF),
    "an offset into the directory": Member("x", NOISE, offset=9100),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_member_is_its_own_error(case: str) -> None:
    """It has a code, and the files before and behind it are read."""
    made = hostile_zips.archive([Member("a", NOISE), DAMAGED[case], Member("b", NOISE)])
    assert read(made) == [NOISE, "undecodable_photo", NOISE]


def test_any_damage_has_a_code() -> None:
    """Every byte of a small archive changed, and every length of it: nothing but errors with codes."""
    made = hostile_zips.archive(
        [Member("a", b"abc" * 20, DEFLATED), Member("b", b"abc" * 9, BZIP2), Member("c", b"abc" * 9, LZMA)]
    )
    damaged = [made[:length] for length in range(len(made))]
    for place in range(len(made)):
        damaged += [made[:place] + bytes([made[place] ^ bit]) + made[place + 1 :] for bit in (1, 128, 255)]
    for data in damaged:
        try:
            read(data)
        except ObscuraError as error:
            assert isinstance(error, (InvalidRequestError, TooManyFilesError, ArchiveTooLargeError))  # noqa: PT017


def test_memory_is_bounded_whatever_a_member_says() -> None:
    """32 MB of zeros that call themselves 1 kB do not come to life: bzip2 makes them of 80 bytes."""
    bombs = [
        Member(str(method), b"", method, hostile_zips.packed(bytes(32 * MIB), method), unpacked=1024, crc=1)
        for method in (DEFLATED, BZIP2, LZMA)
    ]
    code = (
        "import sys\n"
        "from tests.unit.gateway.http.test_zip_reader import *\n"
        "data = sys.stdin.buffer.read()\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before = peak()\n"
        "assert read(data) == ['undecodable_photo'] * 3\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=hostile_zips.archive(bombs),
        check=True,
        capture_output=True,
        cwd=photos.ROOT,
    )
    assert int(done.stdout) < 16 * 1024
