"""Request sequences of the client, independent of blocking or asyncio I/O.

A flow is a generator: it yields what it wants done, is sent the outcome, and returns the answer. One
driver carries flows over blocking sockets, another over asyncio; every rule about retries and waiting
stands here once.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from obscura.client.options import (
    BlurOptions,
    LookOptions,
    Photo,
    RedactOptions,
    VideoOptions,
    check_names,
)
from obscura.client.results import Found, Hidden, HiddenVideo
from obscura.contract import DetectedObject, ImageInfo, ModelInfo, UserBox
from obscura.errors import (
    AnswerUnreadableError,
    InvalidOptionError,
    RemoteRefusalError,
    RemoteTaskFailedError,
    ServerUnreachableError,
)

WAIT_S = 20
# Between polls whose progress is reported.
LOOK_S = 2
# Seconds between two tries where the server names none.
PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
BREATH_S = 0.2
TOO_MANY = 429
BUSY = frozenset({TOO_MANY, 503})
ERRORS_FROM = 400
Fields = Mapping[str, object]
_WRITTEN = frozenset({"mask", "keep", "beep"})
_Spans = Sequence[tuple[float, float]]
Progress = Callable[[str, int, int], None]
"""Called with the stage of a video, the frames done and in all."""


@dataclass(frozen=True)
class Send:
    """Send this request and give the response back, or the ``httpx.TransportError`` that ended it.

    A ``photo`` that is a path is read as it is sent; the body of an answer that is no error goes to
    ``target``, where one is named, and is there whole or not at all.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    photo: bytes | Path | None = None
    mask: bytes | None = None
    target: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sleep:
    """Let so many seconds pass."""

    seconds: float


T = TypeVar("T")
Outcome = httpx.Response | httpx.TransportError | None
Flow = Generator[Send | Sleep, Outcome, T]

_DETECTIONS = TypeAdapter(tuple[DetectedObject, ...])
_MODELS = TypeAdapter(tuple[ModelInfo, ...])
_BOXES = TypeAdapter(tuple[UserBox, ...])


@dataclass(frozen=True)
class Patience:
    """How long a call may take in all, from its first byte to its answer."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))


def _pause(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return min(MAX_PAUSE_S, float(asked)) if asked.isdecimal() else PAUSE_S


def _refusal(response: httpx.Response) -> RemoteRefusalError:
    try:
        error = response.json()["error"]
        return RemoteRefusalError(str(error["message"]), response.status_code, str(error["code"]))
    except (ValueError, KeyError, TypeError):
        # A proxy's page, or another server altogether.
        text = f"the server answered with status {response.status_code}"
        return RemoteRefusalError(text, response.status_code, "http_error")


def ask(request: Send, patience: Patience) -> Flow[httpx.Response]:
    """Send a request until it is answered; a busy server and a lost connection are asked again.

    Raises
    ------
    RemoteRefusalError
        If the answer is an error that asking again would not change, or patience has ended.
    ServerUnreachableError
        If no connection lasts until patience ends.
    """
    while True:
        outcome = yield request
        if isinstance(outcome, httpx.Response):
            if outcome.status_code < ERRORS_FROM:
                return outcome
            if outcome.status_code not in BUSY or patience.left == 0:
                raise _refusal(outcome)
            pause = _pause(outcome)
        else:
            if patience.left == 0:
                message = f"no answer from the server: {outcome}"
                raise ServerUnreachableError(message) from outcome
            pause = PAUSE_S
        yield Sleep(min(pause, max(patience.left, 0.01)))


def _texts(fields: Fields) -> dict[str, str]:
    """Return form fields as text: lists with commas, what is None not at all."""
    return {name: _text(value) for name, value in fields.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _bytes_of(photo: Photo) -> bytes:
    return photo if isinstance(photo, bytes) else _path_of(photo).read_bytes()


def _path_of(name: str | Path) -> Path:
    """Return the path that a caller names; raise InvalidOptionError for what cannot be one."""
    if not isinstance(name, (str, Path)) or "\0" in str(name):
        message = f"not the name of a file: {type(name).__name__}; a photo is bytes or a path"
        raise InvalidOptionError(message)
    return Path(name)


def understood(flow: Flow[T]) -> Flow[T]:
    """Follow a flow; raise AnswerUnreadableError where an answer is not what servers of this version send."""
    try:
        return (yield from flow)
    except _CallbackError as error:
        raise error.error from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A proxy's page with status 200, another service, a server of another version.
        message = "the server's answer cannot be understood: is it Obscura, and of this version?"
        raise AnswerUnreadableError(message) from error


def _has_ended(body: Mapping[str, Any]) -> bool:
    """Whether an answer is the last one; raise RemoteTaskFailedError where it is a failure."""
    if body["status"] == "FAILURE":
        raise RemoteTaskFailedError(body["error"]["message"], body["error"]["code"])
    return bool(body["status"] == "SUCCESS")


def _finished(task_id: str, patience: Patience, progress: Progress | None = None) -> Flow[dict[str, Any]]:
    while True:
        wait = min(WAIT_S if progress is None else LOOK_S, patience.left)
        request = Send("GET", f"/task_result/{task_id}", params={"wait": f"{wait:.3f}"})
        response = yield from ask(request, patience)
        body: dict[str, Any] = response.json()
        if _has_ended(body):
            return body
        if progress is not None and "frames" in body:
            _tell(progress, body["frames"])
        if patience.left == 0:
            message = f"task {task_id} has not ended in {patience.seconds:g} s"
            raise ServerUnreachableError(message)
        # Whoever answers at once instead of waiting, a cache for one, is not asked without a breath.
        yield Sleep(min(BREATH_S, patience.left))


class _CallbackError(Exception):
    """Carries what a caller's own function raised past everything that reads answers."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _tell(progress: Progress, frames: Mapping[str, Any]) -> None:
    stage, done, total = frames["stage"], frames["done"], frames["total"]
    try:
        progress(stage, done, total)
    except Exception as error:
        raise _CallbackError(error) from error


def _post(path: str, photo: bytes | Path, fields: Fields) -> Send:
    """Return the form of a photo or video, with its privacy mask and exclusion zones, if any."""
    # The key makes a POST that is sent again, its answer having been lost, the same task.
    headers = {"idempotency-key": secrets.token_hex(16)}
    texts = _texts({name: value for name, value in fields.items() if name not in _WRITTEN})
    if fields.get("keep"):
        texts["keep"] = json.dumps(fields["keep"])
    if spans := fields.get("beep"):
        texts["beep"] = ",".join(f"{start:.3f}-{end:.3f}" for start, end in cast("_Spans", spans))
    mask = fields.get("mask")
    drawn = _bytes_of(mask) if isinstance(mask, bytes | str | Path) else None
    return Send("POST", path, data=texts, photo=photo, mask=drawn, headers=headers)


def _work(path: str, photo: Photo, fields: Fields, patience: Patience) -> Flow[tuple[str, dict[str, Any]]]:
    response = yield from ask(_post(path, _bytes_of(photo), fields), patience)
    entered: dict[str, Any] = response.json()
    if "task_id" not in entered:
        # Zero retention: the answer itself, and no task that it could be asked for again.
        _has_ended(entered)
        return "", entered
    task_id = str(entered["task_id"])
    body = yield from _finished(task_id, patience)
    return task_id, body


def _hidden(task_id: str, body: Mapping[str, Any]) -> Hidden:
    detections = _DETECTIONS.validate_python(body.get("detections", ()))
    picture = base64.b64decode(body["result"], validate=True)
    return Hidden(task_id, picture, detections, body.get("report") or {}, body.get("manifest"))


def detect(photo: Photo, fields: Fields, patience: Patience) -> Flow[Found]:
    """Find objects."""
    check_names(fields, LookOptions)
    task_id, body = yield from _work("/detect", photo, fields, patience)
    models = body.get("models") or [body["model"]]
    detections = _DETECTIONS.validate_python(body["detections"])
    return Found(
        task_id, detections, ImageInfo.model_validate(body["image"]), _MODELS.validate_python(models)
    )


def blur(photo: Photo, fields: Fields, patience: Patience) -> Flow[Hidden]:
    """Find objects and hide them."""
    check_names(fields, BlurOptions)
    task_id, body = yield from _work("/blur", photo, fields, patience)
    return _hidden(task_id, body)


def redact(photo: Photo, boxes: Sequence[UserBox], fields: Fields, patience: Patience) -> Flow[Hidden]:
    """Hide exactly the given boxes."""
    check_names(fields, RedactOptions)
    try:
        given = _BOXES.validate_python(boxes)
    except ValidationError as error:
        message = f"boxes: {error.errors()[0]['msg']}"
        raise InvalidOptionError(message) from error
    text = json.dumps([box.model_dump(mode="json", by_alias=True) for box in given])
    task_id, body = yield from _work("/redact", photo, {**fields, "boxes": text}, patience)
    return _hidden(task_id, body)


def blur_video(
    video: str | Path, target: Path, fields: Fields, patience: Patience, progress: Progress
) -> Flow[HiddenVideo]:
    """Redact a video and fetch the result; if this call is cancelled, the job is erased."""
    check_names(fields, VideoOptions)
    response = yield from ask(_post("/blur_video", _path_of(video), fields), patience)
    task_id = str(response.json()["task_id"])
    try:
        body = yield from _finished(task_id, patience, progress)
        yield from ask(Send("GET", body["video"]["url"], target=target), patience)
    except GeneratorExit:
        raise
    except BaseException:
        yield Send("DELETE", f"/task_result/{task_id}")
        raise
    return HiddenVideo(task_id, target, body["video"]["media_type"], body.get("report") or {})


def erase(task_id: str, patience: Patience) -> Flow[None]:
    """Have the server forget a task, its photo and its result."""
    if not task_id:
        # Nothing was kept.
        return
    yield from ask(Send("DELETE", f"/task_result/{task_id}"), patience)
