"""The blurring service of a Panoramax instance, asked as geovisio 2.15.1 asks."""

import io
import json
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import photos
from tests.photos import FACE, PORTRAIT
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
MULTIPART = {"accept": "multipart/form-data"}


def ask(
    client: httpx.Client, data: bytes, headers: dict[str, str] | None = None, **query: Any
) -> httpx.Response:
    """Send a photo under the names that geovisio gives it."""
    files = {"picture": ("picture.jpg", data, "image/jpeg")}
    return client.post("/blur/", files=files, headers=headers, params=query)


def parts_of(answer: httpx.Response) -> dict[str, bytes]:
    """Return the parts of a form by name."""
    head = f"content-type: {answer.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    parts = [part for part in form.iter_parts() if isinstance(part, Message)]
    found = {str(part.get_param("name", header="content-disposition")): part for part in parts}
    return {name: bytes(part.get_payload(decode=True)) for name, part in found.items()}


def face_change(picture: bytes) -> float:
    """Return how much the portrait's face differs from the original."""
    found = Image.open(io.BytesIO(picture)).convert("RGB").crop(FACE)
    before = photos.portrait().convert("RGB").crop(FACE)
    return float(np.abs(np.asarray(found, np.float32) - np.asarray(before, np.float32)).mean())


def test_a_form_is_answered_with_picture_and_metadata(client: httpx.Client) -> None:
    """The face is hidden; annotations have whole pixels and tags that name what, which model and how sure."""
    answer = ask(client, PORTRAIT.read_bytes(), MULTIPART)
    assert answer.status_code == 200
    parts = parts_of(answer)
    assert set(parts) == {"image", "metadata"}
    assert Image.open(io.BytesIO(parts["image"])).format == "JPEG"
    assert face_change(parts["image"]) > 20
    said = json.loads(parts["metadata"])
    assert said["service_name"] == "Obscura"
    assert said["blurring_id"]
    (info,), (annotation,) = said["info"], said["annotations"]
    assert info["class"] == "face"
    x1, y1, x2, y2 = annotation["shape"]
    assert all(isinstance(edge, int) for edge in annotation["shape"])
    assert info["xywh"] == [x1, y1, x2 - x1, y2 - y1]
    assert x1 < FACE[2]
    assert x2 > FACE[0]
    assert y1 < FACE[3]
    assert y2 > FACE[1]
    tags = {tag["key"]: tag["value"] for tag in annotation["semantics"]}
    assert tags["obscura|hidden"] == "face"
    assert tags["detection_model[obscura|hidden=face]"].startswith("Obscura-")
    assert 0 < float(tags["detection_confidence[obscura|hidden=face]"]) <= 1


def test_without_a_form_it_is_the_picture_with_a_header(client: httpx.Client) -> None:
    """As earlier callers read it."""
    answer = ask(client, PORTRAIT.read_bytes(), keep=0)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert face_change(answer.content) > 20
    assert [item["class"] for item in json.loads(answer.headers["x-sgblur"])["info"]] == ["face"]


def test_position_and_camera_stay_and_the_rest_goes(client: httpx.Client) -> None:
    """Panoramax places a picture by its EXIF; a preview would show the face."""
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif[0x9286] = "a comment"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    file = io.BytesIO()
    photos.portrait().save(file, "JPEG", exif=exif, quality=95)
    answer = ask(client, file.getvalue(), MULTIPART)
    kept = Image.open(io.BytesIO(parts_of(answer)["image"])).getexif()
    assert [float(part) for part in kept.get_ifd(0x8825)[2]] == [48.0, 51.0, 30.0]
    assert 0x9286 not in kept.get_ifd(0x8769)


def test_bad_input_is_a_400_with_detail(client: httpx.Client) -> None:
    """No photo, one that is none, two, something that is kept."""
    photo = ("picture.jpg", PORTRAIT.read_bytes(), "image/jpeg")
    answers = [
        client.post("/blur/"),
        client.post("/blur/", files={"file": photo}),
        client.post("/blur/", files=[("picture", photo), ("picture", photo)]),
        ask(client, b"no photo"),
        ask(client, b""),
        ask(client, PORTRAIT.read_bytes(), MULTIPART, keep=1),
        client.post("/blur/", content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"}),
    ]
    for answer in answers:
        assert answer.status_code == 400, answer.text
        assert set(answer.json()) == {"detail"}
    assert "keep" in answers[5].json()["detail"]


def test_nothing_is_kept(client: httpx.Client, system: RunningSystem) -> None:
    """Neither photo nor picture, nor a task that one could ask for."""
    answer = ask(client, PORTRAIT.read_bytes(), MULTIPART)
    job_id = json.loads(parts_of(answer)["metadata"])["blurring_id"]
    assert client.get(f"/task_result/{job_id}").status_code == 404
    assert not [path for path in (system.data_dir / "photos").rglob("*") if job_id in path.name]


def test_our_own_address_is_another_one(client: httpx.Client) -> None:
    """Without the slash it is a task, as ever."""
    answer = client.post("/blur", files={"file": PORTRAIT.read_bytes()})
    assert set(answer.json()) == {"task_id"}
