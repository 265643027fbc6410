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
    """Anything that hands a step to the queue of its workers."""

    def __call__(self, request: StepRequest) -> None:
        """Send ``request``; raise ``QueueUnavailableError`` where the broker does not answer."""


def broker_url(redis_url: str) -> str:
    """Return ``redis_url`` as kombu spells it for our transport: a Unix socket is ``+socket://`` there."""
    if redis_url.startswith(UNIX_SOCKET):
        return f"{SCHEME}+socket://" + redis_url.removeprefix(UNIX_SOCKET)
    return redis_url.replace("redis://", f"{SCHEME}://", 1)


def make_celery(settings: Settings) -> Celery:
    """Return a Celery application that talks to the broker of ``settings``; it opens no connection yet."""
    app = Celery("obscura", set_as_current=False)
    app.conf.update(_configuration(settings))
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": broker_url(settings.redis_url),
        # Only JSON: a message can never run code.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Answers live in the job ledger; Celery's own results would put pictures into the broker.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # The message is dropped when the step has ended, and put back when its process died at once;
        # the ledger bounds the attempts, so a photo that kills its worker cannot loop for ever.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_reject_on_worker_lost": True,
        # Slow photos must not wait in one process while another is idle.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": settings.soft_limit_s,
        "task_time_limit": settings.hard_limit_s,
        "broker_transport_options": {
            # A connection that died unseen is noticed within seconds, not with the next photo.
            "health_check_interval": 5,
            # A broker that is frozen must not hold a consumer for ever.
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            # Who sends tells its caller at once; workers and reaper have a patience of their own.
            "max_retries": 0,
            # Queues are looked at in the order that the worker names them: a bulk lane only when no
            # interactive one holds anything.
            "queue_order_strategy": "priority",
        },
        # Whoever starts first waits for the broker, and a worker never gives it up.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A step goes on when the broker connection is lost: its outcome goes to the ledger, and should its
        # message come again, the ledger refuses a second one.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Memory that a decoder leaks is given back now and then.
        "worker_max_tasks_per_child": 2000,
        # Children load a model first; Celery's own 4 s would kill them while they do.
        "worker_proc_alive_timeout": 120.0,
        # Our own logging: JSON lines, no arguments of tasks.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Nobody steers workers through the broker or listens to what they do: less to leak and to go wrong.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        # Connections for sending; a process sends one message at a time.
        "broker_pool_limit": 4,
        # The append-only file keeps every message; "persistent" means nothing to this transport.
        "task_default_delivery_mode": "transient",
        "task_create_missing_queues": True,
    }


def headers_of(request: StepRequest) -> dict[str, str]:
    """Return the message's headers: what ties it to the HTTP request that it comes from."""
    headers = {REQUEST_ID: request.request_id, TRACEPARENT: request.trace}
    return {name: value for name, value in headers.items() if value}


def send(app: Celery, request: StepRequest) -> None:
    """Send ``request`` to the queue of its step.

    Raises
    ------
    QueueUnavailableError
        If the broker does not take it.
    """
    try:
        _publish(app, request)
    except (OperationalError, RedisError, OSError) as error:
        message = "the job queue cannot be reached"
        raise QueueUnavailableError(message) from error


def _publish(app: Celery, request: StepRequest) -> None:
    """Have Celery write the message for ``request`` and send it."""
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
    """Keeps the last message that was published, as kombu's channel for Redis would have pushed it."""

    do_restore = False
    last: OutboxMessage

    def _put(self, queue: str, message: dict[str, Any], **_options: object) -> None:
        self.last = OutboxMessage(queue, dumps(message))  # type: ignore[no-untyped-call]  # kombu has no type hints

    def _size(self, _queue: str) -> int:
        return 0


class _Nowhere(virtual.Transport):
    """A transport that leads nowhere."""

    Channel = _Drafts


class Outbox:
    """Writes the messages that `send` would send, and sends none: the ledger pushes them with its own rows.

    Celery and kombu write them, for a transport that keeps them. Known here is how a queue lies on the
    server: a list of its name, pushed on at the left. Not for several threads at once.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        connection = Connection(transport=_Nowhere)  # type: ignore[no-untyped-call]  # the same
        self._channel: _Drafts = connection.channel()  # type: ignore[no-untyped-call]  # the same
        self._producer = app.amqp.Producer(self._channel, auto_declare=False)

    def write(self, request: StepRequest) -> OutboxMessage:
        """Return the message for ``request``, which talks to nobody.

        The two calls that Celery's ``send_task`` makes, without what it does around them: an object for the
        result, and a declaration of the queue, of which a list of the server knows nothing.
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
