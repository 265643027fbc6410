"""Real models, real photos, and one network that needs no weights."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from obscura.detection.detector import Detector
from obscura.detection.engines import EngineChoice, EngineOptions, Precision, open_session
from obscura.detection.networks import Networks
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from obscura.detection.arrays import Pixels

REPOSITORY = Path(__file__).resolve().parents[3]
REAL_PHOTOS = 3


@pytest.fixture(scope="session")
def portrait() -> Pixels:
    """Return the public-domain portrait of an astronaut, 512 by 512 pixels."""
    return np.ascontiguousarray(astronaut())  # type: ignore[no-untyped-call] # scikit-image is untyped


@pytest.fixture(scope="session")
def real_photos() -> list[Pixels]:
    """Return a few photos of the shared pack; skip where it is absent."""
    shared = Path(os.environ.get("OBSCURA_SHARED", REPOSITORY.parent / "shared"))
    pack = shared / "data" / "faces.tar"
    if not pack.is_file():
        pytest.skip("the shared photos are not on this machine")
    photos: list[Pixels] = []
    with tarfile.open(pack) as archive:
        for member in archive:
            if "images/val/" not in member.name or not member.isfile():
                continue
            file = archive.extractfile(member)
            assert file is not None
            photos.append(np.array(Image.open(io.BytesIO(file.read())).convert("RGB")))
            if len(photos) == REAL_PHOTOS:
                break
    return photos


@pytest.fixture(scope="session")
def exact_detector() -> Callable[[EngineChoice], Detector]:
    """Return what makes a face detector with the shipped weights that computes in float32 on the CPU."""

    def build(choice: EngineChoice) -> Detector:
        folder = default_models_dir()
        card = card_for_class(load_manifest(folder / "manifest.toml"), "face")
        options = EngineOptions(choice, threads=2, device="cpu", precision=Precision.F32)
        return Detector(Networks(card, open_session(folder, card, options)))

    return build


@pytest.fixture(scope="session")
def face_detector(exact_detector: Callable[[EngineChoice], Detector]) -> Detector:
    """Return the face detector on onnxruntime, which every installation has."""
    return exact_detector(EngineChoice.ONNX)
