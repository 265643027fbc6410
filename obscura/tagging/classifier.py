"""Tagging by a local ONNX classifier and its label file."""

import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.detection.backends.onnx import open_onnx
from obscura.errors import ModelError, TaggerMissingError, TaggerUnavailableError
from obscura.imaging.pixels import Pixels
from obscura.settings import Settings
from obscura.tagging.base import Tag
from obscura.tagging.matching import read_lines

_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD: Final = np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and standard deviation of ImageNet's colours, used by nearly all published classifiers."""

_CROP: Final = 224 / 256
"""Side of the centre crop as a share of the shorter side, as in their evaluation."""

_MOST: Final = 5
"""Number of labels that become tags, best first."""

_CHANNELS: Final = 3
_SYNSET: Final = re.compile(r"^n\d{8}\s+")


class ClassifierTagger:
    """A loaded classifier; must be created after a fork."""

    def __init__(self, settings: Settings) -> None:
        model, labels = settings.tagger_model, settings.tagger_labels
        if model is None or labels is None:
            message = "OBSCURA_TAGGER is onnx and OBSCURA_TAGGER_MODEL or OBSCURA_TAGGER_LABELS is not set"
            raise TaggerMissingError(message)
        self._labels = read_labels(labels)
        try:
            self._session = open_onnx(model, settings.threads)
        except ModelError as error:
            raise TaggerMissingError(error.message) from error
        self._shape = self._session.input_shape
        try:
            # Detects a wrong input shape or labels of another model now, not at the first photo.
            self._scores(np.zeros((8, 8, 3), np.uint8))
        except TaggerUnavailableError as error:
            raise TaggerMissingError(error.message) from error

    def tags(self, pixels: Pixels) -> tuple[Tag, ...]:
        """Return the names of the five best labels, see `Tagger.tags`."""
        scores = self._scores(pixels)
        order = np.argsort(-scores, kind="stable")[:_MOST]
        return tuple(Tag(name, float(scores[i])) for i in order for name in self._labels[i])

    def close(self) -> None:
        """Free the model."""
        self._session.close()

    def _scores(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return one score per label."""
        try:
            output = self._session.run_tensor(prepared(pixels, self._shape)).ravel()
        except Exception as error:
            # onnxruntime's exceptions have no common base but Exception.
            message = f"the classifier cannot be run: {error}"
            raise TaggerUnavailableError(message) from error
        if len(output) != len(self._labels):
            message = f"the classifier has {len(output)} outputs and its file {len(self._labels)} labels"
            raise TaggerMissingError(message)
        return as_scores(output)


def read_labels(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the names of each label: one label per line, synonyms separated by commas.

    WordNet ids before the names, as in ImageNet's list, are removed.

    Raises
    ------
    TaggerMissingError
        If the file cannot be read or has no label.
    """
    lines = [_SYNSET.sub("", line.strip()) for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        message = f"{path} has no labels"
        raise TaggerMissingError(message)
    return tuple(tuple(name.strip() for name in line.split(",") if name.strip()) for line in lines)


def prepared(pixels: Pixels, shape: tuple[int | str | None, ...]) -> NDArray[np.float32]:
    """Return the centre crop of a picture as model input: scaled, normalised, with a batch dimension.

    ``shape`` is the model's input shape ``[n, 3, height, width]`` or ``[n, height, width, 3]``; unknown sides
    are 224.
    """
    is_last = len(shape) == 4 and shape[3] == _CHANNELS and shape[1] != _CHANNELS  # noqa: PLR2004 - NHWC
    sides = shape[1:3] if is_last else shape[2:4]
    height, width = (side if isinstance(side, int) and side > 0 else 224 for side in sides)
    side = max(1, round(min(pixels.shape[:2]) * _CROP))
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    middle = pixels[top : top + side, left : left + side]
    small = np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    batch = ((small / 255 - _MEAN) / _SPREAD)[None]
    return np.ascontiguousarray(batch if is_last else batch.transpose(0, 3, 1, 2), np.float32)


def as_scores(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores from 0 to 1: ``output`` where it is in that range, otherwise its softmax."""
    if output.min() >= 0 and output.max() <= 1:
        return output
    exponentials = np.exp(output - output.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)
