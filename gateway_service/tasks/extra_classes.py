"""Classes beyond faces and plates: which the workers of this system can detect now."""

from gateway_service.http.dependencies import Gateway
from obscura.contract import JobKind, JobOptions, Queue, extra_class
from obscura.errors import ClassUnavailableError
from obscura.jobs.worker_registry import offered_classes

__all__ = ["require_offered"]


async def require_offered(gateway: Gateway, kind: JobKind, options: JobOptions) -> None:
    """Refuse a job for a class that no worker can detect.

    Raises
    ------
    ClassUnavailableError
        If there is such a class; the message names what has to be installed on the workers.
    QueueUnavailableError
        If the job store cannot be reached.
    """
    asked = [item for name in options.classes if (item := extra_class(name.value)) is not None]
    if not asked:
        return
    queue = Queue.VIDEOS if kind is JobKind.BLUR_VIDEO else Queue.PHOTOS
    offered = await offered_classes(gateway.job_store.client, queue)
    for item in asked:
        if item.name not in offered:
            message = (
                f"no worker of this server detects the class {item.name}: "
                f"one of the queue {queue.value} needs `{item.installation}`"
            )
            raise ClassUnavailableError(message)
