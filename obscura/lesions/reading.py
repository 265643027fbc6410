"""Read a mammogram from any accepted format."""

from typing import Final

from obscura.imaging.formats import PhotoFormat
from obscura.imaging.grey import decode_grey
from obscura.imaging.medical_validation import check_medical, is_dicom
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.mammogram import Mammogram, guess_pixel_mm

__all__ = ["open_mammogram"]

JPEG_WARNING: Final = "JPEG costs sensitivity; send DICOM, or 16-bit PNG or TIFF"
GUESS_WARNING: Final = "the size of a pixel is guessed from the size of the picture; send pixel_mm"


def open_mammogram(data: bytes, limits: ValidationLimits, pixel_mm: float | None = None) -> Mammogram:
    """Validate a mammogram file and decode it at its full bit depth.

    Parameters
    ----------
    data
        All bytes of the file.
    limits
        Limits of mammograms.
    pixel_mm
        Side of a pixel in mm, for files that do not state it.

    Raises
    ------
    PhotoError
        As ``check_medical`` and the decoders do.
    """
    check_medical(data, limits)
    notes: tuple[str, ...]
    if is_dicom(data):
        from obscura.lesions.dicom import read_dicom  # noqa: PLC0415 - pydicom takes a second to import

        picture = read_dicom(data, limits)
        grey, kind, notes = picture.grey, "DICOM", picture.warnings
        if picture.pixel_mm is not None and picture.pixel_source is not None:
            return Mammogram(grey, kind, picture.pixel_mm, picture.pixel_source, notes)
    else:
        decoded = decode_grey(data, limits)
        grey, kind, notes = decoded.grey, decoded.header.format.name, decoded.warnings
        if decoded.header.format is PhotoFormat.JPEG:
            notes = (JPEG_WARNING, *notes)
    if pixel_mm is not None:
        return Mammogram(grey, kind, pixel_mm, "request", notes)
    height, width = grey.shape
    return Mammogram(grey, kind, guess_pixel_mm(width, height), "guess", (*notes, GUESS_WARNING))
