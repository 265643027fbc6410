"""Wrong inputs: a documented answer each, and a system that goes on."""

import io
import struct
import zlib
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests import photos
from tests.end_to_end.test_faceblur import finished, work

pytestmark = pytest.mark.end_to_end


def huge_png(side: int) -> bytes:
    """Return a small PNG file that says it is ``side`` x ``side`` pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated() -> bytes:
    """Return a GIF of three frames."""
    frames = [Image.new("L", (32, 32), shade) for shade in (0, 100, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


UNKNOWN_ID = "0b6d8c2e-54c6-4f2f-9d0a-6a0c0e7a2f11"
CASES = {
    "empty": (b"", 400, "empty_photo"),
    "text renamed .jpg": (b"this is no photo at all\n" * 20, 415, "unsupported_format"),
    "truncated JPEG": (photos.PORTRAIT.read_bytes()[:20_000], 422, "truncated_photo"),
    "PNG of 30000 x 30000": (huge_png(30_000), 413, "too_many_pixels"),
    "animated GIF": (animated(), 422, "animated_photo"),
    "27 MB": (bytes(27 * 1024 * 1024), 413, "photo_too_large"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("path", ["/detect_faces", "/blur_faces", "/blur"])
def test_unusable_photos_are_refused_at_the_door(client: httpx.Client, case: str, path: str) -> None:
    """Each has its status and its stable code, and no job is entered."""
    photo, status, code = CASES[case]
    answer = client.post(path, files={"file": ("photo.jpg", photo)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_a_jpeg_that_breaks_a_decoder_is_a_failure_with_a_code(client: httpx.Client) -> None:
    """A file that only its decoding shows to be broken ends in FAILURE, not in silence."""
    data = bytearray(photos.encoded(photos.portrait(), "PNG"))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    posted = client.post("/blur_faces", files={"file": bytes(data)})
    if posted.status_code == 200:
        body = finished(client, posted.json()["task_id"])
        assert (body["status"], body["error"]["code"]) == ("FAILURE", "undecodable_photo")
    else:
        assert (posted.status_code, posted.json()["error"]["code"]) == (422, "undecodable_photo")


def test_a_missing_field_is_named(client: httpx.Client) -> None:
    """422 with the field's name, also where the body is no form at all."""
    for answer in (
        client.post("/blur_faces"),
        client.post("/blur_faces", data={"photo": "x"}),
        client.post("/blur_faces", files={"image": b"x"}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "missing_field")
        assert "file" in answer.json()["error"]["message"]


def test_a_broken_form_is_a_400(client: httpx.Client) -> None:
    """A multipart body that ends in the middle is an invalid request."""
    headers = {"content-type": "multipart/form-data; boundary=X"}
    answer = client.post(
        "/blur_faces", content=b"--X\r\nContent-Disposition: form-data; name=", headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) in {
        (400, "invalid_request"),
        (422, "missing_field"),
    }


@pytest.mark.parametrize(
    ("path", "allowed"), [("/bocashi", "GET, POST"), ("/task_result/x", "GET, DELETE"), ("/blur", "POST")]
)
def test_a_wrong_method_names_the_right_ones(client: httpx.Client, path: str, allowed: str) -> None:
    """405 with all methods of the address."""
    answer = client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("task_id", [UNKNOWN_ID, "some-task-id", "..%2f..%2fetc", "a" * 150])
def test_an_unknown_id_is_a_404(client: httpx.Client, task_id: str) -> None:
    """Whatever it looks like, an id that is not ours has one answer."""
    for answer in (
        client.get(f"/task_result/{task_id}"),
        client.delete(f"/task_result/{task_id}"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] in {"unknown_task", "not_found"}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("min_confidence", "2", "invalid_option"),
        ("min_confidence", "nan", "invalid_option"),
        ("min_confidence", "0.99", "weaker_than_policy"),
        ("style", "sepia", "invalid_option"),
        ("cells", "0", "invalid_option"),
        ("cells", "40", "weaker_than_policy"),
        ("grow", "0.5", "invalid_option"),
        ("shape", "star", "invalid_option"),
        ("metadata", "all", "invalid_option"),
        ("output", "exe", "invalid_option"),
        ("quality", "best", "invalid_option"),
        ("classes", "face,dog", "invalid_option"),
        ("retain", "1000", "invalid_option"),
        ("retain", "99999999999999999999", "invalid_option"),
    ],
)
def test_options_are_held_to_their_range_and_to_policy(
    client: httpx.Client, portrait: Path, field: str, value: str, code: str
) -> None:
    """An option out of range, or weaker than the server allows, is refused by name."""
    path = "/detect" if field == "retain" else "/blur"
    answer = client.post(path, files={"file": portrait.read_bytes()}, data={field: value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert field in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"style": "solid"},
        {"style": "blur"},
        {"style": "pixel noise"},
        {"style": "mosaic", "cells": "3", "shape": "ellipse", "grow": "1.5"},
        {"metadata": "keep_safe"},
        {"metadata": "coarse_gps", "output": "webp"},
        {"quality": "fast", "min_confidence": "0.4"},
        {"style": "", "cells": "", "quality": ""},
    ],
)
def test_options_in_range_are_taken(client: httpx.Client, portrait: Path, options: dict[str, str]) -> None:
    """Every documented option does its work."""
    body = work(client, "/blur", portrait.read_bytes(), options)
    assert body["status"] == "SUCCESS"
    if options.get("style") == "blur":
        assert "cosmetic" in str(body["report"])


@pytest.mark.parametrize(
    "boxes", ["", "x", "{}", '["a"]', "[[1,2,3]]", "[[5,5,1,1]]", "[[1,2,NaN,4]]", "[" * 5000]
)
def test_boxes_that_are_none_are_refused(client: httpx.Client, portrait: Path, boxes: str) -> None:
    """`/redact` takes a list of boxes with an area, and nothing else."""
    answer = client.post("/redact", files={"file": portrait.read_bytes()}, data={"boxes": boxes})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"invalid_option", "missing_field"}


def test_the_system_still_works_after_all_that(client: httpx.Client, portrait: Path) -> None:
    """No worker died."""
    assert work(client, "/detect_faces", portrait.read_bytes())["status"] == "SUCCESS"
    assert client.get("/readyz").status_code == 200
