"""Reading DICOM: the only module that imports pydicom.

``read_dicom`` returns pixels and a few technical values only: names, dates and ids are never put into a
result, a message or a log.
"""

import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import pixel_array

from obscura.contract.lesions import PixelSource
from obscura.errors import (
    AnimatedPhotoError,
    ObscuraError,
    TooManyPixelsError,
    TruncatedPhotoError,
    UndecodablePhotoError,
    UnsupportedFormatError,
)
from obscura.imaging.grey import Grey
from obscura.imaging.resource_limits import for_picture, within
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.deflated import inflated
from obscura.lesions.mammogram import LEAST_PIXEL_MM, MOST_PIXEL_MM

__all__ = ["DicomPicture", "dataset_of", "read_dicom", "without_pydicom_errors"]

T = TypeVar("T")
# pydicom's warnings quote attribute values, which may identify a patient.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_SPACING_TAGS: Final[tuple[PixelSource, ...]] = ("ImagerPixelSpacing", "PixelSpacing")
_NOT_SQUARE: Final = 0.01
_BYTES_PER_SAMPLE: Final = 4
_HEADER_BYTES: Final = 16 << 20
"""Bytes of a data set that are allowed in addition to its pixels."""


@dataclass(frozen=True, eq=False, slots=True)
class DicomPicture:
    """The picture of a DICOM file.

    Attributes
    ----------
    grey
        ``[height, width]`` after the modality LUT, inverted where the file is MONOCHROME1. No VOI window is
        applied, because it is made for display and clips values.
    pixel_mm, pixel_source
        Side of a pixel in mm and the attribute that states it; None where there is none.
    warnings
        Messages about properties that may reduce sensitivity.
    """

    grey: Grey
    pixel_mm: float | None
    pixel_source: PixelSource | None
    warnings: tuple[str, ...]


def dataset_of(data: bytes, limits: ValidationLimits) -> Any:  # noqa: ANN401 - pydicom's data set
    """Return the parsed data set of a DICOM file; its pixels are not decoded.

    Raises
    ------
    PhotoError
        `UndecodablePhotoError` or `TruncatedPhotoError` if it cannot be parsed, `PhotoTooCostlyError` if that
        takes more than the budget of ``limits``.
    """
    most = _BYTES_PER_SAMPLE * limits.max_pixels + _HEADER_BYTES
    with within(limits.budget):
        plain = inflated(data, most)
    with within(for_picture(limits.budget, 0, len(plain))):
        return without_pydicom_errors(lambda: pydicom.dcmread(io.BytesIO(plain), force=True))


def read_dicom(data: bytes, limits: ValidationLimits) -> DicomPicture:
    """Decode the one picture of a DICOM file.

    Parameters
    ----------
    data
        All bytes of the file.
    limits
        Limits, checked before decoding.

    Raises
    ------
    PhotoError
        `AnimatedPhotoError` for several frames, `TooManyPixelsError`, `UnsupportedFormatError` for files
        without a greyscale picture and for transfer syntaxes whose decoder is not installed,
        `TruncatedPhotoError`, `PhotoTooCostlyError` for files that exceed the budget of ``limits``,
        `UndecodablePhotoError` for any other fault.
    """
    dataset = dataset_of(data, limits)
    with within(for_picture(limits.budget, 0, len(data))):
        pixels = without_pydicom_errors(lambda: _check(dataset, limits))
    with within(for_picture(limits.budget, pixels, len(data))):
        return without_pydicom_errors(lambda: _picture(dataset))


def _picture(dataset: Any) -> DicomPicture:  # noqa: ANN401 - see dataset_of
    """Decode the picture of a checked data set."""
    grey = _grey(dataset, pixel_array(dataset))
    pixel_mm, source, is_square = _spacing(dataset)
    notes = _warnings(dataset)
    if not is_square:
        notes = (*notes, "the pixels are not square; their mean side was used")
    return DicomPicture(grey, pixel_mm, source, notes)


def without_pydicom_errors(work: Callable[[], T]) -> T:
    """Call ``work`` without pydicom's warnings and exceptions, whose texts may quote the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except (ObscuraError, MemoryError):
        raise
    except EOFError:
        message = "the file ends before its picture does"
        raise TruncatedPhotoError(message) from None
    except Exception as error:  # noqa: BLE001 - pydicom and its plugins raise almost any exception on malformed files
        kind = TruncatedPhotoError if "length" in str(error) and "pixel data" in str(error) else None
        message = "the file ends before its picture does" if kind else "the DICOM file cannot be decoded"
        # Without "from error", whose text may quote the file.
        raise (kind or UndecodablePhotoError)(message) from None


def _check(dataset: Any, limits: ValidationLimits) -> int:  # noqa: ANN401 - see dataset_of
    """Check that a data set is one grey picture within the limits; return the number of its pixels."""
    if "PixelData" not in dataset:
        message = "the DICOM file holds no picture"
        raise UnsupportedFormatError(message)
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if rows < 1 or columns < 1:
        message = "the picture has no width or no height"
        raise UndecodablePhotoError(message)
    if max(rows, columns) > limits.max_side or rows * columns > limits.max_pixels:
        message = (
            f"the picture has {columns} x {rows} pixels; at most {limits.max_pixels} pixels and a side of "
            f"{limits.max_side} are accepted"
        )
        raise TooManyPixelsError(message)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        message = f"the file has {frames} frames; send one picture (no tomosynthesis)"
        raise AnimatedPhotoError(message)
    if int(dataset.get("SamplesPerPixel", 1)) != 1 or _photometric(dataset) not in _MONOCHROME:
        message = "the DICOM picture is not greyscale (MONOCHROME1 or MONOCHROME2)"
        raise UnsupportedFormatError(message)
    _check_syntax(dataset)
    return rows * columns


_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")


def _photometric(dataset: Any) -> str:  # noqa: ANN401 - see dataset_of
    return str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip()


def _check_syntax(dataset: Any) -> None:  # noqa: ANN401 - see dataset_of
    meta = getattr(dataset, "file_meta", None)
    syntax = None if meta is None else meta.get("TransferSyntaxUID")
    if syntax is None:
        # A data set without file meta information: the encoding by which it was parsed.
        implicit, little = dataset.original_encoding
        dataset.file_meta = meta or pydicom.dataset.FileMetaDataset()
        kind = "ImplicitVRLittleEndian" if implicit else "ExplicitVRLittleEndian"
        dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, kind if little else "ExplicitVRBigEndian")
        return
    if not syntax.is_compressed:
        return
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        # The name in pydicom's dictionary, never text of the file.
        name = "unknown" if syntax.name == str(syntax) else syntax.name
        message = f"pictures of the transfer syntax {name} cannot be decoded here"
        raise UnsupportedFormatError(message)


def _grey(dataset: Any, stored: Any) -> Grey:  # noqa: ANN401 - see dataset_of
    """Return brightness: stored values after the modality LUT, inverted for MONOCHROME1."""
    if stored.ndim != 2:  # noqa: PLR2004 - rows and columns
        message = "the DICOM picture is not one plane of grey values"
        raise UndecodablePhotoError(message)
    is_padding = _padding(dataset, stored)
    values = _modality(dataset, stored)
    if _photometric(dataset) == "MONOCHROME1":
        values = _inverted(values)
    if is_padding.any():
        values = values.copy()
        values[is_padding] = values[~is_padding].min() if not is_padding.all() else values.min()
    return values


def _inverted(values: Grey) -> Grey:
    """Return the values inverted within their range."""
    top, bottom = values.max(), values.min()
    return cast("Grey", top - (values - bottom))


def _modality(dataset: Any, stored: Any) -> Grey:  # noqa: ANN401 - see dataset_of
    has_table = "ModalityLUTSequence" in dataset
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    if has_table:
        return np.asarray(apply_modality_lut(stored, dataset), np.float32)
    if slope == 1.0 and stored.dtype in (np.uint8, np.uint16):
        # An offset alone has no effect on the detector.
        return cast("Grey", stored)
    return np.asarray(stored, np.float32) * np.float32(slope)


def _padding(dataset: Any, stored: Any) -> Any:  # noqa: ANN401 - see dataset_of
    """Return the mask of padding pixels."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(1, bool)
    first = int(first)
    last = int(dataset.get("PixelPaddingRangeLimit", first) or first)
    low, high = min(first, last), max(first, last)
    return (stored >= low) & (stored <= high)


def _spacing(dataset: Any) -> tuple[float | None, PixelSource | None, bool]:  # noqa: ANN401 - see dataset_of
    for tag in _SPACING_TAGS:
        try:
            down, across = (float(value) for value in dataset.get(tag))
        except (TypeError, ValueError):
            continue
        if all(LEAST_PIXEL_MM <= side <= MOST_PIXEL_MM for side in (down, across)):
            return (down + across) / 2, tag, abs(down - across) <= _NOT_SQUARE * down
    return None, None, True


def _warnings(dataset: Any) -> tuple[str, ...]:  # noqa: ANN401 - see dataset_of
    """Return warnings about the file; none quotes a value of it."""
    notes = []
    if str(dataset.get("Modality", "")) != "MG":
        notes.append("the DICOM file is not marked as a mammogram (Modality MG)")
    if str(dataset.get("PresentationIntentType", "")) == "FOR PROCESSING":
        notes.append("raw detector data (FOR PROCESSING); pictures for presentation were measured")
    if str(dataset.get("LossyImageCompression", "")) == "01":
        notes.append("lossy compression costs sensitivity")
    if str(dataset.get("BurnedInAnnotation", "")) == "YES":
        notes.append("the picture is marked as having text burnt into its pixels")
    return tuple(notes)
