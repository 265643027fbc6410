"""Animations over HTTP: refused with a count, or worked on frame by frame."""

from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests import photos

pytestmark = pytest.mark.end_to_end


def animation() -> bytes:
    """Return three frames: the portrait, the portrait moved by 60 pixels, and nobody."""
    first = Image.open(photos.PORTRAIT).convert("RGB")
    second = Image.new("RGB", first.size, (40, 90, 140))
    third = second.copy()
    second.paste(first, (60, 0))
    sink = BytesIO()
    first.save(sink, "PNG", save_all=True, append_images=[second, third], duration=[80, 120, 200])
    return sink.getvalue()


def test_one_frame_is_the_default(client: httpx.Client) -> None:
    """The error says how many frames there are, and has a stable code."""
    answer = client.post("/blur_faces", files={"file": ("a.png", animation())})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "animated_photo"
    assert "3 frames" in answer.json()["error"]["message"]


def test_all_frames(client: httpx.Client) -> None:
    """Faces are found and hidden in each frame; finds and the report say in which."""
    answer = client.post("/blur_faces", files={"file": ("a.png", animation())}, data={"frames": "all"})
    assert answer.status_code == 200, answer.text
    task = f"/task_result/{answer.json()['task_id']}"
    result = client.get(task, params={"wait": 30}).json()
    assert result["status"] == "SUCCESS", result
    assert sorted(item["frame"] for item in result["detections"]) == [0, 1]
    assert result["image"] == {"width": 512, "height": 512, "frames": 3}
    assert sorted(result["report"]["frames"]["regions"]) == [0, 1]
    assert result["report"]["verdict"] == "clean"
    with Image.open(BytesIO(client.get(f"{task}/image").content)) as image:
        shown = [
            (np.asarray(frame.convert("RGB")).astype(int), frame.info["duration"])
            for frame in ImageSequence.Iterator(image)
        ]
    assert [time for _, time in shown] == [80, 120, 200]
    with Image.open(BytesIO(animation())) as image:
        before = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(image)]
    for number, left in ((0, 0), (1, 60)):
        x1, y1, x2, y2 = photos.FACE
        change = np.abs(before[number] - shown[number][0])
        assert change[y1:y2, x1 + left : x2 + left].mean() > 10
        assert change[300:].max() == 0
    assert np.array_equal(before[2], shown[2][0])


def test_a_persons_boxes_by_frame(client: httpx.Client) -> None:
    """A box with a frame is hidden in that one, a box without in all of them."""
    boxes = '[{"class": "plate", "xyxy": [10, 400, 60, 430], "frame": 1}, [400, 400, 440, 440]]'
    data = {"frames": "all", "boxes": boxes}
    answer = client.post("/redact", files={"file": ("a.png", animation())}, data=data)
    result = client.get(f"/task_result/{answer.json()['task_id']}", params={"wait": 30}).json()
    assert result["status"] == "SUCCESS", result
    assert result["report"]["frames"]["regions"] == [0, 1, 1, 2]
