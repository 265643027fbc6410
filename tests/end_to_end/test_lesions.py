"""The object-masking dialect and its asynchronous twin, on the running system."""

import json
import os
import time
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from PIL import Image

from gateway_service.compat.object_masking import NO_IMAGES_TEXT
from obscura.contract import RESEARCH_ONLY
from tests import mammograms
from tests.system import RunningSystem, contents

pytestmark = pytest.mark.end_to_end
PATH = "/detection/BreastCalcify"


@pytest.fixture(scope="module")
def made() -> mammograms.Phantom:
    """One phantom for all tests."""
    return mammograms.phantom()


@pytest.fixture(scope="module")
def picture(made: mammograms.Phantom) -> bytes:
    """The phantom as a 16-bit PNG."""
    return mammograms.png(made.deep(16))


def upload(data: bytes, name: str = "pic1", media_type: str = "image/png") -> tuple[str, Any]:
    """Return one entry of ``files`` as the seed's client writes it."""
    return ("images", (name, data, media_type))


def post(client: httpx.Client, *files: tuple[str, Any], query: str = "", **fields: str) -> httpx.Response:
    """Post files as the seed's client does."""
    answer = client.post(PATH + query, data=fields, files=list(files))
    assert answer.headers["x-notice"] == RESEARCH_ONLY
    return answer


def test_the_client_of_the_document_works_word_for_word(
    system: RunningSystem, made: mammograms.Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snippet of the seed runs, with and without debug; only the address and the file are filled in."""
    monkeypatch.chdir(tmp_path)
    Path("1.jpg").write_bytes(mammograms.jpeg(made.eight()))
    for debug in (False, True):
        url = f"{system.url}/detection/BreastCalcify?{{}}".format("debug" if debug else "")
        with Path("1.jpg").open("rb") as first:
            files = [("images", ("pic1", first, "image/jpeg"))]
            response = requests.post(url, files=files, timeout=180)
        assert response.status_code == 200
        if debug:
            assert response.headers["content-type"] == "image/jpeg"
            shown = Image.open(BytesIO(response.content))
            assert (shown.format, shown.size) == ("JPEG", (made.grey.shape[1], made.grey.shape[0]))
        else:
            assert response.headers["content-type"] == "application/json"
            answer = json.loads(response.text)
            assert answer["state"] == 0
            assert all(len(row) == 5 for row in answer["result"])


def test_several_images_with_fields(client: httpx.Client, made: mammograms.Phantom, picture: bytes) -> None:
    """``result`` is the first file's; ``results`` has one entry per file, in order, with all details."""
    other = mammograms.png(mammograms.phantom(seed=2).deep(12))
    answer = post(client, upload(picture), upload(other, "pic2"), pixel_mm="0.1", valName1="ignored")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"state", "result", "results", "notice"}
    assert (body["state"], body["notice"]) == (0, RESEARCH_ONLY)
    first, second = body["results"]
    assert [first["name"], second["name"]] == ["pic1", "pic2"]
    assert body["result"] == first["result"] != second["result"]
    assert (first["pixel_mm"], first["pixel_source"], first["format"]) == (0.1, "request", "PNG")
    assert first["image"] == {"width": made.grey.shape[1], "height": made.grey.shape[0]}
    assert first["result"] == [[m["score"], m["x"], m["y"], m["w"], m["h"]] for m in first["marks"]]
    assert first["result"] == sorted(first["result"], key=lambda row: -row[0])
    assert {"z", "area_mm2", "diameter_mm", "cluster"} <= first["marks"][0].keys()
    assert {"clusters", "threshold", "score", "warnings"} <= first.keys()
    found, false = made.found(first)
    assert found >= 9
    assert false <= 1


def test_result_as_text(client: httpx.Client, picture: bytes) -> None:
    """``?result=string`` gives the list as a JSON text, for literal readers of the document."""
    plain = post(client, upload(picture)).json()["result"]
    text = post(client, upload(picture), query="?result=string").json()["result"]
    assert isinstance(text, str)
    assert json.loads(text) == plain


@pytest.mark.parametrize("query", ["?debug", "?debug=", "?debug=1"])
def test_debug_is_the_first_picture_with_red_boxes(
    client: httpx.Client, made: mammograms.Phantom, picture: bytes, query: str
) -> None:
    """The picture has its own size and format; around each mark stands a red frame, elsewhere grey."""
    marks = post(client, upload(picture), pixel_mm="0.1").json()["results"][0]["marks"]
    answer = post(client, upload(picture), upload(b"no picture", "2"), query=query, pixel_mm="0.1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    shown = np.asarray(Image.open(BytesIO(answer.content)))
    assert shown.shape == (*made.grey.shape, 3)
    is_red = (shown == (255, 0, 0)).all(axis=2)
    for mark in marks:
        assert is_red[
            mark["y"] - 8 : mark["y"] + mark["h"] + 9, mark["x"] - 8 : mark["x"] + mark["w"] + 9
        ].any()
    assert is_red.mean() < 0.02


@pytest.mark.parametrize(("kind", "media_type"), [("dicom", "image/png"), ("tiff", "image/tiff")])
def test_debug_of_other_formats(
    client: httpx.Client, made: mammograms.Phantom, kind: str, media_type: str
) -> None:
    """TIFF comes back as TIFF, DICOM as PNG."""
    deep = made.deep(12)
    data = mammograms.tiff(deep) if kind == "tiff" else mammograms.dicom(deep, 12)
    answer = post(client, upload(data), query="?debug")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert Image.open(BytesIO(answer.content)).size == (made.grey.shape[1], made.grey.shape[0])


def refusal(state: int, message: str, *results: dict[str, Any]) -> dict[str, Any]:
    """Return the whole body of a refusal."""
    return {"state": state, "result": message, "results": list(results), "notice": RESEARCH_ONLY}


def test_no_images(client: httpx.Client) -> None:
    """No file, a text in its place, a browser's empty file field, no form at all: 400 and state 1."""
    expected = refusal(1, NO_IMAGES_TEXT)
    answers = [
        client.post(PATH),
        client.post(PATH, data={"images": "text"}),
        client.post(PATH, json={"images": []}),
        client.post(PATH, files=[("images", ("", b"", "application/octet-stream"))]),
        client.post(PATH, files=[("pictures", ("1.png", b"x", "image/png"))]),
        client.post(PATH, content=b"--broken", headers={"content-type": "multipart/form-data; boundary=x"}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()) == (400, expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"not a picture", "this kind of file is not accepted; send a DICOM, PNG, TIFF or JPEG mammogram"),
        (
            b"GIF89a" + bytes(300),
            "this kind of file is not accepted; send a DICOM, PNG, TIFF or JPEG mammogram",
        ),
        (bytes(128) + b"DICM" + bytes(40), "the file ends before its picture does"),
        (bytes(128) + b"DICM" + bytes(400), "the DICOM file holds no picture"),
    ],
)
def test_what_cannot_be_used(client: httpx.Client, data: bytes, message: str) -> None:
    """400, state 2, and the reason as ``result``."""
    answer = post(client, upload(data))
    entry = {"name": "pic1", "state": 2, "result": message}
    assert (answer.status_code, answer.json()) == (400, refusal(2, message, entry))


def test_a_truncated_picture(client: httpx.Client, picture: bytes) -> None:
    """A file that ends early is refused, not half looked at."""
    answer = post(client, upload(picture[: len(picture) // 2]))
    assert (answer.status_code, answer.json()["state"]) == (400, 2)


def test_a_wrong_pixel_size(client: httpx.Client, picture: bytes) -> None:
    """``pixel_mm`` that is no sensible number is refused with a reason."""
    answer = post(client, upload(picture), pixel_mm="ten")
    assert (answer.status_code, answer.json()) == (
        400,
        refusal(2, "pixel_mm must be a number from 0.01 to 1"),
    )


def test_too_many_pixels(client: httpx.Client) -> None:
    """A picture above the medical limits is state 3, also a DICOM, whose size stands deep in it."""
    wide = mammograms.png(np.zeros((2, 17_000), np.uint8))
    flat = mammograms.dicom(np.zeros((2, 17_000), np.uint8), 8)
    for data in (wide, flat):
        answer = post(client, upload(data))
        assert (answer.status_code, answer.json()["state"]) == (400, 3)
        assert "17000 x 2" in answer.json()["result"]


def test_too_large(system: RunningSystem) -> None:
    """A body that is declared larger than any may be is answered before it is read: state 3."""
    connection = HTTPConnection("127.0.0.1", system.port, timeout=120)
    connection.putrequest("POST", PATH)
    connection.putheader("content-type", "multipart/form-data; boundary=x")
    connection.putheader("content-length", str(500 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    expected = refusal(3, "the upload is larger than this server accepts")
    assert (answer.status, json.loads(answer.read())) == (400, expected)
    connection.close()


def test_the_first_file_speaks(client: httpx.Client, picture: bytes) -> None:
    """A bad second file leaves the answer good; a bad first one makes it bad, and tells of the second."""
    good_first = post(client, upload(picture), upload(b"junk", "bad")).json()
    assert [item["state"] for item in good_first["results"]] == [0, 2]
    assert good_first["state"] == 0
    answer = post(client, upload(b"junk", "bad"), upload(picture))
    assert answer.status_code == 400
    assert [item["state"] for item in answer.json()["results"]] == [2, 0]
    assert answer.json()["state"] == 2


def test_larger_than_a_photo_may_be(client: httpx.Client) -> None:
    """A DICOM of 34 MiB passes here, where a photo ends at 25."""
    whole = mammograms.phantom(150, 200, 0.1).deep(14)
    large = np.ascontiguousarray(np.kron(whole, np.ones((3, 2), np.uint16)))
    data = mammograms.dicom(large, 14, ImagerPixelSpacing=[0.05, 0.05])
    assert len(data) > 34 << 20
    answer = post(client, upload(data))
    assert (answer.status_code, answer.json()["state"]) == (200, 0)
    started = client.post("/detect_lesions", files={"file": ("a.dcm", data)})
    assert started.status_code == 200
    assert client.post("/detect_faces", files={"file": ("a.dcm", data)}).status_code == 413


def test_the_asynchronous_twin(client: httpx.Client, made: mammograms.Phantom) -> None:
    """A task id, and then the same marks in ``lesions``, with a picture where debug asks for one."""
    data = mammograms.dicom(made.deep(12), 12, ImagerPixelSpacing=[0.1, 0.1])
    direct = post(client, upload(data)).json()
    started = client.post("/detect_lesions", files={"file": ("a.dcm", data)}, data={"debug": "true"})
    assert started.json()["notice"] == RESEARCH_ONLY
    task_id = started.json()["task_id"]
    task = client.get(f"/task_result/{task_id}?wait=30").json()
    assert (task["status"], task["notice"]) == ("SUCCESS", RESEARCH_ONLY)
    assert task["result"] == direct["result"]
    assert task["lesions"]["pixel_source"] == "ImagerPixelSpacing"
    image = client.get(f"/task_result/{task_id}/image")
    assert image.headers["content-type"] == "image/png"
    assert client.delete(f"/task_result/{task_id}").status_code == 204


@pytest.mark.parametrize(
    ("fields", "code"), [({"pixel_mm": "2"}, "invalid_option"), ({"min_score": "x"}, "invalid_option")]
)
def test_wrong_options_of_the_twin(
    client: httpx.Client, picture: bytes, fields: dict[str, str], code: str
) -> None:
    """They are refused as everywhere else."""
    answer = client.post("/detect_lesions", files={"file": ("a.png", picture)}, data=fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_the_list_of_detectors(client: httpx.Client) -> None:
    """It names the path that works."""
    answer = client.get("/detection").json()
    assert [item["path"] for item in answer["detectors"]] == [PATH]
    assert answer["notice"] == RESEARCH_ONLY


def test_within_a_second(client: httpx.Client) -> None:
    """A full-size picture is answered through the queue within the second that the document hopes for."""
    whole = mammograms.phantom(239.4, 306.2, 0.1)
    assert whole.grey.shape == (3062, 2394)
    data = mammograms.jpeg(whole.eight())
    times = []
    for _ in range(4):
        began = time.perf_counter()
        assert post(client, upload(data)).status_code == 200
        times.append(time.perf_counter() - began)
    # The best of several, and longer where others use the machine: that is no property of ours.
    others = max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
    assert min(times) <= 1.0 * others


def test_patients_stay_unknown(system: RunningSystem, client: httpx.Client, made: mammograms.Phantom) -> None:
    """What stands in a DICOM file of a patient is in no answer, log, file name or ledger row."""
    marker = "ZQXPATIENT"
    attributes = {
        "PatientName": f"{marker}^One",
        "PatientID": f"{marker}2",
        "StudyDescription": f"{marker}3",
        "InstitutionName": f"{marker}4",
        "PatientAge": f"{marker}5",
        "PixelSpacing": [0.1, 0.1],
    }
    good = mammograms.dicom(made.deep(12), 12, **attributes)
    broken = mammograms.dicom(made.deep(12), 12, **{**attributes, "PhotometricInterpretation": f"{marker}6"})
    short = good[: len(good) // 2]
    for data in (good, broken, short):
        answer = post(client, upload(data), query="?debug")
        assert marker.encode() not in answer.content
        task = client.post("/detect_lesions", files={"file": (f"{marker}.dcm", data)}).json()["task_id"]
        assert marker not in client.get(f"/task_result/{task}?wait=30").text
    assert marker not in system.log.read_text()
    files = contents(system.data_dir)
    assert files
    assert not [path for path, data in files.items() if marker in path.name or marker.encode() in data]


def test_nothing_of_a_synchronous_answer_stays(
    system: RunningSystem, client: httpx.Client, picture: bytes
) -> None:
    """Neither the upload nor the debug picture is kept: nobody was told of a task."""
    before = {path for path in (system.data_dir / "photos").rglob("*") if path.is_file()}
    post(client, upload(picture), query="?debug")
    post(client, upload(picture))
    after = {path for path in (system.data_dir / "photos").rglob("*") if path.is_file()}
    assert after <= before
