"""Where the training material lies and where the results go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

ObjectClass = Literal["face", "plate"]
OBJECT_CLASSES: tuple[ObjectClass, ...] = get_args(ObjectClass)

REPOSITORY = Path(__file__).resolve().parent.parent
MODELS = REPOSITORY / "models"
# Ignored by git: unpacked photos must never be committed.
BUILD = REPOSITORY / "build" / "training"
RUNS = BUILD / "runs"


def shared_folder() -> Path:
    """Return the folder that holds ``data/*.tar`` and ``weights/``.

    Returns
    -------
    Path
        ``$OBSCURA_SHARED``, or ``../shared`` beside the repository when unset.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    """
    folder = Path(os.environ.get("OBSCURA_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        message = f"no folder {folder}: set OBSCURA_SHARED to the folder with data/ and weights/"
        raise FileNotFoundError(message)
    return folder


def pack_folder(object_class: ObjectClass) -> Path:
    """Return where :mod:`training.prepare` leaves one class's cleaned YOLO-layout pack."""
    return BUILD / "data" / f"{object_class}s"


def starter_weights(object_class: ObjectClass) -> Path:
    """Return the first fine-tune that one class's training starts from."""
    return shared_folder() / "weights" / f"{object_class}_starter.pt"


def model_name(object_class: ObjectClass) -> str:
    """Return the name under which one class's weights stand in ``models/manifest.toml``."""
    return f"{object_class}-yolov8n"


SCOUT = "scout-yolov8"
"""Name of the network that goes over a photo first, for both classes."""

AUXILIARY = "auxiliary-yolov8"
"""Name of the network whose boxes are fused with the face network's."""
