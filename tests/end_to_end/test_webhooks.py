"""Being told of an end by the running system, and handing in the same thing twice."""

import re
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from obscura.client import verify_webhook
from obscura.contract.webhooks import BatchFinishedEvent, TaskFinishedEvent
from tests.end_to_end.test_batches import finished as batch_finished
from tests.end_to_end.test_batches import portraits
from tests.end_to_end.test_faceblur import finished
from tests.system import wait_until
from tests.webhooks import SECRET, Receiver

pytestmark = pytest.mark.end_to_end
PAGE = Path(__file__).parents[2] / "docs/how-to/webhooks.md"


def test_a_task_tells_of_its_end(client: httpx.Client, receiver: Receiver, portrait: Path) -> None:
    """Not taken at first, then taken: signed, with verdict and links that work, and seen in the answer."""
    path = f"/{uuid.uuid4()}"
    receiver.answers[path] = [500, 204]
    fields = {"webhook": receiver.origin + path}
    task = client.post("/blur_faces", files={"file": portrait.read_bytes()}, data=fields).json()["task_id"]
    requests = receiver.wait_for(path, 2)
    event = verify_webhook(requests[1].body, requests[1].headers, SECRET)
    assert isinstance(event, TaskFinishedEvent)
    assert (event.data.task_id, event.data.status, event.data.verdict) == (task, "SUCCESS", "clean")
    assert client.get(event.data.links["image"]).headers["content-type"] == "image/jpeg"
    wait_until(lambda: client.get(f"/task_result/{task}").json()["webhook"]["state"] == "delivered")
    assert client.get(event.data.links["result"]).json()["webhook"]["attempts"] >= 2


def test_a_batch_tells_once_of_its_end(client: httpx.Client, receiver: Receiver) -> None:
    """One event for the whole of it, a refused photo counted, whichever photo ends last."""
    path = f"/{uuid.uuid4()}"
    good = portraits(3)
    files = [("files", ("a.jpg", data)) for data in (*good, b"no photo")]
    batch = client.post("/batches", files=files, data={"webhook": receiver.origin + path}).json()["batch_id"]
    request = receiver.wait_for(path)[0]
    event = verify_webhook(request.body, request.headers, SECRET)
    assert isinstance(event, BatchFinishedEvent)
    assert (event.data.batch_id, event.data.total, event.data.done, event.data.failed) == (batch, 4, 3, 1)
    assert client.get(event.data.links["archive"]).status_code == 200
    wait_until(lambda: client.get(f"/batches/{batch}").json()["webhook"]["state"] == "delivered")
    assert len({item.id for item in receiver.at(path)}) == 1


def test_a_batch_of_refused_photos_tells_too(client: httpx.Client, receiver: Receiver) -> None:
    """Nothing is left to end: it is told at once. One that is erased first is told to nobody."""
    path = f"/{uuid.uuid4()}"
    fields = {"webhook": receiver.origin + path}
    client.post("/batches", files=[("files", ("a.jpg", b"none"))], data=fields)
    event = verify_webhook(receiver.wait_for(path)[0].body, receiver.at(path)[0].headers, SECRET)
    assert isinstance(event, BatchFinishedEvent)
    assert (event.data.total, event.data.failed) == (1, 1)


def test_only_listed_hosts_are_told(client: httpx.Client, receiver: Receiver, portrait: Path) -> None:
    """Refused with the photo, before anything is kept; nor is anybody told of what is kept nowhere."""
    photo = {"file": portrait.read_bytes()}
    for path, name in (("/blur", "file"), ("/detect_faces", "file"), ("/batches", "files")):
        files = {name: ("a.jpg", photo["file"])}
        answer = client.post(path, files=files, data={"webhook": "https://127.0.0.1/"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "webhook_not_allowed")
    fields = {"webhook": receiver.origin, "zero_retention": "true"}
    answer = client.post("/blur", files=photo, data=fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_option")


@pytest.mark.parametrize("path", ["/detect", "/detect_plates", "/blur", "/blur_plates", "/redact"])
def test_a_key_stands_for_one_task_on_every_route(client: httpx.Client, portrait: Path, path: str) -> None:
    """The same request is the same task; another one under the same key is refused."""
    headers = {"idempotency-key": uuid.uuid4().hex}
    photo = {"file": portrait.read_bytes()}
    fields = {"boxes": "[[400, 400, 450, 450]]"} if path == "/redact" else {}
    one, two = (
        client.post(path, files=photo, data=fields, headers=headers).json()["task_id"] for _ in range(2)
    )
    assert one == two
    other = client.post(path, files=photo, data={**fields, "priority": "bulk"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    finished(client, one)


def test_a_key_stands_for_one_batch(client: httpx.Client) -> None:
    """Other photos, fewer, in another order or other options: refused, and the batch stays as it was."""
    headers = {"idempotency-key": uuid.uuid4().hex}
    photos = portraits(3)

    def post(chosen: list[bytes], **fields: str) -> httpx.Response:
        files = [("files", ("a.jpg", data)) for data in chosen]
        return client.post("/batches", files=files, data=fields, headers=headers)

    first = post(photos)
    assert first.status_code == 200
    for other in (
        post([photos[0], photos[2], photos[1]]),
        post(photos[:2]),
        post([*photos[:2], portraits(4)[3]]),
        post(photos, style="solid"),
    ):
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    state = batch_finished(client, first.json()["batch_id"])
    assert (state["total"], state["done"]) == (3, 3)
    assert post(photos).json() == first.json()


def test_the_receiver_of_the_documentation_works(
    client: httpx.Client, receiver: Receiver, portrait: Path, tmp_path: Path
) -> None:
    """The example of the webhooks page takes what tasks and batches sent, and refuses what was changed."""
    path = f"/{uuid.uuid4()}"
    fields = {"webhook": receiver.origin + path}
    task = client.post("/blur", files={"file": portrait.read_bytes()}, data=fields).json()["task_id"]
    request = receiver.wait_for(path)[0]
    many = f"/{uuid.uuid4()}"
    files = [("files", ("a.jpg", data)) for data in (*portraits(1), b"no photo")]
    fields = {"webhook": receiver.origin + many}
    batch = client.post("/batches", files=files, data=fields).json()["batch_id"]
    of_batch = receiver.wait_for(many)[0]
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    script = tmp_path / "receiver.py"
    script.write_text(example)
    command = [sys.executable, str(script), "0"]
    environment = {"WEBHOOK_SECRET": SECRET, "PYTHONUNBUFFERED": "1", "PATH": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().split()[-1]
            wrong = request.body.replace(b"SUCCESS", b"FAILURE")
            assert httpx.post(url, content=wrong, headers=dict(request.headers)).status_code == 400
            for _ in range(2):
                assert httpx.post(url, content=request.body, headers=dict(request.headers)).status_code == 204
            assert running.stdout.readline() == f"task {task} SUCCESS clean\n"
            assert httpx.post(url, content=of_batch.body, headers=dict(of_batch.headers)).status_code == 204
            assert running.stdout.readline() == f"batch {batch} 1 done 1 failed\n"
        finally:
            running.terminate()
        # Sent twice, done once.
        assert running.stdout.read() == ""
