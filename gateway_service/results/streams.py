"""Server-sent events: each change until the end.

The format is that of the HTML standard, section 9.2 (text/event-stream).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from gateway_service.http.problems import answer_to
from gateway_service.results.events import LOOK_AGAIN_S, JobEvents
from obscura.errors import ObscuraError

__all__ = ["event_stream"]

# Proxies end a connection on which nothing comes for a minute or so.
KEEP_ALIVE_S = 15.0
# A stream is no place to live: the browser's EventSource comes back by itself.
LONGEST_S = 900.0


class Watched(Protocol):
    """Anything with an end."""

    @property
    def finished(self) -> bool:
        """Whether it will not change any more."""


async def event_stream(
    events: JobEvents, job_ids: Sequence[str], look: Callable[[], Awaitable[BaseModel]]
) -> StreamingResponse:
    """Return a response that sends what ``look`` gives, now and whenever it has changed; errors end it.

    The first look is had before anything is sent: what is not there is a plain error answer.
    """
    first = await look()

    async def stream() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_S
        said, said_at = first, loop.time()
        yield _event(first)
        with events.watched(job_ids) as changed:
            while not _is_end(said) and loop.time() < deadline:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_AGAIN_S)
                changed.clear()
                try:
                    now = await look()
                except ObscuraError as error:
                    yield f"event: error\ndata: {bytes(answer_to(error).body).decode()}\n\n"
                    return
                if now != said:
                    said, said_at = now, loop.time()
                    yield _event(now)
                elif loop.time() - said_at > KEEP_ALIVE_S:
                    said_at = loop.time()
                    yield ": nothing new\n\n"

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _is_end(state: BaseModel) -> bool:
    return bool(getattr(state, "finished", False))


def _event(state: BaseModel) -> str:
    name = "end" if _is_end(state) else "progress"
    return f"event: {name}\ndata: {state.model_dump_json(exclude_none=True)}\n\n"
