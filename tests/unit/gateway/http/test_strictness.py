"""A gateway takes nothing silently: what no route reads is refused with the nearest known name."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel, ValidationError

from gateway_service.forms import BatchForm, BlurClassesForm, DetectClassesForm, RedactForm, VideoForm
from tests.gateways import RunningGateway
from tests.photos import PORTRAIT

PHOTO = ("photo.jpg", PORTRAIT.read_bytes(), "image/jpeg")


@pytest.fixture(scope="module")
def gateway(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return a client of a gateway without workers."""
    folder = tmp_path_factory.mktemp("gateway")
    with (
        RunningGateway(valkey_url, folder, max_upload_mb=1) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def refusal(client: httpx.Client, path: str, **sent: object) -> str:
    """Return the message of a refusal."""
    answer = client.post(path, **sent)  # type: ignore[arg-type] # of the test's own
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "invalid_option"
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize("path", ["/blur", "/blur_faces", "/redact", "/blur_video", "/batches"])
def test_a_misspelt_field_is_refused_with_the_nearest_name(gateway: httpx.Client, path: str) -> None:
    """On every route, also on the one that reads its form itself."""
    boxes = {"boxes": "[]"} if path == "/redact" else {}
    message = refusal(gateway, path, data={"stile": "mosaic", **boxes}, files={"file": PHOTO})
    assert "stile is not a field; did you mean style?" in message


def test_a_file_under_another_name_is_a_missing_field(gateway: httpx.Client) -> None:
    """With what was sent instead."""
    answer = gateway.post("/detect", files={"image": PHOTO})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "missing_field")
    assert error["message"].startswith(
        "required field missing: file; image is not a field; known are classes"
    )


def test_a_field_of_another_route_is_refused_with_those_of_this_one(gateway: httpx.Client) -> None:
    """Where nothing is near, all names are told."""
    message = refusal(gateway, "/detect_faces", data={"zzz": "1"}, files={"file": PHOTO})
    assert message.startswith("zzz is not a field; known are file, frames, min_confidence, ")


@pytest.mark.parametrize("name", ["file", "mask"])
def test_a_doubled_file_is_refused(gateway: httpx.Client, name: str) -> None:
    """The second photo would be lost."""
    files = [("file", PHOTO), (name, PHOTO), (name, PHOTO)]
    times = 3 if name == "file" else 2
    assert refusal(gateway, "/blur", files=files) == f"{name} was sent {times} times; send it once"


def test_a_doubled_option_is_refused_and_a_list_is_not(gateway: httpx.Client) -> None:
    """Which of two styles was meant nobody knows; classes are a list."""
    message = refusal(gateway, "/blur", data={"style": ["mosaic", "solid"]}, files={"file": PHOTO})
    assert message == "style was sent 2 times; send it once"
    taken = gateway.post("/blur", data={"classes": ["face", "plate"]}, files={"file": PHOTO})
    assert taken.status_code == 200


def test_an_unknown_query_parameter_is_refused(gateway: httpx.Client) -> None:
    """Options of a POST are fields: in the address they would do nothing."""
    message = refusal(gateway, "/blur?style=solid", files={"file": PHOTO})
    assert message == "style is not a query parameter; send it as a field of the form"
    message = refusal(gateway, "/batches?zzz=1", files={"files": PHOTO})
    assert message == "zzz is not a query parameter; none is known here"


def test_compatibility_apis_stay_lenient(gateway: httpx.Client) -> None:
    """Their callers were made for systems that did not look."""
    answer = gateway.post("/bocashi?x=1", data={"face_op": "9", "more": "1"})
    assert answer.json()["ResultSet"]["status"] == 1


def test_a_limit_is_named_with_both_numbers(gateway: httpx.Client) -> None:
    """Before the body is read, and once it is a photo."""
    body = gateway.post("/blur", files={"file": ("a.jpg", bytes(3 * 1024 * 1024), "image/jpeg")})
    assert body.status_code == 413
    error = body.json()["error"]
    assert error["code"] == "photo_too_large"
    assert error["message"] == "the upload has 3.1 MB; at most 1 MB are accepted"
    photo = gateway.post("/blur", files={"file": ("a.jpg", bytes(1024 * 1024 + 1), "image/jpeg")})
    assert photo.json()["error"]["message"] == "the photo has 1.1 MB; at most 1 MB are accepted"
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    pieces = iter([head, bytes(1024 * 1024), bytes(1024 * 1024)])
    headers = {"content-type": "multipart/form-data; boundary=x"}
    endless = gateway.post("/blur", content=pieces, headers=headers)
    assert endless.status_code == 413
    assert "more than 1 MB" in endless.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/", "/docs", "/web/main.js", "/docs/swagger-ui.css"])
def test_pages_answer_head(gateway: httpx.Client, path: str) -> None:
    """With the headers of GET and no body."""
    whole, head = gateway.get(path), gateway.head(path)
    assert head.status_code == whole.status_code == 200
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize("path", ["/nothing", "/docs/nothing.js", "/web/nothing.js", "/task_result/x/image"])
def test_every_error_has_the_one_shape(gateway: httpx.Client, path: str) -> None:
    """A page that is not there is told like a task that is not."""
    error = gateway.get(path).json()["error"]
    assert set(error) == {"code", "message"}


def test_groups_that_are_off_answer_404(valkey_url: str, tmp_path: Path) -> None:
    """As if they had never been."""
    with RunningGateway(valkey_url, tmp_path, legacy_apis="false", medical_apis="false") as running:
        for path in ("/bocashi", "/auth/stdimg", "/detect_lesions", "/detection/BreastCalcify"):
            answer = httpx.post(running.url + path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("form", [BatchForm, BlurClassesForm, DetectClassesForm, RedactForm, VideoForm])
def test_an_empty_field_is_absent_or_refused(form: type[BaseModel]) -> None:
    """Also one with bounds: an empty text never reaches them as None, which they cannot be applied to."""
    for name in form.model_fields:
        with suppress(ValidationError):
            form.model_validate({name: ""})
    assert BatchForm.model_validate({"color": "", "text_match": ""}) == BatchForm()
