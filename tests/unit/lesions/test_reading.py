"""Mammograms of every format: the same pixels, the same marks."""

from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from obscura.contract import LesionResult
from obscura.errors import (
    AnimatedPhotoError,
    EmptyPhotoError,
    PhotoError,
    PhotoTooLargeError,
    TooManyPixelsError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.detector import detect
from obscura.lesions.reading import open_mammogram
from tests import mammograms
from tests.mammograms import Phantom, phantom
from tests.unit.lesions import lossless


@pytest.fixture(scope="module")
def small() -> Phantom:
    """A phantom that is quickly encoded."""
    return phantom(60, 80, 0.1, seed=4)


def marks(data: bytes, limits: ValidationLimits, pixel_mm: float | None = 0.1) -> LesionResult:
    """Return what is found in a file."""
    return detect(open_mammogram(data, limits, pixel_mm))


@pytest.mark.parametrize("bits", [12, 14, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_dicom_and_png_of_the_same_pixels(
    limits: ValidationLimits, made: Phantom, bits: int, photometric: str
) -> None:
    """The same marks, to the last figure, from DICOM of either polarity as from PNG and TIFF."""
    pixels = made.deep(bits)
    stored = pixels if photometric == "MONOCHROME2" else (2**bits - 1 - pixels).astype(np.uint16)
    plain = marks(mammograms.png(pixels), limits)
    found = marks(mammograms.dicom(stored, bits, PhotometricInterpretation=photometric), limits)
    assert len(plain.marks) >= 9
    assert found.marks == plain.marks == marks(mammograms.tiff(pixels), limits).marks
    assert found.clusters == plain.clusters


def test_eight_bit_dicom(limits: ValidationLimits, made: Phantom) -> None:
    """8-bit DICOM as 8-bit PNG."""
    assert (
        marks(mammograms.dicom(made.eight(), 8), limits).marks
        == marks(mammograms.png(made.eight()), limits).marks
    )


def test_jpeg_is_warned_of(limits: ValidationLimits, made: Phantom) -> None:
    """JPEG is read, and the answer says what it costs; PNG of the same size has no such warning."""
    part = marks(mammograms.jpeg(made.eight()), limits)
    assert made.found(part.model_dump(mode="json"))[0] >= 8
    assert any("JPEG" in warning for warning in part.warnings)
    assert marks(mammograms.png(made.eight()), limits).warnings == ()


@pytest.mark.parametrize(
    ("attributes", "asked", "expected"),
    [
        ({"ImagerPixelSpacing": [0.07, 0.07], "PixelSpacing": [0.2, 0.2]}, 0.1, (0.07, "ImagerPixelSpacing")),
        ({"PixelSpacing": [0.085, 0.085]}, None, (0.085, "PixelSpacing")),
        ({"PixelSpacing": [7.0, 7.0]}, 0.1, (0.1, "request")),
        ({"PixelSpacing": ["", ""]}, 0.1, (0.1, "request")),
        ({}, 0.1, (0.1, "request")),
        ({}, None, (0.15, "guess")),
    ],
)
def test_where_the_pixel_size_comes_from(
    limits: ValidationLimits,
    made: Phantom,
    attributes: dict[str, Any],
    asked: float | None,
    expected: tuple[float, str],
) -> None:
    """The detector's spacing, then the picture's, then the request's, then a guess that is called one."""
    opened = open_mammogram(mammograms.dicom(made.deep(12), 12, **attributes), limits, asked)
    assert (opened.pixel_mm, opened.pixel_source) == expected
    assert any("guessed" in warning for warning in opened.warnings) == (expected[1] == "guess")


@pytest.mark.parametrize(
    ("size", "pixel_mm"), [((2394, 3062), 0.1), ((3328, 2560), 0.07), ((600, 1000), 0.2)]
)
def test_sizes_of_known_detectors(limits: ValidationLimits, size: tuple[int, int], pixel_mm: float) -> None:
    """The matrix tells the detector, whichever way it lies."""
    assert open_mammogram(mammograms.png(np.zeros(size, np.uint8)), limits).pixel_mm == pixel_mm


def test_modality_lut(limits: ValidationLimits, small: Phantom) -> None:
    """A negative slope turns the picture over; the marks are those of the picture meant."""
    pixels = small.deep(12)
    turned = mammograms.dicom(
        (4095 - pixels).astype(np.uint16), 12, RescaleSlope="-1", RescaleIntercept="4095"
    )
    assert [mark.x for mark in marks(turned, limits).marks] == [
        mark.x for mark in marks(mammograms.png(pixels), limits).marks
    ]


def test_a_voi_window_is_not_applied(limits: ValidationLimits, small: Phantom) -> None:
    """A window for eyes that would cut off everything changes nothing."""
    windowed = mammograms.dicom(small.deep(12), 12, WindowCenter="10", WindowWidth="2")
    assert marks(windowed, limits).marks == marks(mammograms.dicom(small.deep(12), 12), limits).marks


@pytest.mark.parametrize(("photometric", "value"), [("MONOCHROME1", 0), ("MONOCHROME2", 4095)])
def test_padding_is_no_tissue(limits: ValidationLimits, small: Phantom, photometric: str, value: int) -> None:
    """Values that stand for nothing measured count as air, not as the brightest tissue."""
    pixels = small.deep(12) // 2 + 100
    stored = pixels if photometric == "MONOCHROME2" else (4095 - pixels).astype(np.uint16)
    plain = marks(mammograms.dicom(stored, 12, PhotometricInterpretation=photometric), limits)
    padded = stored.copy()
    padded[:, -60:] = value
    attributes = {"PhotometricInterpretation": photometric, "PixelPaddingValue": value}
    found = marks(mammograms.dicom(padded, 12, **attributes), limits)
    assert len(plain.marks) >= 8
    assert [(mark.x, mark.y) for mark in found.marks] == [(mark.x, mark.y) for mark in plain.marks]


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_syntaxes(limits: ValidationLimits, small: Phantom, syntax: str) -> None:
    """However values are laid out, they are the same values."""
    pixels = small.deep(12)
    big = syntax == ExplicitVRBigEndian
    made = mammograms.dataset(pixels.astype(">u2") if big else pixels, 12)
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.set_original_encoding(syntax == ImplicitVRLittleEndian, not big)
    opened = open_mammogram(mammograms.written(made), limits)
    assert np.array_equal(opened.grey, pixels)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_syntaxes(limits: ValidationLimits, small: Phantom, syntax: str) -> None:
    """Lossless compression is undone to the last bit."""
    made = mammograms.dataset(small.deep(12), 12)
    made.compress(syntax)
    assert np.array_equal(open_mammogram(mammograms.written(made), limits).grey, small.deep(12))


def test_lossless_jpeg(limits: ValidationLimits, small: Phantom) -> None:
    """What most archives hold, too."""
    pixels = small.deep(12)
    made = mammograms.dataset(pixels, 12)
    made.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    made.PixelData = encapsulate([lossless.encode(pixels, 12)])
    made["PixelData"].is_undefined_length = True
    assert np.array_equal(open_mammogram(mammograms.written(made), limits).grey, pixels)


def test_a_syntax_without_decoder(limits: ValidationLimits, small: Phantom) -> None:
    """It is refused by its name."""
    made = mammograms.dataset(small.deep(12), 12)
    made.file_meta.TransferSyntaxUID = MPEG4HP41
    made.PixelData = encapsulate([b"\0" * 64])
    made["PixelData"].is_undefined_length = True
    with pytest.raises(UnsupportedFormatError, match="MPEG"):
        open_mammogram(mammograms.written(made), limits)


def test_without_preamble(limits: ValidationLimits, small: Phantom) -> None:
    """A data set stored bare, as old archives do, is read."""
    data = mammograms.dicom(small.deep(12), 12)
    assert np.array_equal(open_mammogram(data[132:], limits).grey, small.deep(12))


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"NumberOfFrames": "3"}, AnimatedPhotoError),
        ({"Rows": 60_000}, TooManyPixelsError),
        ({"Rows": 0}, PhotoError),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, UnsupportedFormatError),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, UnsupportedFormatError),
        ({"BitsAllocated": 7}, PhotoError),
        ({"BitsStored": 40}, PhotoError),
    ],
)
def test_what_is_no_mammogram(
    limits: ValidationLimits, small: Phantom, attributes: dict[str, Any], kind: type[PhotoError]
) -> None:
    """Each has an error of its own, before anything is decoded."""
    with pytest.raises(kind):
        open_mammogram(mammograms.dicom(small.deep(12), 12, **attributes), limits)


def test_every_cut_and_flip_has_an_answer(limits: ValidationLimits) -> None:
    """Whatever is cut off or changed in a file, the answer is a picture or an error of ours."""
    data = mammograms.dicom(phantom(60, 80, 0.4).deep(12), 12)
    random = np.random.default_rng(0)
    for length in [0, 1, 127, 128, 131, 132, 200, 300, len(data) // 2, len(data) - 1]:
        with pytest.raises(PhotoError):
            open_mammogram(data[:length], limits)
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(132, 1200, 3):
            damaged[place] = random.integers(256)
        try:
            detect(open_mammogram(bytes(damaged), limits))
        except PhotoError:
            continue


def test_errors_quote_nothing(limits: ValidationLimits, small: Phantom) -> None:
    """No error, and nothing that it came from, holds what stands in the file."""
    marker = "ZQXPATIENT"
    attributes = {"PatientName": marker, "PhotometricInterpretation": marker, "SpecificCharacterSet": marker}
    with pytest.raises(PhotoError) as caught:
        open_mammogram(mammograms.dicom(small.deep(12), 12, **attributes), limits)
    assert marker not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_gate(small: Phantom) -> None:
    """Length is held against the medical profile."""
    tight = ValidationLimits(max_bytes=1000)
    with pytest.raises(PhotoTooLargeError):
        open_mammogram(mammograms.dicom(small.deep(12), 12), tight)
    with pytest.raises(EmptyPhotoError):
        open_mammogram(b"", tight)
    with pytest.raises(TruncatedPhotoError):
        open_mammogram(bytes(128) + b"DICM", tight)
