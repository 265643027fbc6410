"""Videos: every face stays hidden, nothing but the faces changes much, sound and turn are as they were."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av import VideoFrame
from PIL import Image

from obscura.contract import MetadataPolicy, ObjectClass
from obscura.detection.detector import Detector
from obscura.detection.loading import load_for
from obscura.errors import PhotoError, ProcessingFailedError, TooManyPixelsError, UnsupportedFormatError
from obscura.geometry import Box, Size
from obscura.redaction.masks import mask, window
from obscura.redaction.styles import Fill, Mosaic, RegionShape, Soft, Solid, Style
from obscura.settings import Settings
from obscura.video.patterns import cover, pattern_of
from obscura.video.planes import paintable, planes
from obscura.video.redact import Stage, VideoRequest, redact_video
from obscura.video.source import VideoLimits
from obscura.video.writer import ENCODED_SOUND
from tests import videos

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = 20


@pytest.fixture(scope="module")
def detectors() -> list[Detector]:
    """Return a face detector."""
    return [load_for(Settings(), ObjectClass.FACE, 2)]


def change(one: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return the mean difference of two pictures inside a box."""
    parts = [np.asarray(item.convert("RGB").crop(box), np.float32) for item in (one, other)]
    return float(np.abs(parts[0] - parts[1]).mean())


@pytest.mark.parametrize(
    ("name", "rotation", "pixels"),
    [
        ("a.mp4", 0, "yuv420p"),
        ("b.mov", 90, "yuv422p"),
        ("c.mkv", 270, "yuv420p10le"),
        ("d.webm", 0, "yuv420p"),
    ],
)
def test_faces_are_hidden_in_every_frame(
    detectors: list[Detector], tmp_path: Path, name: str, rotation: int, pixels: str
) -> None:
    """Also where the detector cannot see it: in frames that show nothing, the box goes on."""
    source = videos.make(tmp_path / name, rotation=rotation, pixels=pixels, blank=(9, 10))
    target = tmp_path / f"out_{name}"
    seen: list[Stage] = []
    report = redact_video(source, target, detectors, VideoRequest(), lambda stage, *_: seen.append(stage))
    before, after = videos.upright_frames(source), videos.upright_frames(target)
    assert len(after) == len(before) == report.frames == FRAMES
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert new.size == old.size == videos.SIZE
        face = videos.face_at(number / FRAMES)
        if number in {9, 10}:
            # Painted where the face would be, though the frame shows only the room.
            assert change(old, new, face) > 5
        else:
            assert change(old, new, face) > 15
        # Far from the person only the coding differs.
        assert change(old, new, (0, 200, 320, 240)) < 3
    assert videos.sound_packets(source) == videos.sound_packets(target)
    assert seen.count(Stage.DETECTING) == seen.count(Stage.REDACTING) == FRAMES
    assert report.tracks == {"face": 1}
    assert b"PRIVATE MARKER" not in target.read_bytes()
    with av.open(str(target)) as container:
        assert not {"title", "location"} & {tag.lower() for tag in container.metadata}


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
def test_the_pattern_stands_still(layout: str) -> None:
    """Over any frame the same colours, three on the long side: whoever sees a hundred frames has seen one."""
    rng = np.random.default_rng(1)
    frames = [
        paintable(
            VideoFrame.from_ndarray(rng.integers(0, 256, (120, 160, 3), np.uint8), "rgb24").reformat(
                format=layout
            )
        )
        for _ in range(3)
    ]
    box = Box(40, 20, 100, 110)
    pattern = pattern_of(frames[0], box, Mosaic(3))
    assert [max(grid.shape) for grid in pattern.grids] == [3, 3, 3]
    inside: list[NDArray[Any]] = []
    for frame in frames[1:]:
        untouched = frame.to_ndarray(format="rgb24")
        cover(frame, [(pattern, box, RegionShape.BOX)])
        painted = frame.to_ndarray(format="rgb24")
        inside.append(painted[22:108, 42:98])
        assert np.array_equal(painted[:, 110:], untouched[:, 110:])
    assert np.array_equal(inside[0], inside[1])


def noisy_frame(seed: int, layout: str = "yuv420p") -> VideoFrame:
    """Return a frame of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)
    return paintable(VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=layout))


@pytest.mark.parametrize("style", [Soft(), Fill()])
@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
def test_a_fill_tells_nothing_of_a_frame_but_what_is_around(layout: str, style: Style) -> None:
    """Two frames that differ under the outline alone become the same frame, by the tone of the start."""
    box, shape = Box(40, 20, 101, 111), RegionShape.SUPERELLIPSE
    pattern = pattern_of(noisy_frame(1, layout), box, style)
    one, other = noisy_frame(2, layout), noisy_frame(2, layout)
    before = [plane.copy() for plane in planes(one)]
    for plane in planes(other):
        place = box.scale(plane.shape[1] / 160, plane.shape[0] / 120)
        inside = window(place, Size(plane.shape[1], plane.shape[0]))
        plane[inside.slices][mask(place, shape, inside)] = 77
    for frame in (one, other):
        cover(frame, [(pattern, box, shape)])
    for first, second, was in zip(planes(one), planes(other), before, strict=True):
        np.testing.assert_array_equal(first, second)
        scale = was.shape[1] / 160
        right = round(102 * scale)
        np.testing.assert_array_equal(first[:, right:], was[:, right:])


def test_a_track_keeps_its_tone() -> None:
    """A face that grows darker in later frames shows the tone that its track began with."""
    box = Box(40, 20, 100, 110)
    light = paintable(
        VideoFrame.from_ndarray(np.full((120, 160, 3), 200, np.uint8), "rgb24").reformat(format="yuv420p")
    )
    pattern = pattern_of(light, box, Soft())
    shown = []
    for level in (200, 20):
        pixels = np.full((120, 160, 3), 120, np.uint8)
        pixels[20:110, 40:100] = level
        frame = paintable(VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p"))
        cover(frame, [(pattern, box, RegionShape.BOX)])
        shown.append(frame.to_ndarray(format="rgb24")[60, 70].astype(int))
    assert np.array_equal(shown[0], shown[1])
    assert abs(int(shown[0].mean()) - 200) <= 16


def test_one_colour_in_a_video_is_the_colour_asked_for() -> None:
    """A colour is converted as the frame is coded."""
    frame, box = noisy_frame(5), Box(40, 20, 100, 110)
    cover(frame, [(pattern_of(frame, box, Solid((200, 120, 40))), box, RegionShape.BOX)])
    shown = frame.to_ndarray(format="rgb24")[30:100, 50:90].astype(int)
    assert np.abs(shown - (200, 120, 40)).max() <= 6


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.mkv", "d.webm", "e.avi"])
def test_equal_files_give_equal_bytes(detectors: list[Detector], tmp_path: Path, name: str) -> None:
    """Whatever threads decode and encode, and whatever number or time the container would like to have."""
    source = videos.make(tmp_path / name, frames=12)
    target = tmp_path / f"out_{name}"
    results = set()
    for _ in range(6):
        redact_video(source, target, detectors, VideoRequest())
        results.add(target.read_bytes())
    assert len(results) == 1


def test_an_avi_keeps_its_times(detectors: list[Detector], tmp_path: Path) -> None:
    """Its pictures come in another order than they are coded; a copy of its AAC lost its times."""
    source, target = videos.make(tmp_path / "a.avi", frames=FRAMES), tmp_path / "b.avi"
    report = redact_video(source, target, detectors, VideoRequest())
    before, after = videos.sound_packets(source), videos.sound_packets(target)
    assert len(before) <= len(after) <= len(before) + 2
    assert [time for time, _ in after] == list(range(len(after)))
    with av.open(str(target)) as container:
        shown = [frame.dts for frame in container.decode(video=0)]
    # The decoder may find out after the first picture that another one comes before the next.
    assert shown[0] == 0
    assert shown[1:] in (list(range(1, FRAMES)), list(range(2, FRAMES + 1)))
    assert report.warnings == (ENCODED_SOUND,)


def test_tags_by_policy(detectors: list[Detector], tmp_path: Path) -> None:
    """keep_safe keeps the place, coarse_gps and strip do not; free texts never stay."""
    source = videos.make(tmp_path / "a.mp4", frames=3)
    kept = {}
    for policy in MetadataPolicy:
        target = tmp_path / f"{policy}.mp4"
        redact_video(source, target, detectors, VideoRequest(metadata=policy))
        with av.open(str(target)) as container:
            kept[policy] = "location" in container.metadata
            assert "title" not in container.metadata
    assert kept == {
        MetadataPolicy.STRIP: False,
        MetadataPolicy.KEEP_SAFE: True,
        MetadataPolicy.COARSE_GPS: False,
    }


def test_what_is_no_video_is_refused(detectors: list[Detector], tmp_path: Path) -> None:
    """Texts, playlists that name other files, cut-off videos, too large frames, sound alone."""
    target = tmp_path / "out.mp4"
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(UnsupportedFormatError):
        redact_video(playlist, target, detectors, VideoRequest())
    whole = videos.make(tmp_path / "a.mp4", frames=5)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(PhotoError):
        redact_video(cut, target, detectors, VideoRequest())
    with pytest.raises(TooManyPixelsError):
        redact_video(whole, target, detectors, VideoRequest(limits=VideoLimits(max_pixels=1000)))
    with pytest.raises(ProcessingFailedError):
        redact_video(whole, tmp_path / "out.webm", detectors, VideoRequest())
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name or path.name.startswith(".")] == []


def test_whoever_ends_it_leaves_nothing(detectors: list[Detector], tmp_path: Path) -> None:
    """A progress callback that raises cancels: no output, no temporary file."""
    source = videos.make(tmp_path / "a.mp4", frames=8)

    def cancel(stage: Stage, done: int, _total: int) -> None:
        if stage is Stage.REDACTING and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redact_video(source, tmp_path / "b.mp4", detectors, VideoRequest(), cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
