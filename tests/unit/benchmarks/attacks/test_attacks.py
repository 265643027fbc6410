"""The attacks work: they succeed where nothing is hidden, and are at chance where nothing is left."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.attacks.__main__ import main
from benchmarks.attacks.faces import CANVAS, FACE_SIDE, OTHER_SCENE, Face, before, retake
from benchmarks.attacks.invert import invert
from benchmarks.attacks.methods import AreaMosaic, Pixels, cell_means, nothing, seed_gaussian
from benchmarks.attacks.plates import PLATE_METHODS, SOLID, UNHIDDEN, digit_accuracy
from benchmarks.attacks.reidentify import identify
from obscura.geometry import Box

PEOPLE = 12
OTHERS = 4
GAUSSIAN = next(name for name in PLATE_METHODS if "Gaussian" in name)


def person(number: int) -> Face:
    """Return a drawn face: coarse random patches, smooth, no two alike."""
    rng = np.random.default_rng(number)
    patches = rng.integers(40, 216, (12, 12, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(patches).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))
    first, last = (CANVAS - FACE_SIDE) / 2, (CANVAS + FACE_SIDE) / 2
    return Face(pixels, Box(first, first, last, last))


def black(pixels: Pixels, _box: Box) -> Pixels:
    """Hide so that nothing at all is left."""
    return np.zeros_like(pixels)


@pytest.mark.parametrize(
    ("name", "least", "most"), [(UNHIDDEN, 1.0, 1.0), (GAUSSIAN, 0.95, 1.0), (SOLID, 0.0, 0.2)]
)
def test_digits(name: str, least: float, most: float) -> None:
    """All digits where nothing is hidden and under the seed's blur; about one in ten under one colour."""
    accuracy = digit_accuracy(PLATE_METHODS[name], 60, np.random.default_rng(1))
    assert least <= accuracy <= most


def test_people_are_known_by_what_is_left_of_them() -> None:
    """Everybody where nothing is hidden; nobody, also not by ties, where nothing is left."""
    people = [person(number) for number in range(PEOPLE)]
    others = [person(number) for number in range(PEOPLE, PEOPLE + OTHERS)]
    methods = {"nothing hidden": nothing, "black": black}
    found = identify(people, others, methods, np.random.default_rng(1))
    assert found["nothing hidden"].top1 == 1.0
    assert found["black"].top1 == 0.0
    assert found["black"].chance == 1 / PEOPLE


def test_inversion_gets_less_than_the_means() -> None:
    """The mean of many mosaics has no noise, and is worse than the un-noised means for its contrast."""
    psnr = {item.name: item.psnr for item in invert([person(1)], np.random.default_rng(1))}
    averaged = next(value for name, value in psnr.items() if name == "mosaic, mean of 100")
    assert psnr["mosaic, one redaction"] < averaged < psnr["un-noised cell means"] - 0.3


def test_another_scene_leaves_the_face_and_nothing_else() -> None:
    """The middle is the face's, the corner the other picture's, and neither is changed in place."""
    face, scene = person(1), person(2)
    kept = face.pixels.copy()
    both = before(face, scene)
    middle = CANVAS // 2
    assert np.array_equal(both.pixels[middle, middle], face.pixels[middle, middle])
    assert np.array_equal(both.pixels[0, 0], scene.pixels[0, 0])
    assert np.array_equal(face.pixels, kept)
    again = retake(both, np.random.default_rng(1), OTHER_SCENE)
    assert again.pixels.shape == face.pixels.shape
    assert again.box != face.box


def test_a_mosaic_is_the_means_of_its_cells() -> None:
    """A cell at the edge is the mean of the part that lies in the picture."""
    plane = np.arange(15, dtype=np.float32).reshape(3, 5)
    assert cell_means(plane, 2).tolist() == [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]
    picture = np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)
    hidden = AreaMosaic(is_grown=False, side=2)(picture, Box(0, 0, 5, 3))
    assert hidden[..., 0].tolist() == [[3, 3, 5, 5, 6], [3, 3, 5, 5, 6], [10, 10, 12, 12, 14]]


def test_nothing_outside_the_box_is_changed() -> None:
    """The ways of hiding that are compared touch what they hide and nothing else."""
    face = person(3)
    for hide in (seed_gaussian, AreaMosaic(5, 12, is_grown=False)):
        hidden = hide(face.pixels, face.box)
        x1, y1, x2, y2 = face.box.rounded()
        assert not np.array_equal(hidden, face.pixels)
        hidden[y1:y2, x1:x2] = face.pixels[y1:y2, x1:x2]
        assert np.array_equal(hidden, face.pixels)


def test_without_material_the_plates_are_attacked_and_so_much_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures go to the file, and the answer says that faces are left out."""
    monkeypatch.setenv("OBSCURA_SHARED", str(tmp_path))
    assert main(["--plates", "5", "--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {row["method"] for row in figures["digits"]} == set(PLATE_METHODS)
    assert "faces are not attacked" in capsys.readouterr().out
