"""A made-up class, magenta discs, in a distribution of its own: what somebody else's class consists of."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["install", "with_disc"]

MODULE = '''"""Discs of pure magenta."""

from obscura.contract import ExtraClass

CLASS = ExtraClass("disc", "Magenta discs", "obscura_disc:open_detector", grow=1.2, outline="superellipse")


def open_detector(extra, models_dir, engine):
    """Return the detector of discs."""
    # Imported here: the gateway loads this module for its description.
    import cv2
    import numpy as np

    from obscura.detection.detections import Detection
    from obscura.detection.extra import ExtraDetector, card_of
    from obscura.geometry import Box

    def find(pixels, options):
        is_disc = ((pixels > (200, 255, 200)) == (True, False, True)).all(axis=2) & (pixels[..., 1] < 80)
        for x, y, width, height, area in cv2.connectedComponentsWithStats(is_disc.astype(np.uint8))[2][1:]:
            if area < 9:
                continue
            yield Detection(extra.name, Box(float(x), float(y), float(x + width), float(y + height)), 0.9)

    return ExtraDetector(card_of(extra, "obscura-disc", "MIT", 0.4), find, "numpy")
'''
METADATA = "Metadata-Version: 2.1\nName: obscura-disc\nVersion: 1.0\n"
ENTRY_POINTS = "[obscura.classes]\ndisc = obscura_disc:CLASS\n"


def install(folder: Path) -> Path:
    """Install the distribution into ``folder``, which then has to be on the path; return it."""
    (folder / "obscura_disc.py").write_text(MODULE, encoding="utf-8")
    information = folder / "obscura_disc-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(METADATA, encoding="utf-8")
    (information / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return folder


def with_disc(pixels: NDArray[np.uint8], centre: tuple[int, int], radius: int) -> NDArray[np.uint8]:
    """Return a copy of a picture with a magenta disc."""
    return np.asarray(cv2.circle(pixels.copy(), centre, radius, (255, 0, 255), -1), np.uint8)
