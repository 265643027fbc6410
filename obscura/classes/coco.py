"""Whole persons and screens, by a YOLOv8n with COCO weights of which four classes are left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from obscura.contract import ExtraClass
from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.detection.decode import BOX_ROWS
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineOptions, open_session
from obscura.detection.networks import Networks
from obscura.detection.weights import card_for_class, load_manifest
from obscura.settings import EngineChoice

__all__ = ["open_detector"]

SCORES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType({"person": (0,), "screen": (1, 2, 3)})
"""The network's scores of a class: person; tv, laptop, cell phone."""


def open_detector(extra: ExtraClass, models_dir: Path, engine: EngineOptions) -> Detector:
    """Return the detector of persons or of screens; see `obscura.detection.extra.open_extra`.

    The weights are an ONNX file only: with the engine ultralytics they run in the one that ``auto`` picks.
    """
    if engine.choice is EngineChoice.ULTRALYTICS:
        engine = replace(engine, choice=EngineChoice.AUTO)
    card = card_for_class(load_manifest(models_dir / "extra.toml"), extra.name)
    return Detector(Networks(card, _Selected(open_session(models_dir, card, engine), SCORES[extra.name])))


class _Selected:
    """A session whose output has the scores of some classes only; see `Session`."""

    def __init__(self, session: Session, scores: Sequence[int]) -> None:
        self._session = session
        self._rows = [*range(BOX_ROWS), *(BOX_ROWS + score for score in scores)]
        self.name = session.name
        self.device = session.device
        self.batch_size = session.batch_size

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`."""
        return np.ascontiguousarray(self._session.run(batch)[:, self._rows])

    def close(self) -> None:
        """See `Session.close`."""
        self._session.close()
