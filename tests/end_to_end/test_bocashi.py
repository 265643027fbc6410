"""The bocashi dialect, on the gateway and alone."""

import io
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import photos
from tests.end_to_end.test_faceblur import is_hidden
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
UNKNOWN_ID = "0b6d8c2e-54c6-4f2f-9d0a-6a0c0e7a2f11"


def result_set(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, file name and message of an answer."""
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert set(body) == {"ResultSet"}
    fields = body["ResultSet"]
    assert set(fields) == {"status", "file_name", "error_message"}
    return fields["status"], fields["file_name"], fields["error_message"]


def post(client: httpx.Client, photo: bytes, **fields: str) -> tuple[int, str, str]:
    """Post a photo as the dialect's client does."""
    return result_set(client.post("/bocashi", files={"img_file": ("photo.jpg", photo)}, data=fields))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """``bocashi-server -w 1 -r 0`` on a port of its own."""
    running = RunningSystem(
        "standalone.bocashi", tmp_path_factory.mktemp("bocashi") / "data", "-w", "1", "-r", "0"
    )
    try:
        running.wait_until_ready()
        with httpx.Client(base_url=running.url, timeout=60) as http:
            yield http
    finally:
        running.stop()


def test_post_download_delete_delete(client: httpx.Client, portrait: Path) -> None:
    """The whole life of a picture: 0, the image, 0, 2."""
    status, name, message = post(client, portrait.read_bytes())
    assert (status, message) == (0, "")
    assert str(uuid.UUID(name.removesuffix(".jpg"))) + ".jpg" == name
    picture = client.get(f"/download/{name}")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert is_hidden(photos.portrait(), Image.open(io.BytesIO(picture.content)), photos.FACE)
    assert result_set(client.get(f"/delete/{name}")) == (0, name, "")
    assert client.get(f"/download/{name}").status_code == 404
    assert result_set(client.get(f"/delete/{name}")) == (2, "", f"{name}がありません")


def test_the_switches_choose_what_is_hidden(client: httpx.Client, portrait: Path) -> None:
    """face_op=0 leaves faces; the output is JPEG whatever went in."""
    status, name, _ = post(client, photos.encoded(photos.portrait(), "PNG"), face_op="0", car_op="1")
    assert status == 0
    picture = Image.open(io.BytesIO(client.get(f"/download/{name}").content))
    assert picture.format == "JPEG"
    assert not is_hidden(photos.portrait(), picture, photos.FACE)


@pytest.mark.parametrize(
    "request_",
    [
        {"files": {"img_file": ("a.jpg", b"")}},
        {"files": {"img_file": ("a.jpg", b"no photo")}},
        {"files": {"img_file": ("a.jpg", photos.PORTRAIT.read_bytes()[:9000])}},
        {"files": {"other": ("a.jpg", photos.PORTRAIT.read_bytes())}},
        {"data": {"img_file": "text"}},
        {},
        {"files": {"img_file": photos.PORTRAIT.read_bytes()}, "data": {"face_op": "2"}},
        {"files": {"img_file": photos.PORTRAIT.read_bytes()}, "data": {"car_op": ""}},
        {"files": {"img_file": bytes(27 * 1024 * 1024)}},
        {"content": b"--X\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=X"}},
    ],
)
def test_unusable_requests_have_status_1(client: httpx.Client, request_: dict[str, Any]) -> None:
    """Always HTTP 200 and never a file name."""
    assert result_set(client.post("/bocashi", **request_)) == (1, "", "許可されていない拡張子です")


def test_a_get_is_not_allowed(client: httpx.Client) -> None:
    """Status 3."""
    assert result_set(client.get("/bocashi")) == (3, "", "許可していないリクエストです")


@pytest.mark.parametrize(
    "name", ["x", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", f"{UNKNOWN_ID}.jpg", "%00", "あ"]
)
def test_names_are_never_paths(client: httpx.Client, name: str) -> None:
    """Whatever the name, it is a picture of ours or it is not there."""
    assert client.get(f"/download/{name}").status_code == 404
    answer = client.get(f"/delete/{name}")
    # httpx resolves dot segments before it sends; such a path is not ours at all.
    if answer.status_code == 200:
        status, file_name, message = result_set(answer)
        assert (status, file_name) == (2, "")
        assert message.endswith("がありません")


def test_with_no_retries_a_busy_server_says_so_and_keeps_nothing(alone: httpx.Client, portrait: Path) -> None:
    """Under load each answer is a picture with the face hidden, or status 2 with no name."""
    photo = portrait.read_bytes()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(alone, photo), range(40)))
    assert {status for status, _, _ in answers} == {0, 2}
    for status, name, message in answers:
        if status == 2:
            assert (name, message) == ("", "二つ以上の要求が行われています")
        else:
            picture = Image.open(io.BytesIO(alone.get(f"/download/{name}").content))
            assert is_hidden(photos.portrait(), picture, photos.FACE)


def test_alone_it_serves_nothing_else(alone: httpx.Client, portrait: Path) -> None:
    """The standalone server has the dialect's routes only."""
    assert alone.post("/blur_faces", files={"file": portrait.read_bytes()}).status_code == 404
    assert post(alone, portrait.read_bytes())[0] == 0
