"""The main job over HTTP, as the seed's users and their clients do it."""

import base64
import io
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from obscura.contract import Quality
from tests import photos

pytestmark = pytest.mark.end_to_end
MAX_S = 180


def finished(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """Return a task's answer once it has ended."""
    deadline = time.monotonic() + MAX_S
    while time.monotonic() < deadline:
        answer = client.get(f"/task_result/{task_id}", params={"wait": 10})
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        if body["status"] in {"SUCCESS", "FAILURE"}:
            return body
        assert body["status"] in {"PENDING", "RUNNING"}
        assert "result" not in body
    pytest.fail("the task did not end")


def work(
    client: httpx.Client, path: str, photo: bytes, data: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Post a photo and return the finished answer."""
    posted = client.post(path, files={"file": ("photo", photo)}, data=dict(data or {}))
    assert posted.status_code == 200, posted.text
    return finished(client, posted.json()["task_id"])


def picture_in(body: Mapping[str, Any]) -> Image.Image:
    """Return the picture in an answer."""
    picture = Image.open(io.BytesIO(base64.b64decode(body["result"], validate=True)))
    picture.load()
    return picture


def iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def is_hidden(before: Image.Image, after: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Whether detail inside ``box`` is gone: few colours, far from the original."""
    old = np.asarray(before.convert("RGB").crop(box)).astype(float)
    new = np.asarray(after.convert("RGB").crop(box)).astype(float)
    # The energy of neighbouring differences is what tells a face from flat cells.
    detail = [
        np.abs(np.diff(pixels, axis=0)).mean() + np.abs(np.diff(pixels, axis=1)).mean()
        for pixels in (old, new)
    ]
    return bool(np.abs(new - old).mean() > 8 and detail[1] < 0.6 * detail[0])


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
@pytest.mark.parametrize("path", ["detect_faces", "blur_faces"])
def test_the_seeds_curl_commands_work_word_for_word(system_url: str, portrait: Path, path: str) -> None:
    """The README of the first author is followed letter by letter, but for port and file."""
    post = (
        'curl -X POST -H "Content-Type: multipart/form-data" '
        f'-F "file=@/path/to/your/image.jpg" "http://localhost:8000/{path}"'
    )
    get = 'curl "http://localhost:8000/task_result/some-task-id"'

    def shell(command: str) -> dict[str, Any]:
        words = command.replace("http://localhost:8000", system_url).replace(
            "/path/to/your/image.jpg", str(portrait)
        )
        done = subprocess.run(["sh", "-c", words], capture_output=True, check=True, timeout=MAX_S)
        body: dict[str, Any] = json.loads(done.stdout)
        return body

    task_id = shell(post)["task_id"]
    deadline = time.monotonic() + MAX_S
    body = shell(get.replace("some-task-id", task_id))
    while body["status"] != "SUCCESS" and time.monotonic() < deadline:
        body = shell(get.replace("some-task-id", task_id))
    if path == "detect_faces":
        assert iou(tuple(body["result"]["face_1"]["facial_area"]), photos.FACE) > 0.5
    else:
        assert is_hidden(photos.portrait(), picture_in(body), photos.FACE)


def test_an_answer_says_what_was_done(client: httpx.Client, portrait: Path) -> None:
    """Beside the result stand detections, image, model and report, never inside it."""
    body = work(client, "/detect_faces", portrait.read_bytes())
    assert set(body["result"]) == {"face_1"}
    assert set(body["result"]["face_1"]) == {"facial_area"}
    assert body["image"] == {"width": 512, "height": 512}
    assert body["model"]["name"] == "face-yolov8n"
    (found,) = body["detections"]
    assert found["class"] == "face"
    assert 0.25 < found["confidence"] <= 1
    assert [round(edge) for edge in found["xyxy"]] == body["result"]["face_1"]["facial_area"]
    report = work(client, "/blur_faces", portrait.read_bytes())["report"]
    assert report["verdict"] == "clean"


@pytest.mark.parametrize("quality", list(Quality))
def test_every_quality_hides_the_face(client: httpx.Client, portrait: Path, quality: Quality) -> None:
    """However hard it looks, the face of the portrait is found and hidden, and nothing is left to be seen."""
    body = work(client, "/blur_faces", portrait.read_bytes(), {"quality": quality.value})
    assert body["report"]["verdict"] == "clean"
    assert is_hidden(photos.portrait(), picture_in(body), photos.FACE)
    assert {"onnx", "scout.onnx"} <= set(body["model"]["weights"])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 2, 4, 5, 7])
def test_boxes_and_redaction_follow_the_exif_orientation(client: httpx.Client, orientation: int) -> None:
    """However the camera was held, the face is found and hidden where a person sees it."""
    upright = photos.portrait().crop((60, 0, 460, 512))
    face = tuple(edge - (60 if number % 2 == 0 else 0) for number, edge in enumerate(photos.FACE))
    photo = photos.turned(upright, orientation)
    body = work(client, "/detect_faces", photo)
    assert body["image"] == {"width": 400, "height": 512}
    assert iou(tuple(body["result"]["face_1"]["facial_area"]), face) > 0.5
    picture = picture_in(work(client, "/blur_faces", photo))
    # The stored pixels stay as they are, and the orientation is the only tag that comes along.
    assert dict(picture.getexif()) == ({} if orientation == 1 else {photos.ORIENTATION_TAG: orientation})
    picture = ImageOps.exif_transpose(picture)
    assert picture.size == (400, 512)
    assert is_hidden(upright, picture, (face[0], face[1], face[2], face[3]))


def test_boxes_are_those_of_the_upright_photo(client: httpx.Client) -> None:
    """Whatever the orientation says, the face is where it is in the upright photo: IoU of 0.9 at least."""
    upright = photos.portrait().crop((60, 0, 460, 512))

    def face_in(photo: bytes) -> tuple[int, ...]:
        return tuple(work(client, "/detect_faces", photo)["result"]["face_1"]["facial_area"])

    expected = face_in(photos.encoded(upright, quality=95))
    for orientation in range(1, 9):
        assert iou(face_in(photos.turned(upright, orientation)), expected) >= 0.9, orientation
    for nonsense in (0, 9, 65_535):
        tags = Image.Exif()
        tags[photos.ORIENTATION_TAG] = nonsense
        assert iou(face_in(photos.encoded(upright, quality=95, exif=tags)), expected) >= 0.9, nonsense


def test_every_face_of_a_group_is_hidden(client: httpx.Client) -> None:
    """Six people in, six boxes found, six faces hidden."""
    people = photos.group()
    photo = photos.encoded(people, quality=92)
    found = work(client, "/detect_faces", photo)["result"]
    assert len(found) == 6
    picture = picture_in(work(client, "/blur_faces", photo))
    for face in found.values():
        assert is_hidden(people, picture, tuple(face["facial_area"]))


def test_plates_have_routes_of_their_own(client: httpx.Client) -> None:
    """A number plate is found as plate_1/plate_area, and becomes one flat colour."""
    picture, plate = photos.car()
    photo = photos.encoded(picture, quality=92)
    body = work(client, "/detect_plates", photo)
    assert iou(tuple(body["result"]["plate_1"]["plate_area"]), plate) > 0.5
    hidden = np.asarray(picture_in(work(client, "/blur_plates", photo)).crop(plate)).astype(float)
    assert hidden.reshape(-1, 3).std(axis=0).max() < 4


def test_both_classes_in_one_job(client: httpx.Client) -> None:
    """`/detect` and `/blur` look for all classes unless told which."""
    canvas = Image.new("RGB", (800, 1112))
    street, plate = photos.car()
    canvas.paste(street, (0, 0))
    canvas.paste(photos.portrait(), (100, 600))
    face = (photos.FACE[0] + 100, photos.FACE[1] + 600, photos.FACE[2] + 100, photos.FACE[3] + 600)
    photo = photos.encoded(canvas, quality=92)
    both = work(client, "/detect", photo)
    assert iou(tuple(both["result"]["face_1"]["facial_area"]), face) > 0.5
    assert iou(tuple(both["result"]["plate_1"]["plate_area"]), plate) > 0.5
    assert [item["confidence"] for item in both["detections"]] == sorted(
        (item["confidence"] for item in both["detections"]), reverse=True
    )
    assert [model["name"] for model in both["models"]] == ["face-yolov8n", "plate-yolov8n"]
    hidden = picture_in(work(client, "/blur", photo))
    assert is_hidden(canvas, hidden, face)
    assert is_hidden(canvas, hidden, plate)
    only = work(client, "/detect", photo, {"classes": "plate"})["result"]
    assert set(only) == {"plate_1"}


@pytest.mark.parametrize(("format_name", "media_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_other_formats_come_back_as_they_went(
    client: httpx.Client, format_name: str, media_type: str
) -> None:
    """PNG and WebP in, the same out; `output` chooses another."""
    photo = photos.encoded(photos.portrait(), format_name)
    task = client.post("/blur_faces", files={"file": photo}).json()["task_id"]
    assert picture_in(finished(client, task)).format == format_name
    answer = client.get(f"/task_result/{task}/image")
    assert answer.headers["content-type"] == media_type
    assert picture_in(work(client, "/blur_faces", photo, {"output": "jpeg"})).format == "JPEG"


def test_the_picture_is_waited_for(client: httpx.Client, portrait: Path) -> None:
    """One call waits for the end and brings the picture; without waiting there is none yet."""
    photo = photos.encoded(photos.group(6, 4), quality=90)
    tasks = [client.post("/blur", files={"file": photo}).json()["task_id"] for _ in range(3)]
    assert client.get(f"/task_result/{tasks[-1]}/image").status_code == 404
    for task in tasks:
        answer = client.get(f"/task_result/{task}/image", params={"wait": 30})
        assert answer.headers["content-type"] == "image/jpeg"
        assert base64.b64encode(answer.content).decode() == finished(client, task)["result"]
    assert client.get(f"/task_result/{tasks[0]}/image", params={"wait": 31}).status_code == 422


def test_the_picture_is_served_as_bytes(client: httpx.Client, portrait: Path) -> None:
    """Content type, name of ours, ETag and ranges; the same bytes as in base64."""
    task = client.post("/blur_faces", files={"file": ("../../evil.jpg", portrait.read_bytes())}).json()[
        "task_id"
    ]
    whole = base64.b64decode(finished(client, task)["result"])
    answer = client.get(f"/task_result/{task}/image")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.content == whole
    assert "evil" not in answer.headers["content-disposition"]
    part = client.get(f"/task_result/{task}/image", headers={"range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, whole[:100])
    head = client.head(f"/task_result/{task}/image")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))
    any_copy = client.get(f"/task_result/{task}/image", headers={"if-none-match": "*"})
    assert any_copy.status_code == 304
    same = client.get(f"/task_result/{task}/image", headers={"if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_a_detection_has_no_picture(client: httpx.Client, portrait: Path) -> None:
    """Asking a detection for its picture is a 404 that says so."""
    task = client.post("/detect_faces", files={"file": portrait.read_bytes()}).json()["task_id"]
    finished(client, task)
    answer = client.get(f"/task_result/{task}/image")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_picture")


def test_erasing_makes_the_id_unknown(client: httpx.Client, portrait: Path) -> None:
    """DELETE answers 204; after it nothing is left to fetch."""
    task = client.post("/blur_faces", files={"file": portrait.read_bytes()}).json()["task_id"]
    finished(client, task)
    assert client.delete(f"/task_result/{task}").status_code == 204
    for path in (f"/task_result/{task}", f"/task_result/{task}/image"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_task")
    assert client.delete(f"/task_result/{task}").status_code == 404


def test_an_idempotency_key_returns_the_same_task(client: httpx.Client, portrait: Path) -> None:
    """A repeated post does no second job; another photo under the same key is a conflict."""
    headers = {"idempotency-key": str(uuid.uuid4())}

    def post(photo: bytes) -> httpx.Response:
        return client.post("/detect_faces", files={"file": photo}, headers=headers)

    first, second = post(portrait.read_bytes()), post(portrait.read_bytes())
    assert first.json() == second.json()
    other = post(photos.encoded(photos.group()))
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_a_persons_boxes_are_applied_exactly(client: httpx.Client, portrait: Path) -> None:
    """`/redact` hides the given boxes and nothing that a model would find."""
    boxes = json.dumps([{"class": "plate", "xyxy": [300, 300, 400, 360]}])
    body = work(client, "/redact", portrait.read_bytes(), {"boxes": boxes})
    picture = picture_in(body)
    before = photos.portrait()
    assert is_hidden(before, picture, (305, 305, 395, 355))
    assert not is_hidden(before, picture, photos.FACE)
    # The face that the person left open is told, with its score and its box.
    report = body["report"]
    (face,) = report["residual"]
    assert (report["verdict"], report["residual_check"], face["class"]) == ("needs_review", "quick", "face")
    assert face["confidence"] > 0.5
    assert iou(tuple(face["xyxy"]), photos.FACE) > 0.5
    assert report["suspects"] == report["residual"]


def test_a_request_may_ask_for_more_checks_and_not_for_fewer(client: httpx.Client, portrait: Path) -> None:
    """The full check is there on demand; a server that checks does not let a request switch that off."""
    boxes = {"boxes": "[[130, 20, 320, 250]]"}
    full = work(client, "/redact", portrait.read_bytes(), {**boxes, "residual_check": "full"})
    assert (full["report"]["residual_check"], full["report"]["verdict"]) == ("full", "clean")
    assert full["report"]["residual"] == []
    files = {"file": portrait.read_bytes()}
    refused = client.post("/redact", files=files, data={**boxes, "residual_check": "off"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "weaker_than_policy")


def test_a_detections_photo_can_be_redacted_later_when_retained(client: httpx.Client, portrait: Path) -> None:
    """Detect with `retain`, edit, redact by task id; without `retain` the photo is gone."""
    for retain, status in (("60", 200), ("", 410)):
        posted = client.post("/detect_faces", files={"file": portrait.read_bytes()}, data={"retain": retain})
        task = posted.json()["task_id"]
        finished(client, task)
        answer = client.post("/redact", files={"task_id": (None, task), "boxes": (None, "[[10,10,60,60]]")})
        assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == "original_erased"


def test_originals_are_gone_when_the_job_ends(system: Any, client: httpx.Client, portrait: Path) -> None:
    """Soon after the end the job's original is not in the storage (how soon: `test_retention.py`)."""
    task = client.post("/blur_faces", files={"file": portrait.read_bytes()}).json()["task_id"]
    finished(client, task)
    stored = system.data_dir / "photos" / "photos"
    # Other tests' photos may lie there; a photo's file bears the id of its job.
    assert stored.is_dir()
    deadline = time.monotonic() + MAX_S
    while (stored / task).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_of_the_metadata_comes_out(client: httpx.Client) -> None:
    """EXIF with GPS and thumbnail, and a comment, carry a marker in; the output carries none of it."""
    marker = b"OBSCURA-MARKER-7391"
    exif = Image.Exif()
    exif[0x010E] = marker.decode()
    exif[0x013B] = marker.decode()
    photo = photos.encoded(photos.portrait(), quality=92, exif=exif, comment=marker)
    assert marker in photo
    posted = client.post("/blur_faces", files={"file": (marker.decode() + ".jpg", photo)})
    body = finished(client, posted.json()["task_id"])
    assert marker not in base64.b64decode(body["result"])
    assert marker.decode() not in json.dumps({key: value for key, value in body.items() if key != "result"})
    assert "exif" in body["report"]["metadata_removed"]


def labelled_faces(label: Path, size: tuple[int, int], least_height: int) -> list[tuple[float, ...]]:
    """Return the boxes of a YOLO label file that are at least so many pixels high."""
    width, height = size
    rows = [[float(number) for number in line.split()[1:]] for line in label.read_text().splitlines()]
    return [
        ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        for x, y, w, h in rows
        if h * height >= least_height
    ]


def test_clear_faces_on_real_photos_are_found(client: httpx.Client, shared_pack: Any) -> None:
    """On portraits and match photos that training never saw, 19 of 20 faces from 24 pixels up are found."""
    pack = shared_pack("faces")
    labelled, found = 0, 0
    labels = [
        path
        for path in sorted((pack / "labels" / "val").glob("*.txt"))
        if path.name.startswith(("wm_", "sport_"))
    ]
    for label in labels[::2]:
        photo = next((pack / "images" / "val").glob(label.stem + ".*"))
        with Image.open(photo) as picture:
            faces = labelled_faces(label, picture.size, 24)
        body = work(client, "/detect_faces", photo.read_bytes())
        boxes = [tuple(face["facial_area"]) for face in body["result"].values()]
        labelled += len(faces)
        found += sum(any(iou(face, box) > 0.4 for box in boxes) for face in faces)
    assert labelled >= 30
    assert found / labelled >= 0.95


def test_a_face_that_the_first_look_missed_is_reported(client: httpx.Client) -> None:
    """With the first look made blunt nothing is hidden, and the answer says that a person must look."""
    picture = Image.new("RGB", (400, 300), (120, 130, 125))
    picture.paste(photos.portrait().resize((120, 120)).filter(ImageFilter.GaussianBlur(2)), (80, 60))
    scale = 120 / 512
    face = tuple(edge * scale + (80, 60)[number % 2] for number, edge in enumerate(photos.FACE))
    body = work(client, "/blur_faces", photos.encoded(picture, quality=92), {"min_confidence": "0.9"})
    assert body["detections"] == []
    assert body["report"]["verdict"] == "needs_review"
    assert max(iou(tuple(suspect["xyxy"]), face) for suspect in body["report"]["suspects"]) > 0.5
    careful = work(client, "/blur_faces", photos.encoded(picture, quality=92))
    assert careful["report"]["hidden"] == {"face": 1}
    assert all(iou(tuple(suspect["xyxy"]), face) < 0.1 for suspect in careful["report"].get("suspects", []))


def test_one_call_gives_the_picture(client: httpx.Client, portrait: Path) -> None:
    """With an image type in Accept the answer is the picture; a failure is a problem with its own status."""
    accept = {"Accept": "image/jpeg"}
    answer = client.post("/blur", files={"file": portrait.read_bytes()}, headers=accept)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["obscura-verdict"] in {"clean", "needs_review"}
    task_id = answer.headers["obscura-task"]
    assert f"</task_result/{task_id}>" in answer.headers["link"]
    assert client.get(f"/task_result/{task_id}/image").content == answer.content
    png = client.post("/blur_faces", files={"file": portrait.read_bytes()}, headers={"Accept": "image/png"})
    assert Image.open(io.BytesIO(png.content)).format == "PNG"
    at_once = client.post(
        "/blur_faces",
        files={"file": portrait.read_bytes()},
        data={"zero_retention": "true"},
        headers={"Accept": "image/*"},
    )
    assert (at_once.status_code, at_once.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(at_once.content)).size == (512, 512)
    # Sound in structure: that its pixels are damaged shows only in the worker.
    broken = bytearray(photos.encoded(photos.portrait(), "PNG"))
    middle = len(broken) // 2
    broken[middle : middle + 64] = bytes(64)
    refused = client.post("/blur", files={"file": bytes(broken)}, headers=accept)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "undecodable_photo")
    assert refused.headers["obscura-task"]
