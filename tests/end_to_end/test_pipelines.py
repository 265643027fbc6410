"""Split or fused: the same answers."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import photos
from tests.end_to_end.test_faceblur import finished, work
from tests.end_to_end.test_observability import whole_trace
from tests.gateways import RunningGateway
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
# Hidden under one colour each, without noise: only the time differs from run to run.
SOLID = {"style": "solid"}


@pytest.fixture(scope="module")
def pair(
    system: RunningSystem, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Return clients of the usual system and of a gateway of it with the other pipeline.

    One worker serves the queues of both, and each job goes through those of its gateway's pipeline.
    """
    folder = tmp_path_factory.mktemp("pipelines")
    with (
        RunningGateway.beside(system, folder, pipeline="split") as other,
        httpx.Client(base_url=system.url, timeout=60) as one_client,
        httpx.Client(base_url=other.url, timeout=60) as other_client,
    ):
        other.wait_until_ready()
        yield one_client, other_client


def timeless(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without the time in its manifest."""
    manifest = {key: value for key, value in (body.get("manifest") or {}).items() if key != "time"}
    return {**body, "manifest": manifest}


@pytest.mark.parametrize(
    ("path", "quality"), [("/detect", "balanced"), ("/blur", "balanced"), ("/blur", "rapid")]
)
def test_both_give_the_same_answer(pair: tuple[httpx.Client, ...], path: str, quality: str) -> None:
    """Picture, detections, models, report and manifest of several photos are alike to the last byte."""
    inputs = [
        photos.encoded(photos.group(6, 4), quality=90),
        photos.encoded(photos.car()[0], quality=92),
        photos.encoded(photos.group(), "PNG"),
        photos.turned(photos.portrait(), 6),
    ]
    for photo in inputs:
        options = {"quality": quality} if path == "/detect" else {"quality": quality, **SOLID}
        one, other = (work(client, path, photo, options) for client in pair)
        assert one["status"] == "SUCCESS"
        assert timeless(one) == timeless(other)


def test_a_trace_goes_through_all_queues(pair: tuple[httpx.Client, ...], system: RunningSystem) -> None:
    """Every step of a job has its wait and its parts under the one request, whichever process did it."""
    photo = photos.encoded(photos.portrait(), quality=90)
    posted = pair[1].post("/blur", files={"file": photo}, headers={"x-request-id": "through-queues"})
    assert finished(pair[1], posted.json()["task_id"])["status"] == "SUCCESS"
    steps = {"detect_faces", "detect_plates", "redact", "review_faces", "review_plates"}
    parts = {"POST /blur", "queue wait", "detection", "redaction", "verification", "review"}
    spans = whole_trace(system.data_dir.with_name("traces.jsonl"), "through-queues", steps | parts)
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    parents = {span["name"]: names.get(span["parent_id"]) for span in spans if span["name"] in steps}
    assert parents == dict.fromkeys(steps, "POST /blur")
    waits = [span for span in spans if span["name"] == "queue wait"]
    assert {span["attributes"]["obscura.step"] for span in waits} == steps


def test_both_apply_a_persons_boxes(pair: tuple[httpx.Client, ...]) -> None:
    """What a person drew is hidden alike, and both say alike what that leaves open."""
    boxes = {"boxes": '[{"class": "plate", "xyxy": [20, 20, 200, 120]}]'}
    photo = photos.encoded(photos.group(), quality=90)
    one, other = (work(client, "/redact", photo, boxes) for client in pair)
    assert one["status"] == "SUCCESS"
    assert one["report"]["verdict"] == "needs_review"
    assert {item["class"] for item in one["report"]["residual"]} == {"face"}
    assert timeless(one) == timeless(other)


def test_both_hide_a_mask_and_spare_a_zone(pair: tuple[httpx.Client, ...]) -> None:
    """The mask goes with its photo to every step that needs it; what is spared is no suspect."""
    photo, mask = photos.encoded(photos.portrait(), quality=90), Image.new("1", (64, 64))
    mask.paste(1, (0, 50, 64, 64))
    files = {"file": photo, "mask": photos.encoded(mask, "PNG")}
    answers = []
    for client in pair:
        posted = client.post("/blur", files=files, data={**SOLID, "keep": "[[120, 10, 330, 260]]"})
        answers.append(finished(client, posted.json()["task_id"]))
    one, other = answers
    assert (one["report"]["hidden"], one["report"]["kept"]) == ({"mask": 1}, 1)
    assert one["report"]["verdict"] == "clean"
    assert timeless(one) == timeless(other)


def test_both_refuse_alike(pair: tuple[httpx.Client, ...]) -> None:
    """A photo that passes the gate and cannot be decoded ends in the same error."""
    whole = photos.encoded(photos.portrait(), quality=90)
    middle = len(whole) // 2
    damaged = whole[:middle] + b"\xff\xc4\x00\x04\x00\x00" + whole[middle:]
    one, other = (work(client, "/blur", damaged) for client in pair)
    assert one["status"] == "FAILURE"
    assert one == other


def test_both_forget_what_was_cancelled(pair: tuple[httpx.Client, ...]) -> None:
    """A job that is erased while it waits or runs leaves nothing, and the next one is worked on."""
    photo = photos.encoded(photos.group(6, 4).resize((1800, 1200)), quality=90)
    for client in pair:
        tasks = [client.post("/blur", files={"file": photo}).json()["task_id"] for _ in range(3)]
        time.sleep(0.2)
        for task in tasks[:2]:
            assert client.delete(f"/task_result/{task}").status_code == 204
        assert finished(client, tasks[2])["status"] == "SUCCESS"
        assert [client.get(f"/task_result/{task}").status_code for task in tasks] == [404, 404, 200]
