"""Deliver webhooks about finished tasks and batches, with retries.

At least once: an event is sent until its receiver answers with 2xx or 410, or its retry time is over. Every
attempt has the same ``webhook-id``.
"""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import structlog

from gateway_service.batches import batch
from gateway_service.http.dependencies import Gateway
from gateway_service.http.egress import NotReachedError, pinned
from gateway_service.results.serialisers import error_of, report_of
from gateway_service.webhooks.registration import hosts_of, secrets_of
from obscura.contract import JobKind
from obscura.contract.webhooks import (
    BatchFinished,
    BatchFinishedEvent,
    TaskFinished,
    TaskFinishedEvent,
    WebhookError,
    WebhookEvent,
    signatures,
)
from obscura.errors import LookupFailedError, ObscuraError
from obscura.jobs.webhook_deliveries import Delivery, Outcome, TakeLimits, settle, take

__all__ = ["Deliverer", "pause_after"]

log = structlog.get_logger(__name__)
MAX_TAKEN = 256
# Added to the retry time, so that the outcome can still be read.
SPARE_S = 24 * 3600
LONGEST_PAUSE_S = 2 * 3600.0
GROWTH = 4.0
GONE = 410
USER_AGENT = "obscura-webhooks/1"


def pause_after(attempt: int, first_s: float) -> float:
    """Return the pause in seconds: exponential with factor 4, bounded, half of it random jitter."""
    pause_s = min(LONGEST_PAUSE_S, first_s * GROWTH ** min(attempt - 1, 20))
    return pause_s * (0.5 + secrets.randbelow(1_000_001) / 2_000_000)


@dataclass(frozen=True)
class Answer:
    """Result of one attempt: an HTTP status, or an error code."""

    status: int | None = None
    error: str = ""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has accepted the event."""
        return self.status is not None and httpx.codes.is_success(self.status)


class Deliverer:
    """Delivers events that are due."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._settings = gateway.settings
        self._secrets = secrets_of(gateway.settings)
        self._hosts = hosts_of(gateway.settings.webhook_hosts)
        # Created once, because reading all certificates takes longer than a request.
        self._certificates = httpx.create_ssl_context(trust_env=False)
        self._running: dict[asyncio.Task[None], str] = {}

    async def round(self) -> None:
        """Start delivering the events that are due, a limited number per owner.

        Deliveries continue after this returns, so that a slow receiver does not delay other events.
        """
        settings, job_store = self._settings, self._gateway.job_store
        lease_s, kept_s = 2 * settings.webhook_timeout_s, settings.webhook_retry_s + SPARE_S
        limits = TakeLimits(MAX_TAKEN, settings.webhook_key_slots, lease_s, kept_s)
        for delivery in await job_store.run(take(limits, Counter(self._running.values()))):
            task = asyncio.create_task(self._deliver_safely(delivery))
            self._running[task] = delivery.owner
            task.add_done_callback(self._running.pop)

    async def close(self) -> None:
        """Cancel running deliveries; another gateway takes them when their lease has expired."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _deliver_safely(self, delivery: Delivery) -> None:
        """Deliver an event; after an unexpected error it is retried when its lease has expired."""
        try:
            await self._deliver(delivery)
        except ObscuraError as error:
            log.warning("webhook_not_settled", code=error.code)
        except Exception as error:
            log.exception("webhook_crashed", error=type(error).__name__)

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.is_off:
            await self._settle(delivery, Outcome("failed"), {"error": "receiver_switched_off"})
            return
        try:
            body = delivery.payload or await self._payload(delivery)
        except LookupFailedError:
            # The batch has expired.
            await self._settle(delivery, Outcome("failed"), {"error": "expired"})
            return
        answer = await self._post(delivery, body.encode())
        outcome = self._outcome(delivery, answer)
        fields = {"payload": body, "http_status": str(answer.status or ""), "error": answer.error}
        await self._settle(delivery, outcome, fields)
        write_log = log.info if answer.is_delivered else log.warning
        write_log(
            f"webhook_{outcome.state}",
            attempt=delivery.attempt,
            status=answer.status,
            error=answer.error or None,
        )

    def _outcome(self, delivery: Delivery, answer: Answer) -> Outcome:
        """Return the next state of an event, and the success or failure of its receiver."""
        if answer.is_delivered:
            return Outcome("delivered", None, "taken")
        if answer.status == GONE:
            return Outcome("failed")
        pause_s = pause_after(delivery.attempt, self._settings.webhook_first_pause_s)
        if delivery.age_s + pause_s > self._settings.webhook_retry_s:
            return Outcome("failed", None, "failed")
        return Outcome("pending", pause_s, "failed")

    async def _settle(self, delivery: Delivery, outcome: Outcome, fields: dict[str, str]) -> None:
        call = settle(delivery, outcome, self._settings.webhook_off_after_s, fields)
        if await self._gateway.job_store.run(call):
            host = httpx.URL(delivery.url).host
            log.error("webhook_receiver_switched_off", host=host, key=delivery.owner or None)

    async def _post(self, delivery: Delivery, body: bytes) -> Answer:
        limit_s = self._settings.webhook_timeout_s
        now = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": delivery.message,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(signatures(self._secrets, delivery.message, now, body)),
        }
        try:
            # One client per request, so that no connection is shared by host names with the same address.
            async with (
                asyncio.timeout(limit_s),
                httpx.AsyncClient(trust_env=False, timeout=limit_s, verify=self._certificates) as client,
            ):
                place = await pinned(httpx.URL(delivery.url), self._hosts)
                place["headers"] |= headers
                # The body of the response is not read.
                async with client.stream("POST", content=body, **place) as answer:
                    redirected = "redirected" if answer.is_redirect else ""
                    return Answer(answer.status_code, redirected)
        except NotReachedError:
            return Answer(error="address_not_allowed")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(error="timed_out")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return Answer(error="unreachable")

    async def _payload(self, delivery: Delivery) -> str:
        event = await (self._of_batch(delivery) if delivery.is_batch else self._of_task(delivery))
        return event.model_dump_json(exclude_none=True)

    async def _of_task(self, delivery: Delivery) -> WebhookEvent:
        job_id = delivery.subject_id
        # None where the job has expired.
        [record] = await self._gateway.job_store.read_many([job_id])
        failed = delivery.status == "failed"
        write_log = None if record is None else error_of(record)
        error = WebhookError(code=delivery.code, message=write_log.message if write_log else "")
        report = None if record is None else report_of(record)
        links = {"result": f"/task_result/{job_id}"}
        if record is not None and record.picture is not None:
            what = "video" if record.kind is JobKind.BLUR_VIDEO else "image"
            links[what] = f"/task_result/{job_id}/{what}"
        finished = TaskFinished(
            task_id=job_id,
            status="FAILURE" if failed else "SUCCESS",
            verdict=(report or {}).get("verdict") if not failed else None,
            error=error if failed else None,
            links=self._absolute(links),
        )
        return TaskFinishedEvent(timestamp=_time_of(delivery), data=finished)

    async def _of_batch(self, delivery: Delivery) -> WebhookEvent:
        batch_id = delivery.subject_id
        state = await batch.status(self._gateway, await batch.read(self._gateway, batch_id))
        links = {"status": f"/batches/{batch_id}", "archive": f"/batches/{batch_id}/archive"}
        counts = {name: getattr(state, name) for name in ("total", "done", "failed")}
        finished = BatchFinished(batch_id=batch_id, links=self._absolute(links), **counts)
        return BatchFinishedEvent(timestamp=_time_of(delivery), data=finished)

    def _absolute(self, links: dict[str, str]) -> dict[str, str]:
        base = (self._settings.public_url or "").rstrip("/")
        return {name: base + path for name, path in links.items()}


def _time_of(delivery: Delivery) -> datetime:
    return datetime.fromtimestamp(delivery.created, UTC)
