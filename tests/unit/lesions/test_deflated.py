"""Deflated DICOM files: inflated under a bound, or not at all."""

import subprocess
import sys

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from obscura.errors import PhotoError, PhotoTooCostlyError, TruncatedPhotoError
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.deflated import inflated
from obscura.lesions.reading import open_mammogram
from tests import mammograms, photos


def test_a_bomb_is_refused_while_it_is_small() -> None:
    """1 MB that inflates to 1 GB costs a worker 250 MB at most; with pydicom's own inflating it was 2.7 GB.

    Afterwards the process has no more memory than before.
    """
    code = (
        "import sys\n"
        "import obscura.lesions.dicom\n"
        "from obscura.errors import PhotoTooCostlyError\n"
        "from obscura.worker.malloc_tuning import HeapTrimmer, tune_malloc\n"
        "from obscura.lesions.reading import open_mammogram\n"
        "from obscura.imaging.configured_limits import medical_limits\n"
        "from obscura.settings import Settings\n"
        "resident = lambda: int(open('/proc/self/statm').read().split()[1]) * 4\n"
        # Of this program alone: getrusage knows the peak of the process that it was forked from too.
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "tune_malloc(); trimmer = HeapTrimmer(); trimmer.trim()\n"
        "data, limits, before = sys.stdin.buffer.read(), medical_limits(Settings()), resident()\n"
        "try: open_mammogram(data, limits)\n"
        "except PhotoTooCostlyError as error: print(error.message, file=sys.stderr)\n"
        "trimmer.trim()\n"
        "print(peak() - before, resident() - before)\n"
    )
    bomb = mammograms.deflated_bomb(1000)
    assert len(bomb) < 1_100_000
    done = subprocess.run(
        [sys.executable, "-c", code], input=bomb, check=True, capture_output=True, cwd=photos.ROOT
    )
    grown, kept = (int(number) for number in done.stdout.split())
    assert b"deflated DICOM" in done.stderr
    assert grown < 250 << 10
    assert kept < 128 << 10


def test_a_picture_that_compresses_well_is_read(limits: ValidationLimits) -> None:
    """16 MiB are free of the ratio: an empty picture is a picture."""
    made = mammograms.dataset(np.zeros((2000, 1500), np.uint16), 12)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert open_mammogram(mammograms.written(made), limits).grey.shape == (2000, 1500)


def test_the_bound_of_the_picture_holds_beside_the_ratio() -> None:
    """No data set has more bytes than the largest picture allowed, however large its file is."""
    with pytest.raises(PhotoTooCostlyError, match="1000 bytes"):
        inflated(mammograms.deflated_bomb(1), 1000)


def test_what_is_cut_off_or_damaged_has_a_code(limits: ValidationLimits) -> None:
    """A deflated file that ends early, and one with other bytes in it."""
    made = mammograms.dataset(np.arange(30_000, dtype=np.uint16).reshape(200, 150), 16)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = mammograms.written(made)
    with pytest.raises(TruncatedPhotoError):
        open_mammogram(data[: len(data) // 2], limits)
    # A block of the reserved type, where the data set begins behind the file's own elements.
    start = 144 + int.from_bytes(data[140:144], "little")
    damaged = data[:start] + b"\x07" + data[start + 1 :]
    with pytest.raises(PhotoError):
        open_mammogram(damaged, limits)


def test_other_files_are_left_as_they_are() -> None:
    """Whatever the bytes are: nothing is raised for what is not deflated."""
    plain = mammograms.dicom(np.zeros((8, 8), np.uint16), 12)
    for data in (plain, plain[132:], b"", plain[:150], bytes(128) + b"DICM" + b"\x02\x00" * 500):
        assert inflated(data, 1) is data
