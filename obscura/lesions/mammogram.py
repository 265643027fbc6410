"""A mammogram: pixels, spacing and warnings."""

from dataclasses import dataclass
from typing import Final

from obscura.contract.lesions import PixelSource
from obscura.imaging.grey import Grey

LEAST_PIXEL_MM: Final = 0.01
MOST_PIXEL_MM: Final = 1.0

_KNOWN: Final = {
    (1914, 2294): 0.1,  # GE Senographe, 19 x 23 cm
    (2394, 3062): 0.1,  # GE Senographe, 24 x 31 cm
    (2560, 3328): 0.07,  # Hologic Selenia, 18 x 24 cm
    (3328, 4084): 0.07,  # Hologic Selenia, 24 x 29 cm
    (3328, 4096): 0.07,
    (2364, 2964): 0.083,  # Siemens Inspiration
    (2800, 3518): 0.085,  # Siemens
    (4728, 5928): 0.05,  # Fuji, 24 x 30 cm
    (3540, 4740): 0.05,  # Fuji and Kodak, 18 x 24 cm
    (4096, 5624): 0.05,  # Planmed, Giotto
    (1024, 1024): 0.2,  # mini-MIAS
}
"""Pixel size in mm by matrix size (short side first) of common detectors."""
_USUAL_LENGTH_MM: Final = 240.0
_LEAST_GUESS_MM: Final = 0.05
_MOST_GUESS_MM: Final = 0.2


@dataclass(frozen=True, eq=False, slots=True)
class Mammogram:
    """A decoded mammogram.

    Attributes
    ----------
    grey
        ``[height, width]``; larger values are denser tissue (brighter in a viewer).
    format
        ``DICOM``, ``PNG``, ``TIFF`` or ``JPEG``.
    pixel_mm
        Side of a pixel, in mm.
    pixel_source
        Source of ``pixel_mm``.
    warnings
        Messages about properties that may reduce sensitivity.
    """

    grey: Grey
    format: str
    pixel_mm: float
    pixel_source: PixelSource
    warnings: tuple[str, ...] = ()


def guess_pixel_mm(width: int, height: int) -> float:
    """Return a likely pixel size in mm.

    Of a known detector with this matrix, or of a film of usual length.
    """
    short, long = sorted((width, height))
    usual = min(max(_USUAL_LENGTH_MM / long, _LEAST_GUESS_MM), _MOST_GUESS_MM)
    return _KNOWN.get((short, long), round(usual, 4))
