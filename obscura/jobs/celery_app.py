"""The Celery application: settings, each with its reason, and sending messages."""

from typing import Any, Protocol

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.transport import virtual
from kombu.utils.json import dumps
from kombu.utils.uuid import uuid
from redis.exceptions import RedisError

from obscura.contract import STEP_TASKS, OutboxMessage, StepRequest
from obscura.errors import QueueUnavailableError
from obscura.jobs.transport import SCHEME
from obscura.settings import Settings

__all__ = [
    "REQUEST_ID",
    "TRACEPARENT",
    "Outbox",
    "Sender",
    "broker_url",
    "headers_of",
    "make_celery",
    "send",
]

UNIX_SOCKET = "unix://"
# Headers of messages, by the names that they have in HTTP.
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"


class Sender(Protocol):
    """Sends a step request to the queue of its workers."""

    def __call__(self, request: StepRequest) -> None:
        """Send ``request``; raise QueueUnavailableError if the broker does not answer."""


def broker_url(redis_url: str) -> str:
    """Return ``redis_url`` as the URL of `obscura.jobs.transport`; ``unix://`` becomes ``+socket://``."""
    if redis_url.startswith(UNIX_SOCKET):
        return f"{SCHEME}+socket://" + redis_url.removeprefix(UNIX_SOCKET)
    return redis_url.replace("redis://", f"{SCHEME}://", 1)


def make_celery(settings: Settings) -> Celery:
    """Return a Celery application for the broker of ``settings``; no connection is opened yet."""
    app = Celery("obscura", set_as_current=False)
    app.conf.update(_configuration(settings))
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": broker_url(settings.redis_url),
        # JSON only: a message cannot run code, as a pickle could.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Results are in the job store and the object storage; Celery's result backend is not used.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # Acknowledged when the step has ended, rejected when its process died. The job store limits the
        # attempts, so a photo that kills its worker is not retried for ever.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_reject_on_worker_lost": True,
        # No photo may wait behind a slow one while another process is idle.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": settings.soft_limit_s,
        "task_time_limit": settings.hard_limit_s,
        "broker_transport_options": {
            # Detect a dead connection within seconds, not with the next photo.
            "health_check_interval": 5,
            # A frozen broker must not block a consumer for ever.
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            # A gateway reports the failure at once; workers and the lease reaper retry themselves.
            "max_retries": 0,
            # Consume queues in the order in which the worker names them: bulk queues only while all
            # interactive ones are empty.
            "queue_order_strategy": "priority",
        },
        # A worker waits for the broker at start and reconnects without a limit.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A step continues when the broker connection is lost: its outcome goes to the job store, which
        # refuses a second claim if the message is delivered again.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Recycle processes: releases memory that a decoder leaked.
        "worker_max_tasks_per_child": 2000,
        # Pool processes load models first, which takes longer than Celery's default of 4 s.
        "worker_proc_alive_timeout": 120.0,
        # Logging is configured by obscura.observability: JSON lines without task arguments.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # No remote control and no task events: they are not used, and events would expose task arguments.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        # Connections for sending.
        "broker_pool_limit": 4,
        # Valkey's append-only file keeps every message; "persistent" has no meaning for a Redis transport.
        "task_default_delivery_mode": "transient",
        "task_create_missing_queues": True,
    }


def headers_of(request: StepRequest) -> dict[str, str]:
    """Return the message headers: request id and traceparent of the HTTP request, without empty ones."""
    headers = {REQUEST_ID: request.request_id, TRACEPARENT: request.trace}
    return {name: value for name, value in headers.items() if value}


def send(app: Celery, request: StepRequest) -> None:
    """Send ``request`` to the priority queue of its step.

    Raises
    ------
    QueueUnavailableError
        If the broker does not accept it.
    """
    try:
        _publish(app, request)
    except (OperationalError, RedisError, OSError) as error:
        message = "the job queue cannot be reached"
        raise QueueUnavailableError(message) from error


def _publish(app: Celery, request: StepRequest) -> None:
    """Build the Celery message for ``request`` and send it."""
    spec = STEP_TASKS[request.step]
    app.send_task(
        spec.name,
        args=[request.model_dump(mode="json")],
        queue=spec.queue.priority_queue(request.priority),
        ignore_result=True,
        retry=False,
        argsrepr="-",
        headers=headers_of(request),
    )


class _Drafts(virtual.Channel):
    """A kombu channel that keeps the last published message, serialised as kombu's Redis channel does."""

    do_restore = False
    last: OutboxMessage

    def _put(self, queue: str, message: dict[str, Any], **_options: object) -> None:
        self.last = OutboxMessage(queue, dumps(message))  # type: ignore[no-untyped-call]  # kombu has no type hints

    def _size(self, _queue: str) -> int:
        return 0


class _Nowhere(virtual.Transport):
    """A kombu transport without a connection."""

    Channel = _Drafts


class Outbox:
    """Serialises the messages that `send` would send, without sending them.

    The script that creates a job pushes them in the same transaction. Celery and kombu build the message; the
    only knowledge of our own is that kombu keeps a queue as a Redis list of its name, pushed at the left. Not
    thread-safe.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        connection = Connection(transport=_Nowhere)  # type: ignore[no-untyped-call]  # the same
        self._channel: _Drafts = connection.channel()  # type: ignore[no-untyped-call]  # the same
        self._producer = app.amqp.Producer(self._channel, auto_declare=False)

    def write(self, request: StepRequest) -> OutboxMessage:
        """Return the serialised message for ``request``; no connection is used.

        Makes the two calls of Celery's ``send_task``, without its result object and its queue declaration,
        which a Redis list does not need.
        """
        spec, message_id = STEP_TASKS[request.step], uuid()
        amqp = self._app.amqp
        message = amqp.create_task_message(
            message_id,
            spec.name,
            args=[request.model_dump(mode="json")],
            ignore_result=True,
            argsrepr="-",
            kwargsrepr="{}",
            reply_to=self._app.thread_oid,
        )
        amqp.send_task_message(
            self._producer,
            spec.name,
            message,
            queue=spec.queue.priority_queue(request.priority),
            declare=[],
            retry=False,
            argsrepr="-",
            headers=headers_of(request),
        )
        return self._channel.last._replace(step=request.step.value)
