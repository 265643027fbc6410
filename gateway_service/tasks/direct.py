"""Answer a submission with the redacted picture itself, for callers whose Accept header asks for an image."""

import base64
from http import HTTPStatus
from typing import Final, NamedTuple

from fastapi import Response
from fastapi.responses import JSONResponse

from gateway_service.answers import TaskAnswer, TaskCreated, TaskError, TaskResult
from gateway_service.http.dependencies import Gateway
from gateway_service.http.problems import problem, status_of_code
from gateway_service.results.serialisers import report_of
from gateway_service.routes.results import MAX_WAIT_S, picture_response
from obscura.contract import JobOptions, OutputFormat
from obscura.errors import ProcessingFailedError
from obscura.imaging.headers import sniff
from obscura.jobs import JobState

__all__ = ["PictureWish", "picture_answer", "picture_wish"]

_OUTPUTS: Final = {
    "image/jpeg": OutputFormat.JPEG,
    "image/png": OutputFormat.PNG,
    "image/webp": OutputFormat.WEBP,
}


class PictureWish(NamedTuple):
    """A caller wants the picture as bytes, in this format (``SAME``: that of the photo)."""

    output: OutputFormat

    def applied_to(self, options: JobOptions) -> JobOptions:
        """Return ``options`` with the wanted format, unless they name one themselves."""
        if options.output is not OutputFormat.SAME:
            return options
        return options.model_copy(update={"output": self.output})


def picture_wish(accept: str) -> PictureWish | None:
    """Return what an Accept header says about pictures; None if it prefers JSON or names no image type.

    The most preferred of ``image/jpeg``, ``image/png``, ``image/webp`` and ``image/*`` decides
    (RFC 9110, section 12.5.1).
    """
    shares = _shares(accept)
    images = {name: share for name, share in shares.items() if name in _OUTPUTS or name == "image/*"}
    if not images or max(images.values()) <= max(shares.get("application/json", 0.0), 0.0):
        return None
    best = max(images, key=lambda name: images[name])
    return PictureWish(_OUTPUTS.get(best, OutputFormat.SAME))


def _shares(accept: str) -> dict[str, float]:
    """Return the media types of an Accept header with their quality values."""
    shares: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights = [part.removeprefix("q=") for part in parameters if part.startswith("q=")]
        try:
            shares[name] = float(weights[0]) if weights else 1.0
        except ValueError:
            shares[name] = 0.0
    return shares


async def picture_answer(gateway: Gateway, entered: TaskAnswer) -> Response:
    """Return the picture of a task that was just submitted, waiting for at most ``MAX_WAIT_S``.

    200 with the picture and the headers ``Obscura-Task``, ``Obscura-Verdict`` and ``Link`` (the JSON result);
    202 with ``Location`` if it is not ready in time; the problem of the task if it failed.
    """
    if isinstance(entered, TaskResult):
        return _embedded(entered)
    record = await gateway.events.wait_for_end(entered.task_id, MAX_WAIT_S)
    address = f"/task_result/{record.id}"
    if not record.state.is_end:
        body = TaskCreated(task_id=record.id).model_dump()
        headers = {"location": f"{address}/image", "obscura-task": record.id}
        return JSONResponse(body, HTTPStatus.ACCEPTED, headers)
    if record.state is JobState.FAILED:
        code, message = record.error_code or "", record.error_message or ""
        return problem(status_of_code(code), code, message, {"obscura-task": record.id})
    response = await picture_response(gateway, record)
    verdict = (report_of(record) or {}).get("verdict")
    if verdict is not None:
        response.headers["obscura-verdict"] = str(verdict)
    response.headers["obscura-task"] = record.id
    response.headers["link"] = f'<{address}>; rel="describedby"; type="application/json"'
    return response


def _embedded(result: TaskResult) -> Response:
    """Return the picture of a zero-retention result, which no task is left to fetch from."""
    if not isinstance(result.result, str):
        error = result.error or TaskError(code=ProcessingFailedError.code, message="the task has no picture")
        return problem(status_of_code(error.code), error.code, error.message)
    picture = base64.b64decode(result.result)
    headers = {"cache-control": "private, no-store"}
    verdict = (result.report or {}).get("verdict")
    if verdict is not None:
        headers["obscura-verdict"] = str(verdict)
    kind = sniff(picture)
    media_type = "application/octet-stream" if kind is None else kind.media_type
    return Response(picture, media_type=media_type, headers=headers)
