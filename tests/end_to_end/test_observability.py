"""What can be seen of a running system from outside: numbers, log lines, traces."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import Settings
from tests.architecture.test_observability import ITS_OWN, names_in, names_on, queries
from tests.end_to_end.test_faceblur import finished
from tests.gateways import RunningGateway
from tests.system import RunningSystem
from tests.unit.observability.test_metrics import Samples, samples

pytestmark = pytest.mark.end_to_end
# Far above what anything takes on a busy machine.
PATIENCE_S = 90


def scraped(client: httpx.Client) -> Samples:
    """Return what Prometheus would see."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.content)


def value(found: Samples, name: str, **labels: str) -> float:
    """Return one sample, 0 where it is not there yet."""
    return found.get((f"obscura_{name}", frozenset(labels.items())), 0.0)


def until(look: Callable[[], bool]) -> None:
    """Wait until ``look`` is content."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)


def blurred(client: httpx.Client, photo: bytes, request_id: str) -> str:
    """Blur a photo in a request of this id and return the id of its finished task."""
    posted = client.post("/blur_faces", files={"file": photo}, headers={"x-request-id": request_id})
    assert posted.headers["x-request-id"] == request_id
    task: str = posted.json()["task_id"]
    assert finished(client, task)["status"] == "SUCCESS"
    return task


def test_a_job_is_seen_in_the_numbers(client: httpx.Client, portrait: Path) -> None:
    """Requests, jobs, waits, parts of the work, finds and purges all rise; nothing is left in work."""
    before = scraped(client)
    blurred(client, portrait.read_bytes(), "numbers-1")

    def rose(name: str, **labels: str) -> bool:
        return value(scraped(client), name, **labels) > value(before, name, **labels)

    for state in ("accepted", "done"):
        until(lambda state=state: rose("tasks_total", kind="blur", state=state))  # type: ignore[misc]  # a default binds
    until(lambda: rose("http_requests_total", route="/blur_faces", method="POST", status="200"))
    until(lambda: rose("http_request_duration_seconds_count", route="/blur_faces", method="POST"))
    until(lambda: rose("upload_bytes_count", route="/blur_faces"))
    until(lambda: rose("task_duration_seconds_count", kind="blur", state="done"))
    for part in ("gate", "store", "read", "decode", "detection", "redaction", "verification"):
        until(lambda part=part: rose("stage_duration_seconds_count", stage=part))  # type: ignore[misc]  # the same
    until(lambda: rose("decode_seconds_count", format="jpeg"))
    until(lambda: rose("detections_total", **{"class": "face"}))
    until(lambda: rose("purged_total", what="original_erased"))
    found = scraped(client)
    assert value(found, "ledger_up") == value(found, "storage_up") == 1
    assert any(name == "obscura_inference_duration_seconds_count" for name, _ in found)
    assert any(name == "obscura_model_info" for name, _ in found)
    assert any(name == "obscura_task_queue_wait_seconds_count" for name, _ in found)
    alive = [number for (name, _), number in found.items() if name == "obscura_workers_alive"]
    assert alive
    assert min(alive) >= 1


def test_a_running_system_shows_what_the_dashboard_asks_for(client: httpx.Client) -> None:
    """Every metric of dashboard, alerts and autoscalers is on the live page."""
    asked = set().union(*map(names_in, queries())) - ITS_OWN
    assert asked <= names_on(client.get("/metrics").text)


def test_a_refusal_is_counted_by_its_code(client: httpx.Client) -> None:
    """What is no photo counts as refused and as rejected, under the code of the answer."""
    before = scraped(client)
    refused = client.post("/blur_faces", files={"file": b"no photo at all"})
    code = refused.json()["error"]["code"]
    after = scraped(client)
    for name, labels in (("refusals_total", {"code": code}), ("uploads_rejected_total", {"reason": code})):
        assert value(after, name, **labels) == value(before, name, **labels) + 1


def test_labels_hold_nothing_that_a_caller_chose(client: httpx.Client, portrait: Path) -> None:
    """No task id, no path, no method of a caller's own: the number of series has a bound."""
    task = blurred(client, portrait.read_bytes(), "secret-request")
    client.get(f"/task_result/{task}/nonsense")
    client.request("BREW", "/tasks")
    client.get("/some/thing?name=secret-name")
    page = client.get("/metrics").text
    for secret in (task, "secret-request", "BREW", "secret-name", "/some/thing"):
        assert secret not in page


def lines_with(log: Path, request_id: str) -> list[dict[str, Any]]:
    """Return a system's log lines of one request."""
    lines = [line for line in log.read_text().splitlines() if request_id in line]
    return [json.loads(line) for line in lines]


def test_one_request_id_ties_gateway_and_workers(
    system: RunningSystem, client: httpx.Client, portrait: Path
) -> None:
    """The id that a caller gives stands in its answer, in the gateway's line and in the worker's."""
    blurred(client, portrait.read_bytes(), "from.a-caller_7")
    until(lambda: "step_ended" in {line["event"] for line in lines_with(system.log, "from.a-caller_7")})
    lines = lines_with(system.log, "from.a-caller_7")
    assert {line["request_id"] for line in lines} == {"from.a-caller_7"}
    ended = [line for line in lines if line["event"] == "step_ended"]
    assert all(line["outcome"] == "done" and line["ms"] > 0 for line in ended)
    assert "detection" in ended[0]["stages_ms"]
    (asked,) = [line for line in lines if line["event"] == "request"]
    assert (asked["route"], asked["status"]) == ("/blur_faces", 200)


@pytest.mark.parametrize("given", ["a b", "x" * 65, "naïve".encode().decode("latin-1"), '"}', ""])
def test_an_id_that_could_harm_a_log_is_replaced(client: httpx.Client, given: str) -> None:
    """Only short words of plain letters are taken over."""
    headers = httpx.Headers([(b"x-request-id", given.encode("latin-1"))])
    answered = client.get("/readyz", headers=headers).headers["x-request-id"]
    assert answered != given
    assert len(answered) == 16


def test_one_trace_holds_a_whole_job(system: RunningSystem, client: httpx.Client, portrait: Path) -> None:
    """Request, wait in the queue, detection, redaction and verification, one under the other."""
    blurred(client, portrait.read_bytes(), "traced-1")
    file = system.data_dir.with_name("traces.jsonl")
    spans = whole_trace(file, "traced-1", {"queue wait", "detection", "redaction", "verification", "store"})
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    (request,) = [span for span in spans if span["name"] == "POST /blur_faces"]
    for span in spans:
        if span["name"] == "queue wait":
            assert span["parent_id"] == request["context"]["span_id"]
        if span["name"] in {"detection", "redaction"}:
            assert names[span["parent_id"]] in {"whole", "detect_faces", "redact"}
    text = json.dumps(spans)
    assert "photo" not in text.replace("obscura.kind", "")


def whole_trace(file: Path, request_id: str, names: set[str]) -> list[dict[str, Any]]:
    """Return all spans of the trace of a request, once spans of all ``names`` and its steps' are there."""

    def spans() -> list[dict[str, Any]]:
        # The last line may be in the middle of being written.
        found = [json.loads(line) for line in file.read_text().split("\n")[:-1]] if file.exists() else []
        ours = {
            span["context"]["trace_id"]
            for span in found
            if span["attributes"].get("obscura.request_id") == request_id
        }
        return [span for span in found if span["context"]["trace_id"] in ours]

    until(lambda: names <= {span["name"] for span in spans()} and _is_closed(spans()))
    return spans()


def _is_closed(spans: list[dict[str, Any]]) -> bool:
    """Whether every span's parent is there as well, so that no step is missing that parts belong to."""
    ids = {span["context"]["span_id"] for span in spans}
    return all(span["parent_id"] in ids or span["parent_id"] is None for span in spans)


def test_numbers_are_for_who_has_a_key_and_alike_on_all_gateways(valkey_url: str, tmp_path: Path) -> None:
    """A key of its own sees the numbers and nothing else; every gateway shows those of all."""
    ring = KeyStore(Settings(redis_url=valkey_url))
    texts = {scope: ring.create(scope, frozenset({scope}))[1] for scope in Scope}
    ring.close()
    bearer = {scope: {"authorization": f"Bearer {text}"} for scope, text in texts.items()}
    with (
        RunningGateway(valkey_url, tmp_path, api_keys="on") as one,
        RunningGateway(valkey_url, tmp_path, api_keys="on") as other,
    ):
        assert httpx.get(f"{one.url}/metrics").status_code == 401
        statuses = {
            scope: httpx.get(f"{one.url}/metrics", headers=headers).status_code
            for scope, headers in bearer.items()
        }
        assert statuses == {Scope.SUBMIT: 403, Scope.READ: 403, Scope.METRICS: 200, Scope.ADMIN: 200}
        assert httpx.get(f"{one.url}/tasks/x", headers=bearer[Scope.METRICS]).status_code == 403
        posted = httpx.post(f"{one.url}/blur", files={"file": b"x"}, headers=bearer[Scope.METRICS])
        assert posted.status_code == 403

        def seen() -> float:
            page = httpx.get(f"{other.url}/metrics", headers=bearer[Scope.METRICS]).content
            return value(samples(page), "refusals_total", code="key_required")

        until(lambda: seen() >= 1)


def test_numbers_are_shown_while_the_ledger_is_away(tmp_path: Path) -> None:
    """The page says what is away, and goes on counting what the gateway answers."""
    with RunningGateway("redis://127.0.0.1:1/0", tmp_path) as gateway:
        assert httpx.get(f"{gateway.url}/readyz", timeout=30).status_code == 503
        found = samples(httpx.get(f"{gateway.url}/metrics", timeout=30).content)
        assert value(found, "ledger_up") == 0
        assert value(found, "storage_up") == 1
        assert value(found, "http_requests_total", route="/readyz", method="GET", status="503") >= 1
