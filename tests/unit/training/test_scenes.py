"""Scenes for training: what is labelled in a photo is labelled where it lies in the scene."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.predict import PADDING
from training.scenes import LEAST_SIDE, SHAPES, Labelled, SceneChances, ShotDetector

ONE_PLACE = SceneChances(four=0.0, tilt=0.0, turned=0.0, quarters=0.0)


def photo(folder: Path, name: str, box: tuple[int, int, int, int], *, is_round: bool) -> Labelled:
    """Return a black photo of 300 x 200 with one white object, and its label."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    left, top, right, bottom = box
    if is_round:
        middle, halves = (
            ((left + right) // 2, (top + bottom) // 2),
            ((right - left) // 2, (bottom - top) // 2),
        )
        cv2.ellipse(pixels, middle, halves, 0, 0, 360, (255, 255, 255), -1)
    else:
        pixels[top:bottom, left:right] = 255
    cv2.imwrite(str(folder / name), pixels)
    width, height = right - left, bottom - top
    share = [(left + width / 2) / 300, (top + height / 2) / 200, width / 300, height / 200]
    return Labelled(folder / name, np.array([share]))


@pytest.mark.parametrize(
    "chances",
    [
        pytest.param(ONE_PLACE, id="upright"),
        pytest.param(SceneChances(four=0.0, tilt=0.0, turned=0.0, quarters=1.0), id="by quarters"),
        pytest.param(SceneChances(four=0.0, tilt=0.0, turned=1.0, quarters=0.0), id="by any angle"),
        pytest.param(SceneChances(four=1.0), id="several photos"),
    ],
)
def test_labels_lie_on_their_objects(tmp_path: Path, chances: SceneChances) -> None:
    """However a photo is scaled, turned and mirrored, each box is around its pixels."""
    scenes = ShotDetector(
        [photo(tmp_path, "a.png", (100, 60, 160, 140), is_round=True)], {}, chances, 3, is_round=True
    )
    seen = 0
    for _ in range(12):
        scene = scenes.scene(*SHAPES[0])
        bright = scene.pixels[..., 0] > 180
        for left, top, right, bottom in scene.boxes.round().astype(int):
            rows, columns = np.nonzero(bright[top:bottom, left:right])
            tolerance = max(2.0, 0.08 * max(right - left, bottom - top))
            assert columns.min() <= tolerance
            assert rows.min() <= tolerance
            assert right - left - columns.max() <= tolerance + 1
            assert bottom - top - rows.max() <= tolerance + 1
            bright[top:bottom, left:right] = False
            seen += 1
        # Nothing bright is left without a label: what was cut or too small is painted over.
        assert bright.mean() < 0.002
    assert seen >= 12


def test_labels_are_large_enough_and_inside(tmp_path: Path) -> None:
    """What cannot be learnt is no label."""
    photos = [photo(tmp_path, "a.png", (10, 10, 290, 190), is_round=False)]
    scenes = ShotDetector(photos, {}, SceneChances(), 5, is_round=False)
    for _ in range(10):
        scene = scenes.scene(*SHAPES[1])
        assert scene.boxes.min(initial=0.0) >= 0
        assert (scene.boxes[:, 2:] <= np.array([SHAPES[1][1], SHAPES[1][0]]) + 1e-6).all()
        assert ((scene.boxes[:, 2:] - scene.boxes[:, :2]).min(axis=1, initial=np.inf) >= LEAST_SIDE).all()


def test_small_objects_are_sampled_most(tmp_path: Path) -> None:
    """Most objects of a scene have 8 to 40 pixels, whatever they have in their photo."""
    photos = [photo(tmp_path, "a.png", (60, 40, 96, 76), is_round=True)]
    scenes = ShotDetector(photos, {}, ONE_PLACE, 7, is_round=True)
    boxes = np.concatenate([scenes.scene(*SHAPES[2]).boxes for _ in range(20)])
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert ((sides >= 8) & (sides <= 40)).mean() > 0.5


def test_weights_choose_sources(tmp_path: Path) -> None:
    """A source of weight 0 never comes."""
    photos = [
        photo(tmp_path, "good_1.png", (100, 60, 160, 140), is_round=True),
        Labelled(tmp_path / "none_1.png", np.zeros((0, 4))),
    ]
    scene = ShotDetector(photos, {"none_": 0.0}, SceneChances(), 9, is_round=True).scene(*SHAPES[0])
    assert len(scene.boxes)
    assert (np.abs(scene.pixels.astype(int) - PADDING).max(axis=2) > 8).mean() > 0.3


def test_what_was_mistaken_is_shown_without_a_label(tmp_path: Path) -> None:
    """A scene brings it to the size of an object, as large as objects are shown, and labels nothing."""
    shown = photo(tmp_path, "a.png", (240, 150, 260, 164), is_round=False)
    mistaken = shown._replace(shares=np.zeros((0, 4)), mistaken=shown.shares)
    chances = SceneChances(
        four=0.0, tilt=0.0, turned=0.0, quarters=0.0, shares=(0.0, 0.0, 1.0), most_enlarged=4.0
    )
    scenes = ShotDetector([mistaken], {}, chances, 5, is_round=False)
    sides = []
    for _ in range(8):
        scene = scenes.scene(*SHAPES[0])
        assert len(scene.boxes) == len(scene.sureness) == 0
        rows, _ = np.nonzero(scene.pixels[..., 0] > 180)
        sides.append(np.ptp(rows))
    assert min(sides) > 14
