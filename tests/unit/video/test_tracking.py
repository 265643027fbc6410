"""Boxes that are lost for a few frames stay hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.geometry import Box
from obscura.video.tracking import TrackedBox, Tracker, TrackerOptions

OPTIONS = TrackerOptions(sure={"face": 0.2, "plate": 0.2}, max_gap=5, hold=3)


def at(x: float, *, side: float = 20.0, sure: float = 0.9, name: str = "face") -> TrackedBox:
    """Return a detection of a square at ``x``."""
    return TrackedBox(name, Box(x, 50.0, x + side, 50.0 + side), sure)


def hidden(frames: list[list[TrackedBox]]) -> list[list[tuple[int, Box]]]:
    """Follow what was seen and return what is hidden per frame."""
    tracker = Tracker(OPTIONS)
    for number, seen in enumerate(frames):
        tracker.update(number, seen)
    return list(tracker.to_hide(len(frames)))


def covers(boxes: list[tuple[int, Box]], wanted: Box) -> bool:
    """Return whether one of the boxes covers most of ``wanted``."""
    return any(
        min(box.x2, wanted.x2) - max(box.x1, wanted.x1) >= 0.8 * wanted.width
        and min(box.y2, wanted.y2) - max(box.y1, wanted.y1) >= 0.8 * wanted.height
        for _, box in boxes
    )


@given(
    speed=st.floats(-8, 8),
    seen=st.sets(st.integers(0, 29), min_size=2).filter(
        lambda frames: max(b - a for a, b in zip(sorted(frames), sorted(frames)[1:], strict=False)) <= 5
    ),
)
def test_between_two_detections_the_object_is_hidden_where_it_must_be(speed: float, seen: set[int]) -> None:
    """A steady object with any gaps that are short enough is covered in every frame from first to last."""
    frames = [[at(300 + speed * number)] if number in seen else [] for number in range(30)]
    boxes = hidden(frames)
    for number in range(min(seen), max(seen) + 1):
        assert covers(boxes[number], at(300 + speed * number).box)


def test_before_and_after_it_is_held() -> None:
    """A face that turns away is hidden some frames longer, and some frames before it was first seen."""
    boxes = hidden([[] for _ in range(6)] + [[at(100)], [at(100)]] + [[] for _ in range(6)])
    assert [number for number, shown in enumerate(boxes) if shown] == list(range(3, 11))
    assert boxes[3][0][1].width > boxes[6][0][1].width


def test_an_unsure_detection_continues_and_never_begins() -> None:
    """0.1 alone is nothing; after a sure one it carries the box on."""
    assert not any(hidden([[at(100, sure=0.1)] for _ in range(5)]))
    boxes = hidden([[at(100)]] + [[at(100 + 4 * number, sure=0.1)] for number in range(1, 15)])
    assert all(covers(boxes[number], at(100 + 4 * number).box) for number in range(15))


@given(
    finds=st.lists(
        st.tuples(
            st.integers(0, 19),
            st.builds(
                at,
                st.floats(0, 600),
                side=st.floats(8, 200),
                sure=st.floats(OPTIONS.sure["face"], 1.0),
                name=st.sampled_from(["face", "plate"]),
            ),
        ),
        max_size=30,
    ),
    cuts=st.sets(st.integers(1, 19)),
)
def test_what_would_be_hidden_in_a_photo_is_hidden_in_its_frame(
    finds: list[tuple[int, TrackedBox]], cuts: set[int]
) -> None:
    """Any find of its class's threshold or above, wherever else it is seen, where it was found and whole."""
    tracker = Tracker(OPTIONS)
    for number in range(20):
        if number in cuts:
            tracker.cut(number)
        tracker.update(number, [item for frame, item in finds if frame == number])
    shown = list(tracker.to_hide(20))
    for number, item in finds:
        assert any(
            box.grow(1.0 + 1e-9).contains(item.box) and tracker.class_of(track) == item.class_name
            for track, box in shown[number]
        )


def test_one_frame_alone_is_enough() -> None:
    """A face seen once, of just the score that counts, is held as any other is; below that it is none."""
    frames: list[list[TrackedBox]] = [[] for _ in range(12)]
    frames[6] = [at(100, sure=OPTIONS.sure["face"])]
    assert [number for number, shown in enumerate(hidden(frames)) if shown] == list(range(3, 10))
    frames[6] = [at(100, sure=OPTIONS.sure["face"] - 0.001)]
    assert not any(hidden(frames))


def test_two_that_cross_stay_two() -> None:
    """Objects of one class keep their own tracks, and a plate never continues a face."""
    frames = [[at(100 + 10 * number), at(300 - 10 * number, name="plate")] for number in range(20)]
    assert all(len(boxes) == 2 for boxes in hidden(frames))


def test_what_leaves_for_long_comes_back_as_another() -> None:
    """Beyond the longest gap nothing is hidden in between."""
    boxes = hidden([[at(100)], [at(100)]] + [[] for _ in range(20)] + [[at(100)], [at(100)]])
    assert not boxes[10]
    assert len({track for shown in boxes for track, _ in shown}) == 2


@pytest.mark.parametrize("count", [0, 1, 3])
def test_frames_without_anything(count: int) -> None:
    """An empty video hides nothing in each of its frames."""
    assert hidden([[] for _ in range(count)]) == [[] for _ in range(count)]
