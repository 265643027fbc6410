"""Synchronous mode (zero retention): answer in the same request and keep nothing."""

import asyncio

from gateway_service.answers import TaskResult
from gateway_service.http.dependencies import Gateway
from gateway_service.results.serialisers import task_result_of
from gateway_service.routes.results import forget
from obscura.contract import JobOptions
from obscura.errors import InvalidOptionError, ProcessingTimedOutError
from obscura.settings import Settings

__all__ = ["answered", "keeps_nothing"]


def keeps_nothing(options: JobOptions, settings: Settings) -> bool:
    """Whether a job is answered in its own request.

    Raises
    ------
    InvalidOptionError
        If its photo should be kept at the same time.
    """
    wanted = options.zero_retention or settings.zero_retention
    if wanted and options.retain:
        message = "retain: nothing is kept with zero retention"
        raise InvalidOptionError(message)
    if wanted and options.webhook:
        message = "webhook: with zero retention the answer comes with the request itself"
        raise InvalidOptionError(message)
    return wanted


async def answered(gateway: Gateway, job_id: str) -> TaskResult:
    """Return the answer of a job that was just entered, once it has ended, and erase all that is left of it.

    Raises
    ------
    ProcessingTimedOutError
        If it has not ended in time.
    """
    try:
        record = await gateway.events.wait_for_end(job_id, float(gateway.settings.hard_limit_s))
        if not record.state.is_end:
            message = "the photo was not ready in time"
            raise ProcessingTimedOutError(message)
        return await task_result_of(gateway, record)
    finally:
        # Also when the caller hangs up.
        await asyncio.shield(forget(gateway, job_id))
