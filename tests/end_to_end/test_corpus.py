"""A corpus of hostile, broken and odd files through the running system."""

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.test_faceblur import finished

pytestmark = pytest.mark.end_to_end
CLIENTS = 4
FAULTS = {"processing_failed", "processing_timed_out", "worker_lost"}


def outcome(client: httpx.Client, path: Path) -> tuple[int, str, str]:
    """Return HTTP status, final state and error code of a file."""
    posted = client.post("/blur", files={"file": ("x", path.read_bytes())})
    body: dict[str, Any] = posted.json()
    if posted.status_code != 200:
        return posted.status_code, "REFUSED", body["error"]["code"]
    answer = finished(client, body["task_id"])
    return 200, answer["status"], answer.get("error", {}).get("code", "")


def contradicts(row: dict[str, str], status: int, state: str) -> bool:
    """Whether an outcome is not what the manifest expects (where it expects one thing)."""
    expected = row["expect"]
    if row["magic"] in {"heif", "avif"} and expected == "415":
        # The manifest was made before these formats were taken.
        return False
    # "2xx, thumbnail gone", but not "2xx or 4xx".
    if expected.startswith("2xx") and not re.search(r"\bor\b", expected):
        return state != "SUCCESS"
    if expected == "4xx":
        return state == "SUCCESS"
    return expected == "415" and status != 415


def sample(rows: list[dict[str, str]], share: int) -> list[dict[str, str]]:
    """Return one in ``share`` of the files of each kind, format and expectation: at least one of each."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["magic"], row["expect"]), []).append(row)
    return [row for group in groups.values() for row in group[::share]]


@pytest.mark.parametrize("share", [12, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_no_file_shakes_the_system(system_url: str, shared_pack: Any, share: int) -> None:
    """A share of the files of every kind: no 5xx, no worker lost, each verdict as the corpus expects."""
    folder = shared_pack("badinput")
    with (folder / "manifest.csv").open(newline="") as manifest:
        rows = sample(list(csv.DictReader(manifest)), share)
    with httpx.Client(base_url=system_url, timeout=180) as client, ThreadPoolExecutor(CLIENTS) as pool:
        outcomes = list(pool.map(lambda row: outcome(client, folder / row["file"]), rows))
        assert client.get("/readyz").status_code == 200
    wrong = [
        (row["file"], row["kind"], row["expect"], *seen)
        for row, seen in zip(rows, outcomes, strict=True)
        if seen[0] >= 500 or seen[2] in FAULTS or contradicts(row, seen[0], seen[1])
    ]
    assert not wrong


def test_hostile_file_names_are_never_used(client: httpx.Client, shared_pack: Any, portrait: Path) -> None:
    """Whatever an upload calls itself, it is worked on, and the name shows up nowhere."""
    folder = shared_pack("badinput")
    names = (folder / "filenames.txt").read_text("utf-8", "replace").splitlines()
    tasks = []
    for line in names[:40]:
        name = line.strip("'")
        body = (
            b'--X\r\nContent-Disposition: form-data; name="file"; filename="'
            + name.encode("utf-8", "replace").replace(b'"', b"%22").replace(b"\r", b"").replace(b"\n", b"")
            + b'"\r\n\r\n'
            + portrait.read_bytes()
            + b"\r\n--X--\r\n"
        )
        headers = {"content-type": "multipart/form-data; boundary=X"}
        posted = client.post("/blur_faces", content=body, headers=headers)
        assert posted.status_code < 500
        if posted.status_code == 200:
            tasks.append(posted.json()["task_id"])
    assert tasks
    for task in tasks:
        finished(client, task)
        disposition = client.get(f"/task_result/{task}/image").headers["content-disposition"]
        assert disposition == f'attachment; filename="obscura_{task}.jpg"'
