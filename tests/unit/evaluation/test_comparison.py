"""Detectors on the same photos: figures, table, picture and misses."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from obscura.errors import InvalidRequestError, UndecodablePhotoError
from obscura.evaluation import FACE_BINS, Photo
from obscura.evaluation.comparison import LOWEST_SCORE, Comparison, compare, steps
from obscura.evaluation.labels import LabelledPhoto
from obscura.evaluation.misses import Miss, draw_misses, worst_misses
from obscura.evaluation.picture import HEIGHT, WIDTH, draw_curves
from obscura.evaluation.summary import Rules, Summary, summarise
from obscura.evaluation.table import side_by_side
from obscura.imaging.pixels import Pixels

RULES = Rules(FACE_BINS, min_iou=0.5, growth=1.3)
Floats = NDArray[np.float64]
NOTHING = np.zeros((0, 4))


class Known:
    """A detector that says the same of every photo: boxes in the photo's pixels, with scores."""

    name = "known"
    default_score = 0.5

    def __init__(self, *found: tuple[tuple[float, float, float, float], float]) -> None:
        self._boxes = np.array([box for box, _ in found], dtype=np.float64).reshape(-1, 4)
        self._scores = np.array([score for _, score in found], dtype=np.float64)
        self.asked: list[float] = []

    def detect(self, pixels: Pixels, min_score: float) -> tuple[Floats, Floats]:
        """Return the boxes from the score asked for on."""
        assert pixels.ndim == 3
        self.asked.append(min_score)
        kept = self._scores >= min_score
        return self._boxes[kept], self._scores[kept]


def labelled(name: str, *shares: tuple[float, float, float, float]) -> LabelledPhoto:
    """Return a photo with label boxes."""
    return LabelledPhoto(Path(name), np.array(shares, dtype=np.float64).reshape(-1, 4), NOTHING)


def opened(path: Path) -> Pixels:
    """Open photos of 100 x 200 pixels, but for those named broken."""
    if path.stem == "broken":
        message = "broken"
        raise UndecodablePhotoError(message)
    return np.zeros((200, 100, 3), dtype=np.uint8)


TOP_LEFT = ((0.0, 0.0, 20.0, 40.0), 0.9)
TOP_LEFT_SHARE = (0.1, 0.1, 0.2, 0.2)


def seen(*found: tuple[tuple[float, float, float, float], float]) -> Comparison:
    """Return what a detector with these boxes says about two photos with a label each, one of them broken."""
    photos = [labelled("whole.png", TOP_LEFT_SHARE), labelled("broken.png", TOP_LEFT_SHARE)]
    return compare(photos, [Known(*found)], opened)


def summary(*found: tuple[tuple[float, float, float, float], float]) -> Summary:
    """Return the figures of that."""
    compared = seen(*found)
    return summarise("known", compared.seen[0], RULES, 0.5, compared.cpu_ms[0])


def test_labels_of_an_unreadable_photo_are_missed() -> None:
    """The photo is listed, and its labels count, at the usual size of the others."""
    compared = seen(TOP_LEFT)
    assert [(path.name, error.code) for path, error in compared.unreadable] == [
        ("broken.png", "undecodable_photo")
    ]
    whole, broken = compared.seen[0]
    assert broken.labels == pytest.approx(np.array([[0.0, 0.0, 20.0, 40.0]]))
    assert (len(whole.boxes), len(broken.boxes)) == (1, 0)
    assert summary(TOP_LEFT).report.recall_more_false == 0.5


def test_nothing_is_measured_where_no_photo_opens() -> None:
    """A set of broken photos is an error, not a recall of zero."""
    with pytest.raises(InvalidRequestError, match="none of the photos can be opened"):
        compare([labelled("broken.png")], [Known()], opened)


def test_curves_look_low_and_clocks_look_as_users_do() -> None:
    """Boxes are collected down to the lowest score, time is taken at the detector's own threshold."""
    peer, ticks = Known(TOP_LEFT, ((50.0, 50.0, 60.0, 60.0), 0.02)), 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    photos = [labelled(f"{number}.png", TOP_LEFT_SHARE) for number in range(3)]
    compared = compare(photos, [peer], opened, tick)
    assert peer.asked == [LOWEST_SCORE] * 3 + [0.5] * 4  # once more to warm up
    assert [len(photo.boxes) for photo in compared.seen[0]] == [2, 2, 2]
    assert ticks == steps(3, 1) == 6
    assert compared.cpu_ms[0] >= 0.0


def test_figures_at_the_default_threshold() -> None:
    """A box on the threshold counts, one below does not; a loose box hides pixels and finds nothing."""
    loose = ((0.0, 0.0, 10.0, 40.0), 0.49)
    point = summary(((0.0, 0.0, 20.0, 40.0), 0.5), loose, ((70.0, 70.0, 90.0, 90.0), 0.8)).usual
    assert (point.recall, point.precision, point.false_per_photo) == (0.5, 0.5, 0.5)
    assert point.covered == 0.5
    half = summary(((0.0, 0.0, 8.0, 40.0), 0.9)).usual
    assert half.recall == 0.0
    # 8 px wide, grown by 1.3 about its centre to 9.2 and painted to the whole pixel: 10 of 20 columns.
    assert half.covered == pytest.approx(10 / 20 / 2)


def test_thresholds_are_scores_to_set() -> None:
    """The threshold of a rate is the lowest score still counted, so that setting it gives that recall."""
    false = [((70.0, 70.0 + 10 * n, 75.0, 75.0 + 10 * n), 0.7 - n / 10) for n in range(4)]
    at = summary(((0.0, 0.0, 20.0, 40.0), 0.65), *false).as_dict()["at_false_per_photo"]
    assert at["0.1"] == {
        "threshold": None,
        "recall": 0.0,
        "recall_by_size": {"<16": None, "16-32": None, "32-96": 0.0, ">=96": None},
    }
    assert (at["1"]["threshold"], at["1"]["recall"]) == (0.6, 0.5)


def test_figures_are_json() -> None:
    """Figures that do not exist are null: NaN and infinity are no JSON."""
    text = json.dumps(summary().as_dict(), allow_nan=False)
    assert json.loads(text)["at_default"] == {
        "threshold": 0.5,
        "recall": 0.0,
        "precision": None,
        "false_per_photo": 0.0,
        "covered_pixel_recall": 0.0,
    }


def test_table_shows_detectors_side_by_side() -> None:
    """A column per detector, the recall at both rates, sizes with their counts, a dash for no figure."""
    out = io.StringIO()
    table = side_by_side([summary(TOP_LEFT), summary()], RULES, "2 faces on 2 photos")
    Console(file=out, width=200).print(table)
    rows = {
        line.split("│")[1].strip(): line.split("│")[2:-1]
        for line in out.getvalue().splitlines()
        if "│" in line
    }
    cells = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    assert cells["AP at IoU 0.5"] == ["0.500", "0.000"]
    assert cells["recall at 0.1 / 1 false box per photo"] == ["0.500 / 0.500", "0.000 / 0.000"]
    assert cells["height 32-96 px (2)"] == ["0.500 / 0.500", "0.000 / 0.000"]
    assert cells["height <16 px (0)"] == ["-", "-"]
    assert cells["threshold for that"] == ["0.9 / 0.9", "- / -"]
    assert cells["labelled pixels hidden"] == ["0.500", "0.000"]


def test_misses_come_by_what_is_left_to_see() -> None:
    """A large face left bare is worse than a small one, and both than one that a loose box hides."""
    labels = np.array(
        [[0, 0, 10, 10], [20, 20, 60, 60], [100, 100, 140, 140], [200, 200, 210, 210]], dtype=float
    )
    boxes = np.array([[90, 90, 160, 160], [200, 200, 210, 210], [20, 20, 60, 60]], dtype=float)
    photo = Photo(labels, boxes, np.array([0.9, 0.8, 0.3]))
    misses = worst_misses([photo], 0.5, RULES)
    assert [miss.label[0] for miss in misses] == [20.0, 0.0, 100.0]
    assert [(miss.exposed, miss.hidden) for miss in misses] == [(1600.0, 0.0), (100.0, 0.0), (0.0, 1.0)]
    assert [miss.score for miss in misses] == [0.3, -np.inf, -np.inf]


def test_sheet_shows_the_missed_face() -> None:
    """Each miss has its tile, framed in red, also at the edge; a photo that does not open leaves grey."""

    def pixels_of(index: int) -> Pixels:
        return opened(Path("broken.png" if index else "whole.png"))

    photos = seen().seen[0]
    misses = worst_misses(photos, 0.5, RULES)
    sheet = np.asarray(draw_misses(misses, photos, 0.5, pixels_of))
    first, second = sheet[30:229, 1:199], sheet[30:229, 201:399]
    assert (first == (255, 0, 0)).all(axis=2).sum() > 100
    assert (second[20:180, 20:180] == (128, 128, 128)).all()


def test_sheet_without_misses_says_so() -> None:
    """A perfect detector still gets its file."""
    none: list[Miss] = []
    sheet = draw_misses(none, [], 0.5, lambda _: opened(Path("a.png")))
    assert np.asarray(sheet).min() < 128


def test_curves_have_a_line_for_each_detector() -> None:
    """The picture has its size, a colour for each, and stands a detector that finds nothing."""
    curves = [("ours", summary(TOP_LEFT).report.curve), ("blind", summary().report.curve)]
    picture = draw_curves(curves, "faces")
    assert picture.size == (WIDTH, HEIGHT)
    assert isinstance(picture, Image.Image)
    colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours
