"""Telling receivers how tasks ended: a real ledger, a real receiver, a deliverer that may die."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway_service.app import create_app
from gateway_service.http.dependencies import Gateway
from gateway_service.webhooks.deliverer import Deliverer, pause_after
from gateway_service.webhooks.registration import check_webhook, progress_of_webhook
from obscura.client import verify_webhook
from obscura.contract import JobKind, JobOptions, ObjectClass, Step
from obscura.contract.webhooks import TaskFinishedEvent, read_secrets, signatures
from obscura.errors import InvalidOptionError, WebhookInvalidError, WebhookNotAllowedError
from obscura.jobs import JobStore, NewJob
from obscura.jobs.commands import METRICS
from obscura.jobs.webhook_deliveries import subject_key
from obscura.settings import Settings
from tests.gateways import in_gateway
from tests.webhooks import SECRET, Received, Receiver

STEP_S = 0.05


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver of the test's own."""
    with Receiver() as running:
        yield running


@pytest.fixture
def told(settings: Settings, receiver: Receiver) -> Settings:
    """Settings of a gateway that may tell the receiver, and is quick to try again."""
    update = {
        "webhook_hosts": receiver.origin,
        "webhook_secret": SecretStr(SECRET),
        "webhook_first_pause_s": 0.05,
        "webhook_timeout_s": 20.0,
    }
    return settings.model_copy(update=update)


def ended(settings: Settings, job_id: str, url: str, code: str = "", owner: str = "") -> None:
    """Enter a job with a webhook and end it, as a gateway and a worker do."""
    job_store = JobStore(settings)
    wanted = JobOptions(classes=(ObjectClass.FACE,), webhook=url)
    calls = replace(job_store.calls, owner=owner)
    job_store.run(calls.create(NewJob(job_id, JobKind.DETECT, wanted, f"photos/{job_id}")))
    claimed = job_store.run(job_store.calls.claim(job_id, Step.DETECT_FACES, "t", takeover=False))
    assert claimed is not None
    assert "webhook" not in claimed.record.options.model_dump(exclude_none=True)
    if code:
        job_store.run(job_store.calls.fail(claimed.lease, code, "why"))
    else:
        job_store.run(job_store.calls.complete(claimed, {"x": "y"}))
    job_store.close()


def deliver(settings: Settings, job_id: str) -> dict[str, object]:
    """Do rounds until the event of a job is delivered or given up; return what is known of it."""
    known: dict[str, object] = {}

    async def work(gateway: Gateway) -> None:
        deliverer, deadline = Deliverer(gateway), time.monotonic() + 60
        while known.get("state") not in {"delivered", "failed"}:
            assert time.monotonic() < deadline, known
            await deliverer.round()
            progress = await progress_of_webhook(gateway, f"task:{job_id}")
            assert progress is not None
            known.update(progress.model_dump(mode="json"))
            await asyncio.sleep(STEP_S)

    in_gateway(settings, work)
    return known


def said(request: Received) -> TaskFinishedEvent:
    """Return what a request says, its signature verified."""
    event = verify_webhook(request.body, request.headers, SECRET)
    assert isinstance(event, TaskFinishedEvent)
    return event


def test_an_end_is_told_once(told: Settings, receiver: Receiver) -> None:
    """One signed request with ids, status and links; nothing more when looked at again."""
    ended(told, "a", f"{receiver.origin}/a?token=x")
    known = deliver(told, "a")
    assert (known["state"], known["attempts"], known["http_status"]) == ("delivered", 1, 204)
    [request] = receiver.received
    assert request.path == "/a?token=x"
    data = said(request).data
    assert (data.task_id, data.status, data.links) == ("a", "SUCCESS", {"result": "/task_result/a"})
    in_gateway(told, lambda gateway: Deliverer(gateway).round())
    assert len(receiver.received) == 1


def test_a_failure_has_its_code_and_links_may_be_whole(told: Settings, receiver: Receiver) -> None:
    """The stable code is told; with a public address links are URLs."""
    settings = told.model_copy(update={"public_url": "https://photos.example/"})
    ended(settings, "a", receiver.origin, code="truncated_photo")
    deliver(settings, "a")
    data = said(receiver.received[0]).data
    assert data.error is not None
    assert (data.status, data.error.code) == ("FAILURE", "truncated_photo")
    assert data.links["result"] == "https://photos.example/task_result/a"


def test_what_is_not_taken_is_sent_again_under_one_id(told: Settings, receiver: Receiver) -> None:
    """500, a redirect, which is not followed, then success: one id, one body, each attempt signed anew."""
    receiver.answers["/a"] = [500, 307, 200]
    ended(told, "a", f"{receiver.origin}/a")
    known = deliver(told, "a")
    assert (known["state"], known["attempts"]) == ("delivered", 3)
    assert {(item.path, item.id) for item in receiver.received} == {("/a", receiver.received[0].id)}
    assert len({item.body for item in receiver.received}) == 1
    for item in receiver.received:
        said(item)


@pytest.mark.parametrize(("answers", "attempts"), [([410], 1), ([500], None), ([0], None)])
def test_it_is_given_up_at_its_time(
    told: Settings, receiver: Receiver, answers: list[int], attempts: int | None
) -> None:
    """At once where the receiver says that it is gone; else, failing or silent, when its time has run out."""
    timeout_s = 0.3 if answers == [0] else 20.0
    settings = told.model_copy(update={"webhook_retry_s": 1, "webhook_timeout_s": timeout_s})
    receiver.answers["/a"] = answers
    ended(settings, "a", f"{receiver.origin}/a")
    known = deliver(settings, "a")
    assert known["state"] == "failed"
    assert known["next_attempt"] is None
    assert known["attempts"] == attempts or attempts is None
    assert known["error"] == ("timed_out" if answers == [0] else None)


def test_whoever_dies_with_it_leaves_it_to_the_next(told: Settings, receiver: Receiver) -> None:
    """A deliverer that ends while the receiver thinks: the next one sends the same again after the lease."""
    receiver.answers["/a"] = [0, 204]
    ended(told, "a", f"{receiver.origin}/a")

    async def dies(gateway: Gateway) -> None:
        round_ = asyncio.create_task(Deliverer(gateway).round())
        await asyncio.to_thread(receiver.wait_for, "/a")
        round_.cancel()
        with suppress(asyncio.CancelledError):
            await round_

    settings = told.model_copy(update={"webhook_timeout_s": 1.0})
    in_gateway(settings, dies)
    assert deliver(settings, "a")["state"] == "delivered"
    assert len(receiver.received) >= 2
    assert len({(item.id, item.body) for item in receiver.received}) == 1


def test_two_gateways_do_not_both_send(told: Settings, receiver: Receiver) -> None:
    """What one has taken is not there for the other."""
    names = [f"job{number}" for number in range(40)]
    for name in names:
        ended(told, name, f"{receiver.origin}/{name}")

    async def both(gateway: Gateway) -> None:
        one, other = Deliverer(gateway), Deliverer(gateway)
        deadline = time.monotonic() + 60
        while len(receiver.received) < len(names) and time.monotonic() < deadline:
            await asyncio.gather(one.round(), other.round())

    in_gateway(told, both)
    assert sorted(item.path for item in receiver.received) == sorted(f"/{name}" for name in names)


def test_a_receiver_that_hangs_delays_its_own_key_only(told: Settings, receiver: Receiver) -> None:
    """With a hundred events to a receiver that never answers, another key's are told at once."""
    settings = told.model_copy(update={"webhook_key_slots": 3})
    receiver.answers["/hangs"] = [0]
    for number in range(100):
        ended(settings, f"a{number}", f"{receiver.origin}/hangs", owner="anna")
    for number in range(5):
        ended(settings, f"b{number}", f"{receiver.origin}/b", owner="ben")

    async def work(gateway: Gateway) -> None:
        deliverer = Deliverer(gateway)
        deadline = time.monotonic() + 60
        while len(receiver.at("/b")) < 5:
            assert time.monotonic() < deadline
            await deliverer.round()
            await asyncio.sleep(STEP_S)
        assert len(receiver.at("/hangs")) <= 3
        await deliverer.close()

    in_gateway(settings, work)
    assert len(receiver.at("/b")) == 5


def test_a_receiver_that_only_fails_is_switched_off(told: Settings, receiver: Receiver) -> None:
    """It gets nothing more, its events say why, it is counted; another key's receiver is not touched."""
    settings = told.model_copy(update={"webhook_off_after_s": 0.2})
    receiver.answers["/a"] = [500]
    ended(settings, "a", f"{receiver.origin}/a", owner="anna")
    known = deliver(settings, "a")
    assert (known["state"], known["error"]) == ("failed", "receiver_switched_off")
    tried = len(receiver.at("/a"))
    ended(settings, "more", f"{receiver.origin}/a", owner="anna")
    known = deliver(settings, "more")
    assert (known["state"], known["error"]) == ("failed", "receiver_switched_off")
    assert len(receiver.at("/a")) == tried
    ended(settings, "b", f"{receiver.origin}/b", owner="ben")
    assert deliver(settings, "b")["state"] == "delivered"
    job_store = JobStore(settings)
    assert job_store.field(METRICS, "webhook_receivers_switched_off_total") == "1"
    [receiver_key] = job_store.client.keys("obscura:receiver:anna *")
    # A day later one event is let through, and what takes it is on again.
    job_store.client.hset(receiver_key, "off_until", "1")
    receiver.answers["/a"] = [204]
    job_store.close()
    for name in ("later", "again"):
        ended(settings, name, f"{receiver.origin}/a", owner="anna")
        assert deliver(settings, name)["state"] == "delivered"


def test_a_damaged_event_stops_no_other(told: Settings, receiver: Receiver) -> None:
    """Events without an address, with a count that is none, or that are no hash are dropped and counted."""
    for name in ("a", "b", "c", "sound"):
        ended(told, name, f"{receiver.origin}/{name}")
    job_store = JobStore(told)
    job_store.client.hdel(subject_key("task:a"), "url")
    job_store.client.hset(subject_key("task:b"), "attempts", "many")
    job_store.client.delete(subject_key("task:c"))
    job_store.client.set(subject_key("task:c"), "x")
    assert deliver(told, "sound")["state"] == "delivered"
    assert [item.path for item in receiver.received] == ["/sound"]
    assert job_store.field(METRICS, "records_unreadable_total") == "3"
    job_store.close()


def test_an_erased_task_is_told_to_nobody(told: Settings, receiver: Receiver) -> None:
    """Deleted by its owner before it was told: no request."""
    ended(told, "a", receiver.origin)
    job_store = JobStore(told)
    job_store.run(job_store.calls.erase("a"))
    job_store.close()
    in_gateway(told, lambda gateway: Deliverer(gateway).round())
    assert receiver.received == []


def test_a_name_that_leads_inwards_is_not_told(told: Settings, receiver: Receiver) -> None:
    """A listed name is not enough where it leads to this machine: the network has to be listed as well."""
    port = receiver.origin.rpartition(":")[2]
    update = {"webhook_hosts": f"http://localhost:{port}", "webhook_retry_s": 0}
    ended(told, "a", f"http://localhost:{port}/")
    known = deliver(told.model_copy(update=update), "a")
    assert (known["state"], known["error"]) == ("failed", "address_not_allowed")
    assert receiver.received == []


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("", "https://hooks.example/a"),
        ("hooks.example", "http://hooks.example/a"),
        ("hooks.example", "https://hooks.example:8443/a"),
        ("hooks.example", "https://user@hooks.example/a"),
        ("hooks.example", "https://hooks.example.evil.example/a"),
        ("hooks.example", "https://127.0.0.1/a"),
        ("hooks.example", "ftp://hooks.example/a"),
        ("10.0.0.0/8", "https://10.0.0.1/a"),
    ],
)
def test_hosts_that_are_not_listed_are_refused(listed: str, url: str) -> None:
    """No list, plain http, another port, a user, a longer name, an address, another scheme, a network."""
    with pytest.raises(WebhookNotAllowedError):
        check_webhook(url, Settings(webhook_hosts=listed))


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("hooks.example", "https://hooks.example/a?b=c"),
        ("hooks.example", "https://HOOKS.example:443"),
        ("hooks.example:8443", "https://hooks.example:8443/"),
        ("http://hooks.example", "http://hooks.example/"),
        ("a.example, [::1]:9000", "https://[::1]:9000/"),
    ],
)
def test_hosts_that_are_listed_are_taken(listed: str, url: str) -> None:
    """Also with a port, by http where that is said, and as an address."""
    check_webhook(url, Settings(webhook_hosts=listed))


@pytest.mark.parametrize(
    ("hosts", "secret", "said"),
    [
        ("hooks.example", None, "OBSCURA_WEBHOOK_SECRET"),
        ("hooks.example", "short", "OBSCURA_WEBHOOK_SECRET"),
        ("hooks.example", "whsec_!", "OBSCURA_WEBHOOK_SECRET"),
        ("https://hooks.example/path", SECRET, "OBSCURA_WEBHOOK_HOSTS"),
        ("10.0.0/99", SECRET, "OBSCURA_WEBHOOK_HOSTS"),
    ],
)
def test_a_gateway_with_half_a_setting_does_not_start(hosts: str, secret: str | None, said: str) -> None:
    """No webhook is ever sent unsigned, and a list that cannot be read is said at once."""
    settings = Settings(webhook_hosts=hosts, webhook_secret=SecretStr(secret) if secret else None)
    with pytest.raises(InvalidOptionError, match=said):
        create_app(settings)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the convention's own libraries."""
    found = signatures(
        read_secrets(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert found == ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="]


def test_anything_that_was_changed_is_refused(told: Settings, receiver: Receiver) -> None:
    """Body, id, time, signature, secret; too old; and while a secret is replaced either one verifies."""
    other = "whsec_" + "QUJD" * 8
    settings = told.model_copy(update={"webhook_secret": SecretStr(f"{other} {SECRET}")})
    ended(settings, "a", receiver.origin)
    deliver(settings, "a")
    [request] = receiver.received
    for secret in (SECRET, other, f"{'x' * 30} {SECRET}"):
        verify_webhook(request.body, request.headers, secret)
    headers = dict(request.headers)
    wrong = [
        (request.body.replace(b"SUCCESS", b"FAILURE"), headers, SECRET),
        (request.body + b" ", headers, SECRET),
        (request.body, headers | {"webhook-id": "task_b"}, SECRET),
        (request.body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, SECRET),
        (request.body, headers | {"webhook-timestamp": "now"}, SECRET),
        (request.body, headers | {"webhook-signature": "v1,AAAA"}, SECRET),
        (request.body, {}, SECRET),
        (request.body, headers, "whsec_" + "QUJE" * 8),
        (request.body, headers, "short"),
        (request.body, headers, ""),
    ]
    for body, names, secret in wrong:
        with pytest.raises(WebhookInvalidError):
            verify_webhook(body, names, secret)
    old = replace(request, headers=headers | {"webhook-timestamp": "1614265330"})
    signed = signatures(read_secrets(SECRET), old.id, 1614265330, old.body)
    with pytest.raises(WebhookInvalidError, match="old"):
        verify_webhook(old.body, {**old.headers, "webhook-signature": signed[0]}, SECRET)


def test_pauses_grow_differ_and_are_bounded() -> None:
    """Four times as long each time, never more than two hours, never the same for two receivers."""
    for attempt in range(1, 60):
        whole = min(7200, 5 * 4 ** (attempt - 1))
        pauses = {pause_after(attempt, 5.0) for _ in range(50)}
        assert len(pauses) > 40
        assert all(whole / 2 <= pause <= whole for pause in pauses)
