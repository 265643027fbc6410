"""Persons and screens come from one network, with its scores told apart."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from obscura.contract import ObjectClass
from obscura.detection.loading import load_any
from obscura.detection.weights import default_models_dir, load_manifest, verified_path
from obscura.settings import EngineChoice, Settings


@pytest.mark.parametrize(("name", "count"), [("person", 1), ("screen", 0)])
@pytest.mark.parametrize("engine", [EngineChoice.AUTO, EngineChoice.ULTRALYTICS])
def test_a_portrait_has_a_person_and_no_screen(
    portrait: Path, name: str, count: int, engine: EngineChoice
) -> None:
    """The person's box takes most of the picture, also where faces and plates run in torch."""
    with Image.open(portrait) as picture:
        found = load_any(Settings(engine=engine), ObjectClass(name), 1).detect(
            np.asarray(picture.convert("RGB"))
        )
    assert len(found) == count
    assert all(item.class_name == name and item.box.area > 0.5 * 512 * 512 for item in found)


def test_the_weights_are_those_of_the_manifest() -> None:
    """Both classes name the same file, with its checksum."""
    cards = load_manifest(default_models_dir() / "extra.toml").values()
    assert {card.class_name for card in cards} == {"person", "screen"}
    assert len({verified_path(default_models_dir(), card.files["onnx"]) for card in cards}) == 1
