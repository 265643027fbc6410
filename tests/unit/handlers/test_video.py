"""The service of videos: a mask lies behind its video; the two are told apart wherever they are stored."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from obscura.contract import JobKind, JobOptions, ObjectClass, Step
from obscura.handlers.video import video_service
from obscura.jobs import Claimed, JobRecord, NewJob
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.worker.service import WorkerContext
from tests import videos
from tests.end_to_end.test_video_masks import STRIP, WHOLE_WAY, mask

KEY = "photos/a"


def claimed(drawn: bytes) -> Claimed:
    """Return the one step of a job whose mask has so many bytes."""
    options = JobOptions.model_validate(
        {"classes": (ObjectClass.FACE,), "keep": ({"xyxy": WHOLE_WAY},), "mask_bytes": len(drawn)}
    )
    fields = NewJob("a", JobKind.BLUR_VIDEO, options, KEY).fields()
    return Claimed(
        JobRecord.from_fields("a", {**fields, "state": "running", "created": "0"}), Step.VIDEO, "1"
    )


@pytest.mark.parametrize("opened", [Storage.in_folder, lambda _: Storage.in_memory()], ids=["folder", "away"])
def test_a_mask_behind_a_video_is_no_part_of_it(tmp_path: Path, opened: Callable[[Path], Storage]) -> None:
    """The result is that of both; the work leaves no file behind, and the object as it was."""
    data = videos.make(tmp_path / "a.avi", frames=2, sound=False).read_bytes()
    storage = opened(tmp_path / "photos")
    settings = Settings(video_dir=tmp_path / "work")
    work = video_service().build(WorkerContext(settings, storage, lambda *_: None))[Step.VIDEO]
    storage.put_file(KEY, io.BytesIO(data + mask()))
    step = claimed(mask())
    report = json.loads(work(step)["report"])
    expected = {"frames": 2, "kept": 2, "tracks": {}, "warnings": [], "hidden_frames": 2, "regions": [STRIP]}
    assert {name: report[name] for name in expected} == expected
    assert storage.size(step.result_key) == report["bytes"]
    assert storage.get(KEY) == data + mask()
    assert list((tmp_path / "work").iterdir()) == []
