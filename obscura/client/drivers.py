"""The blocking and the asyncio client: the same calls and results."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

import httpx

from obscura.client import flows
from obscura.client.connection import DEFAULT_URL, address_of, headers_of, own_errors
from obscura.client.files import files_of, writing
from obscura.client.options import (
    BlurOptions,
    LookOptions,
    Photo,
    RedactOptions,
    VideoOptions,
    check_names,
)
from obscura.client.results import Found, Hidden, HiddenVideo, photo_text
from obscura.contract import UserBox
from obscura.errors import ObscuraError

__all__ = ["AsyncObscura", "Obscura", "Outcome"]

T = TypeVar("T")
P = TypeVar("P", bound=Photo)
# One request carries at most one photo up or down; the whole call has its own patience. With zero retention a
# request lasts as long as the work on its photo.
REQUEST_TIMEOUT = httpx.Timeout(60.0, read=120.0)
PATIENCE_S = 300.0
VIDEO_PATIENCE_S = 4 * 3600.0
AT_ONCE = 4


@dataclass(frozen=True)
class Outcome(Generic[P]):
    """One photo of many: its answer, or the error that it met."""

    photo: P
    hidden: Hidden | None
    error: ObscuraError | OSError | None

    def __repr__(self) -> str:
        return f"Outcome(photo={photo_text(self.photo)}, hidden={self.hidden!r}, error={self.error!r})"


def _nothing(_stage: str, _done: int, _total: int) -> None:
    return


def _arguments(request: flows.Send) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "data": dict(request.data) or None,
        "headers": dict(request.headers),
    }


class _Calls:
    """What both clients know: whose key, how patient."""

    def __init__(self, url: str, patience_s: float) -> None:
        self._url = address_of(url)
        self._patience_s = patience_s

    def __repr__(self) -> str:
        # httpx masks a password in the address; the key is never shown.
        return f"{type(self).__name__}({self._url!r})"

    def _patience(self) -> flows.Patience:
        return flows.Patience(self._patience_s)


class Obscura(_Calls):
    """A blocking client; use it as a context manager, from as many threads as you like.

    Raises (all calls)
    ------------------
    RemoteRefusalError
        If the server refuses the request; it carries status and stable code.
    RemoteTaskFailedError
        If the photo was taken but could not be worked on.
    ServerUnreachableError
        If there is no answer within ``patience_s`` seconds.
    AnswerUnreadableError
        If what answers is not Obscura, or of another version.
    InvalidOptionError
        If an option is unknown, or the address of the server is none.
    OSError
        If the photo's file cannot be read.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, key: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(url, patience_s)
        self._http = httpx.Client(base_url=self._url, headers=headers_of(key), timeout=REQUEST_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def detect(self, photo: Photo, **options: Unpack[LookOptions]) -> Found:
        """Find faces and plates in a photo (bytes, or the path of a file)."""
        return self._run(flows.detect(photo, options, self._patience()))

    def blur(self, photo: Photo, **options: Unpack[BlurOptions]) -> Hidden:
        """Find faces and plates and hide them."""
        return self._run(flows.blur(photo, options, self._patience()))

    def redact(self, photo: Photo, boxes: Sequence[UserBox], **options: Unpack[RedactOptions]) -> Hidden:
        """Hide exactly these boxes."""
        return self._run(flows.redact(photo, boxes, options, self._patience()))

    def blur_video(
        self,
        video: str | Path,
        target: str | Path,
        *,
        progress: flows.Progress = _nothing,
        patience_s: float = VIDEO_PATIENCE_S,
        **options: Unpack[VideoOptions],
    ) -> HiddenVideo:
        """Find faces and plates in a video, hide them, and write the result to ``target``.

        ``progress`` is called now and then with the stage, the frames done and in all; what it raises, or
        ends this call, ends the work on the server too. Little of a video is in memory at a time.
        """
        patience = flows.Patience(patience_s)
        return self._run(flows.blur_video(video, Path(target), options, patience, progress))

    def erase(self, task_id: str) -> None:
        """Have the server forget a task now instead of at its time."""
        self._run(flows.erase(task_id, self._patience()))

    def blur_many(
        self, photos: Iterable[P], *, at_once: int = AT_ONCE, **options: Unpack[BlurOptions]
    ) -> Iterator[Outcome[P]]:
        """Blur photos, ``at_once`` at a time, and yield each as it ends; one that fails stops no other."""
        check_names(options, BlurOptions)
        with ThreadPoolExecutor(at_once) as pool:
            pending: set[Future[Outcome[P]]] = set()
            try:
                for photo in photos:
                    # No more is begun than is worked on: an endless source stays where it is.
                    if len(pending) >= at_once:
                        done, pending = wait(pending, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                    pending.add(pool.submit(self._outcome, photo, options))
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                for future in pending:
                    future.cancel()

    def _outcome(self, photo: P, options: BlurOptions) -> Outcome[P]:
        try:
            return Outcome(photo, self.blur(photo, **options), None)
        except (ObscuraError, OSError) as error:
            return Outcome(photo, None, error)

    def _run(self, flow: flows.Flow[T]) -> T:
        flow = flows.understood(flow)
        try:
            wanted = flow.send(None)
            while True:
                try:
                    outcome = self._do(wanted)
                except BaseException as error:  # noqa: BLE001 - the flow may have something to take back
                    wanted = flow.throw(error)
                else:
                    wanted = flow.send(outcome)
        except StopIteration as end:
            value: T = end.value
            return value

    def _do(self, wanted: flows.Send | flows.Sleep) -> flows.Outcome:
        if isinstance(wanted, flows.Sleep):
            time.sleep(wanted.seconds)
            return None
        try:
            with own_errors(), files_of(wanted) as files:
                if wanted.target is None:
                    return self._http.request(**_arguments(wanted), **files)
                return self._fetch(wanted, wanted.target)
        except httpx.TransportError as error:
            return error

    def _fetch(self, wanted: flows.Send, target: Path) -> httpx.Response:
        with self._http.stream(**_arguments(wanted)) as response:
            if response.status_code >= flows.ERRORS_FROM:
                response.read()
                return response
            with writing(target) as file:
                for piece in response.iter_bytes():
                    file.write(piece)
        return response


class AsyncObscura(_Calls):
    """The same for asyncio; see ``Obscura``."""

    def __init__(
        self, url: str = DEFAULT_URL, *, key: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(url, patience_s)
        self._http = httpx.AsyncClient(base_url=self._url, headers=headers_of(key), timeout=REQUEST_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def detect(self, photo: Photo, **options: Unpack[LookOptions]) -> Found:
        """Find faces and plates in a photo (bytes, or the path of a file)."""
        return await self._run(flows.detect(photo, options, self._patience()))

    async def blur(self, photo: Photo, **options: Unpack[BlurOptions]) -> Hidden:
        """Find faces and plates and hide them."""
        return await self._run(flows.blur(photo, options, self._patience()))

    async def redact(
        self, photo: Photo, boxes: Sequence[UserBox], **options: Unpack[RedactOptions]
    ) -> Hidden:
        """Hide exactly these boxes."""
        return await self._run(flows.redact(photo, boxes, options, self._patience()))

    async def blur_video(
        self,
        video: str | Path,
        target: str | Path,
        *,
        progress: flows.Progress = _nothing,
        patience_s: float = VIDEO_PATIENCE_S,
        **options: Unpack[VideoOptions],
    ) -> HiddenVideo:
        """Hide in a video and write the result to ``target``; see ``Obscura.blur_video``."""
        patience = flows.Patience(patience_s)
        return await self._run(flows.blur_video(video, Path(target), options, patience, progress))

    async def erase(self, task_id: str) -> None:
        """Have the server forget a task now instead of at its time."""
        await self._run(flows.erase(task_id, self._patience()))

    async def blur_many(
        self, photos: Iterable[P], *, at_once: int = AT_ONCE, **options: Unpack[BlurOptions]
    ) -> AsyncIterator[Outcome[P]]:
        """Blur photos, ``at_once`` at a time, and yield each as it ends; one that fails stops no other."""
        check_names(options, BlurOptions)
        pending: set[asyncio.Task[Outcome[P]]] = set()
        try:
            for photo in photos:
                if len(pending) >= at_once:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        yield task.result()
                pending.add(asyncio.create_task(self._outcome(photo, options)))
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in pending:
                task.cancel()

    async def _outcome(self, photo: P, options: BlurOptions) -> Outcome[P]:
        try:
            return Outcome(photo, await self.blur(photo, **options), None)
        except (ObscuraError, OSError) as error:
            return Outcome(photo, None, error)

    async def _run(self, flow: flows.Flow[T]) -> T:
        flow = flows.understood(flow)
        try:
            wanted = flow.send(None)
            while True:
                try:
                    outcome = await self._do(wanted)
                except BaseException as error:  # noqa: BLE001 - the flow may have something to take back
                    wanted = flow.throw(error)
                else:
                    wanted = flow.send(outcome)
        except StopIteration as end:
            value: T = end.value
            return value

    async def _do(self, wanted: flows.Send | flows.Sleep) -> flows.Outcome:
        if isinstance(wanted, flows.Sleep):
            await asyncio.sleep(wanted.seconds)
            return None
        try:
            with own_errors(), files_of(wanted) as files:
                if wanted.target is None:
                    return await self._http.request(**_arguments(wanted), **files)
                return await self._fetch(wanted, wanted.target)
        except httpx.TransportError as error:
            return error

    async def _fetch(self, wanted: flows.Send, target: Path) -> httpx.Response:
        async with self._http.stream(**_arguments(wanted)) as response:
            if response.status_code >= flows.ERRORS_FROM:
                await response.aread()
                return response
            with writing(target) as file:
                async for piece in response.aiter_bytes():
                    file.write(piece)
        return response
