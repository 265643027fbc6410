"""Boxes that are lost for a few frames stay hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.geometry import Box
from obscura.video.tracking import TrackedBox, Tracker, TrackerOptions

OPTIONS = TrackerOptions(max_gap=5, max_doubt=3, hold=3)


def at(x: float, *, side: float = 20.0, sure: bool = True, name: str = "face") -> TrackedBox:
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


@pytest.mark.parametrize("sure", [0, 7, 14])
def test_one_sure_detection_hides_the_unsure_ones_before_and_after_it(sure: int) -> None:
    """Unsure ones alone are nothing; with a sure one all of them are hidden, where they were."""
    assert not any(hidden([[at(100, sure=False)] for _ in range(5)]))
    boxes = hidden([[at(100 + 4 * number, sure=number == sure)] for number in range(15)])
    assert all(covers(boxes[number], at(100 + 4 * number).box) for number in range(15))
    assert len({track for shown in boxes for track, _ in shown}) == 1


def test_unsure_boxes_are_as_large_as_sure_ones() -> None:
    """A smaller one keeps its middle and takes the size that the sure ones before and after it tell."""
    frames = [[at(100, side=40)], [at(110, side=20, sure=False)], [at(100, side=48)]]
    (box,) = (box for _, box in hidden(frames)[1])
    assert box == Box(98, 38, 142, 82)


def test_behind_the_last_sure_one_an_unsure_box_grows_little() -> None:
    """What fades out may be something else, or far away by now: a large patch over it would be seen."""
    frames = [[at(100, side=40)], [at(100, side=20, sure=False)]]
    (box,) = (box for _, box in hidden(frames)[1])
    assert box == Box(94, 44, 126, 76)


def test_a_long_gap_is_bridged_to_a_sure_detection_only() -> None:
    """What is seen weakly, long after and elsewhere, is another thing: all of the way would be hidden."""
    gap: list[list[TrackedBox]] = [[] for _ in range(OPTIONS.max_doubt)]
    for sure in (True, False):
        boxes = hidden([[at(100)], *gap, [at(130, sure=sure)]])
        assert any(box.x1 > 120 for shown in boxes for _, box in shown) is sure


def test_a_doubtful_track_is_forgotten_sooner_than_a_sure_one() -> None:
    """What was unsure long ago is not hidden with what is sure now, and takes nothing from a sure track."""
    frames = [[at(100, sure=False)], *([[] for _ in range(OPTIONS.max_doubt + 1)]), [at(100)]]
    assert not hidden(frames)[0]
    frames = [[at(100)], [at(103), at(112, sure=False)], [at(106), at(109, sure=False)]]
    boxes = hidden(frames)
    assert {track for shown in boxes for track, _ in shown} == {0}
    assert covers(boxes[2], at(106).box)


@pytest.mark.parametrize(
    ("seen", "strong", "weak"),
    [
        ([at(104)], 1, False),
        ([at(104, sure=False)], 0, False),
        # Somebody else; the one that was followed is lost; somebody else, but hardly.
        ([at(104), at(300, sure=False)], 2, True),
        ([], 0, True),
        ([at(104), at(300, sure=False)], 1, False),
    ],
)
def test_detections_are_weak_where_they_leave_open_what_tracks_show(
    seen: list[TrackedBox], strong: int, *, weak: bool
) -> None:
    """A strong detection without a track, or a track without a detection; not one lost before ``since``."""
    tracker = Tracker(OPTIONS)
    tracker.update(0, [at(100)])
    assert tracker.is_weak(1, "face", seen, strong, 0) is weak
    assert not tracker.is_weak(1, "plate", [], 0, 0)
    assert not tracker.is_weak(1, "face", [], 0, 1)


@given(
    finds=st.lists(
        st.tuples(
            st.integers(0, 19),
            st.builds(
                at,
                st.floats(0, 600),
                side=st.floats(8, 200),
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
    """A face seen once is held as any other is; an unsure one is none."""
    frames: list[list[TrackedBox]] = [[] for _ in range(12)]
    frames[6] = [at(100)]
    assert [number for number, shown in enumerate(hidden(frames)) if shown] == list(range(3, 10))
    frames[6] = [at(100, sure=False)]
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
