"""What is kept, and for how long."""

import asyncio
import base64
import json
import time
from collections.abc import Collection, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from obscura.audit import verify
from obscura.client import AsyncObscura, Obscura, UserBox
from obscura.errors import RemoteTaskFailedError
from tests import photos
from tests.browser import change, chromium, downloaded, ready, wait_for_all, wait_until_applied
from tests.command_line import obscura
from tests.end_to_end.test_faceblur import finished, is_hidden
from tests.gateways import RunningGateway
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
TTL_S = 6
MAX_S = 180.0


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system that keeps results for a few seconds."""
    system = RunningSystem(
        "standalone",
        tmp_path_factory.mktemp("short") / "data",
        settings={"OBSCURA_RESULT_TTL_S": str(TTL_S), "OBSCURA_CONCURRENCY": "1"},
    )
    system.wait_until_ready()
    yield system
    system.stop()


def stored(system: RunningSystem) -> list[str]:
    """Return everything in the storage of a system."""
    folder = system.data_dir / "photos"
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def wait_until_gone(system: RunningSystem, tasks: Collection[str]) -> list[str]:
    """Return what is stored of tasks once that is nothing, or after a long while."""
    deadline = time.monotonic() + MAX_S
    while left := [name for name in stored(system) if any(task in name for task in tasks)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def wait_for_records(system: RunningSystem, task: str, last: str) -> dict[str, datetime]:
    """Return when what happened to a task, in its order, once ``last`` has."""
    deadline = time.monotonic() + MAX_S
    while True:
        log = system.data_dir / "audit.jsonl"
        # It begins with the first record, which may be a second behind.
        lines = log.read_text().splitlines() if log.exists() else []
        records = [json.loads(line) for line in lines if task in line and line.endswith("}")]
        if any(record["event"] == last for record in records):
            return {record["event"]: datetime.fromisoformat(record["at"]) for record in records}
        assert time.monotonic() < deadline, records
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/blur_faces", "/detect_faces"])
def test_zero_retention_answers_at_once_and_keeps_nothing(
    short_lived: RunningSystem, portrait: Path, path: str
) -> None:
    """The POST itself answers with the result; nothing of the job is stored after it, and no id is known."""
    files = {"file": portrait.read_bytes()}
    # Nobody else uses this system, and what another test of it has left is gone first.
    assert wait_until_gone(short_lived, [""]) == []
    answer = httpx.post(short_lived.url + path, files=files, data={"zero_retention": "true"}, timeout=180)
    assert stored(short_lived) == []
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "SUCCESS")
    assert "task_id" not in body
    if path == "/blur_faces":
        assert Image.open(BytesIO(base64.b64decode(body["result"]))).size == (512, 512)
    else:
        assert "face_1" in body["result"]


def test_zero_retention_contradicts_retain(client: httpx.Client, portrait: Path) -> None:
    """What shall be kept and not be kept is refused."""
    fields = {"zero_retention": "true", "retain": "60"}
    answer = client.post("/detect_faces", files={"file": portrait.read_bytes()}, data=fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_option")


def test_results_go_at_their_time_and_leave_a_trace(short_lived: RunningSystem, portrait: Path) -> None:
    """The original is gone within 5 s of the end, result and row at their time, by the audit log's clock."""
    with httpx.Client(base_url=short_lived.url, timeout=180) as client:
        task = client.post("/blur_faces", files={"file": portrait.read_bytes()}).json()["task_id"]
        assert finished(client, task)["status"] == "SUCCESS"
        times = wait_for_records(short_lived, task, "result_erased")
        assert wait_until_gone(short_lived, [task]) == []
        assert client.get(f"/task_result/{task}").status_code == 404
    assert list(times) == ["accepted", "done", "original_erased", "expired", "result_erased"]
    assert (times["original_erased"] - times["done"]).total_seconds() <= 5
    assert TTL_S <= (times["expired"] - times["done"]).total_seconds() <= TTL_S + 60
    assert (times["result_erased"] - times["expired"]).total_seconds() <= 60
    log = short_lived.data_dir / "audit.jsonl"
    done = obscura("audit", "verify", log)
    assert done.returncode == 0, done.stderr
    assert str(verify(log.read_text().splitlines())) in done.stdout
    log.write_bytes(log.read_bytes().replace(b'"done"', b'"lost"'))
    assert obscura("audit", "verify", log).returncode == 2


def test_a_cancelled_job_leaves_nothing(client: httpx.Client, system: RunningSystem, portrait: Path) -> None:
    """DELETE while jobs wait and run: their ids are unknown at once, and nothing of them is stored."""
    photo = portrait.read_bytes()
    tasks = [client.post("/blur_faces", files={"file": photo}).json()["task_id"] for _ in range(8)]
    assert {client.delete(f"/task_result/{task}").status_code for task in tasks} == {204}
    assert {client.get(f"/task_result/{task}").status_code for task in tasks} == {404}
    assert wait_until_gone(system, tasks) == []


@pytest.fixture(scope="module")
def keeps_nothing(
    short_lived: RunningSystem, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway of the same system that keeps nothing for anybody."""
    folder = tmp_path_factory.mktemp("nothing")
    with RunningGateway.beside(short_lived, folder, zero_retention=True) as gateway:
        gateway.wait_until_ready()
        yield gateway


def test_clients_get_along_with_a_server_that_keeps_nothing(
    short_lived: RunningSystem, keeps_nothing: RunningGateway, portrait: Path, tmp_path: Path
) -> None:
    """Blocking, asyncio and the command line have their answers; a bad photo its code; nothing is stored."""
    # What another test of this system has left is gone first.
    assert wait_until_gone(short_lived, [""]) == []
    with Obscura(keeps_nothing.url, patience_s=120) as client:
        found = client.detect(portrait, classes=["face"])
        assert (found.task_id, [item.class_name for item in found.detections]) == ("", ["face"])
        hidden = client.blur(portrait)
        assert is_hidden(photos.portrait(), Image.open(BytesIO(hidden.picture)), photos.FACE)
        client.erase(hidden.task_id)
        client.redact(portrait, [UserBox(xyxy=(400, 400, 450, 450))])
        damaged = photos.encoded(photos.portrait(), "PNG")
        with pytest.raises(RemoteTaskFailedError) as failure:
            client.blur(damaged[:3000] + bytes(200) + damaged[3200:])
        assert failure.value.remote_code == "undecodable_photo"

    async def ask() -> str:
        async with AsyncObscura(keeps_nothing.url, patience_s=120) as client:
            return (await client.blur(portrait)).verdict

    assert asyncio.run(ask()) == "clean"
    done = obscura("blur", portrait, "--output", tmp_path / "out", "--server", keeps_nothing.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "portrait.jpg").is_file()
    assert stored(short_lived) == []


def test_what_hands_out_names_for_later_says_so(keeps_nothing: RunningGateway, portrait: Path) -> None:
    """The bocashi dialect does not allow it, a batch is refused with a reason: neither pretends to fail."""
    with httpx.Client(base_url=keeps_nothing.url, timeout=60) as client:
        answer = client.post("/bocashi", files={"img_file": portrait.read_bytes()}).json()["ResultSet"]
        assert (answer["status"], answer["file_name"]) == (3, "")
        refused = client.post("/batches", files=[("files", portrait.read_bytes())])
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_option")


def test_the_page_gets_along_with_it(keeps_nothing: RunningGateway, portrait: Path) -> None:
    """A photo goes in, a hidden one comes out, a changed box is applied again: no task is ever asked for."""
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page(locale="en-GB")
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(keeps_nothing.url)
        ready(page)
        page.locator("#files").set_input_files(portrait)
        wait_for_all(page, 1)
        assert change(downloaded(page), photos.FACE) > 20
        page.locator("#box-list [role=checkbox]").first.click()
        wait_until_applied(page)
        assert change(downloaded(page), photos.FACE) == 0
    assert not [url for url in asked if "task_result" in url]
