"""What people write into their photos and file names is to be found nowhere afterwards."""

import base64
import json
import time

import httpx
import pytest

from tests.chaos.tools import job_store_of
from tests.end_to_end.test_faceblur import finished
from tests.system import RunningSystem, contents
from tests.unit.imaging import samples

pytestmark = pytest.mark.end_to_end
TEXT = samples.MARKER.decode()
PHOTOS = {
    "jpeg": samples.marked_jpeg,
    "png": samples.marked_png,
    "webp": samples.marked_webp,
    "tiff": samples.marked_tiff,
}


def forms_of(marker: bytes) -> list[bytes]:
    """Return the marker as it may be written: plain, in UTF-16, in base64 at any place of a longer text."""
    text = marker.decode()
    coded = [base64.b64encode(b"-" * shift + marker + b"-" * 3)[4:-8] for shift in range(3)]
    return [marker, text.encode("utf-16-le"), text.encode("utf-16-be"), *coded]


def marks_in(data: bytes) -> list[bytes]:
    """Return the forms of the marker that are in ``data``."""
    return [form for form in forms_of(samples.MARKER) if form in data]


def test_the_search_finds_what_it_looks_for() -> None:
    """Each form is found where it is, also in the middle of a base64 text."""
    for shift in range(3):
        assert marks_in(base64.b64encode(b"x" * (30 + shift) + samples.MARKER + b"y" * 30))
    assert marks_in(b"..." + TEXT.encode("utf-16-le"))


def outputs_of(client: httpx.Client, headers: dict[str, str]) -> list[bytes]:
    """Send photos with the marker in every place; return all bodies that come back."""
    outputs: list[bytes] = []
    for name, make in PHOTOS.items():
        photo = make()
        for path in ("/blur", "/detect"):
            files = {"file": (f"{TEXT}.{name}", photo, f"image/{TEXT}")}
            own = {**headers, "idempotency-key": f"{TEXT}{name}{path}"}
            posted = client.post(path, files=files, headers=own)
            assert posted.status_code == 200, posted.text
            task = posted.json()["task_id"]
            body = finished(client, task)
            assert body["status"] == "SUCCESS", body
            outputs.append(json.dumps(body).encode())
            if path == "/blur":
                outputs += [
                    base64.b64decode(body["result"]),
                    client.get(f"/task_result/{task}/image").content,
                ]
    return outputs


def test_a_marker_is_in_no_output_log_row_or_file(client: httpx.Client, system: RunningSystem) -> None:
    """In names, metadata, comments and trailers of four formats; by detection, redaction and refusal."""
    headers = {"idempotency-key": TEXT, "user-agent": TEXT, "referer": f"http://{TEXT}.example/"}
    outputs = outputs_of(client, headers)
    refused = client.post("/blur", files={"file": (f"{TEXT}.jpg", samples.MARKER)}, headers=headers)
    assert refused.status_code == 415
    outputs.append(refused.content)
    # The audit log is a second behind, the append-only file of the ledger too.
    time.sleep(2.5)
    kept = contents(system.data_dir)
    assert any("appendonly" in path.name for path in kept)
    assert any(path.name == "audit.jsonl" for path in kept)
    assert [path.name for path, data in kept.items() if marks_in(data)] == []
    assert marks_in(system.log.read_bytes()) == []
    assert marks_in(system.data_dir.with_name("traces.jsonl").read_bytes()) == []
    assert marks_in(client.get("/metrics").content) == []
    assert [number for number, output in enumerate(outputs) if marks_in(output)] == []
    with job_store_of(system) as job_store:
        rows = {key: str(key).encode() + (job_store.dump(key) or b"") for key in job_store.keys("*")}
    assert [key for key, row in rows.items() if marks_in(row)] == []


def test_the_text_of_a_refused_field_is_told_nowhere(client: httpx.Client, system: RunningSystem) -> None:
    """The error names the field, and no log what was in it."""
    photo = next(iter(PHOTOS.values()))()
    refused = client.post("/blur", files={"file": photo}, data={"nonsense": TEXT})
    assert refused.status_code == 422
    assert marks_in(refused.content) == []
    assert marks_in(system.log.read_bytes()) == []
