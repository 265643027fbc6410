"""Map errors to HTTP status codes and problem bodies; no other module knows status codes."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gateway_service.http.spooling import no_room
from obscura import errors
from obscura.observability import catalogue, count
from obscura.storage import MissingObjectError
from obscura.wording import MEGABYTE, megabytes

RETRY_AFTER_S = "5"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# The most derived class of an error decides.
STATUS_CODES: Mapping[type[errors.ObscuraError], HTTPStatus] = {
    errors.EmptyPhotoError: HTTPStatus.BAD_REQUEST,
    errors.PhotoTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyPixelsError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.PhotoError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SlowUploadError: HTTPStatus.REQUEST_TIMEOUT,
    errors.KeyRequiredError: HTTPStatus.UNAUTHORIZED,
    errors.InvalidKeyError: HTTPStatus.UNAUTHORIZED,
    errors.UnknownHostError: HTTPStatus.MISDIRECTED_REQUEST,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AccessError: HTTPStatus.FORBIDDEN,
    errors.IdempotencyConflictError: HTTPStatus.CONFLICT,
    errors.TooManyFilesError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ArchiveTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BatchNotFinishedError: HTTPStatus.CONFLICT,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.InvalidRequestError: HTTPStatus.BAD_REQUEST,
    errors.RequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoPictureError: HTTPStatus.NOT_FOUND,
    errors.BatchUnreadableError: HTTPStatus.GONE,
    errors.OriginalErasedError: HTTPStatus.GONE,
    errors.LookupFailedError: HTTPStatus.NOT_FOUND,
    MissingObjectError: HTTPStatus.NOT_FOUND,
    errors.ServiceError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ClassUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ProcessingTimedOutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.ObscuraError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_CODES_OF_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "the request body cannot be parsed"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    413: ("photo_too_large", "the upload is larger than this server accepts"),
}


def status_of(error: errors.ObscuraError) -> HTTPStatus:
    """Return the HTTP status of ``error``."""
    return next(STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES)


def status_of_code(code: str) -> HTTPStatus:
    """Return the HTTP status of a failed task's error ``code``; 500 for a code that no error has."""
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    found = next(
        (k for k in kinds if issubclass(k, errors.ObscuraError) and k.code == code), errors.ObscuraError
    )
    return next(STATUS_CODES[kind] for kind in found.__mro__ if kind in STATUS_CODES)


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error answer and count it."""
    count(catalogue.REFUSALS, code)
    content = {"error": {"code": code, "message": message}}
    return JSONResponse(content, status_code=status, headers=dict(headers or {}))


def answer_to(error: errors.ObscuraError) -> JSONResponse:
    """Return the answer to an error, with the headers of its status."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.RateLimitedError):
        headers["retry-after"] = str(error.retry_after_s)
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = RETRY_AFTER_S
    elif status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="obscura"'
    return problem(status, error.code, error.message, headers)


def crashed() -> JSONResponse:
    """Return the answer to an unexpected exception."""
    return problem(500, errors.ObscuraError.code, "something went wrong on this server")


def too_large(length: int | None, limit: int) -> errors.PhotoTooLargeError:
    """Return the error of a body of ``length`` bytes where ``limit`` are taken.

    ``length`` is None while the body is still arriving. A limit holds room for the other fields of a form;
    the error names the whole megabytes of it.
    """
    most = f"{limit // MEGABYTE} MB"
    if length is None:
        message = f"the upload has more than {most}, which is the most that is accepted"
    else:
        message = f"the upload has {megabytes(length)}; at most {most} are accepted"
    return errors.PhotoTooLargeError(message)


def _field_names(details: Sequence[Mapping[str, Any]]) -> str:
    # A location is (part of the request, field, position in the field, ...).
    return ", ".join(str(item["loc"][1]) for item in details if len(item.get("loc", ())) > 1)


def _of_validation(error: RequestValidationError) -> JSONResponse:
    details = error.errors()
    if any(item["type"] == "json_invalid" for item in details):
        return problem(400, "invalid_request", "the request body is not valid JSON")
    missing = [item for item in details if item["type"] == "missing"]
    if missing:
        message = f"required field missing: {_field_names(missing)}"
        return problem(422, errors.MissingFieldError.code, message)
    reasons = "; ".join(f"{_field_names([item])}: {item['msg']}" for item in details)
    return problem(422, errors.InvalidOptionError.code, reasons)


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes at the request's path."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


def _cause(error: HTTPException) -> errors.ObscuraError | None:
    """Return the error of this project that caused a framework's exception, None where there is none."""
    match error.__cause__:
        case errors.ObscuraError() as cause:
            return cause
        case OSError():
            # The form parser could not write to the spool folder.
            return no_room()
        case _:
            return None


def install(app: FastAPI) -> None:
    """Install exception handlers that answer every error with a problem body."""

    @app.exception_handler(errors.ObscuraError)
    async def _obscura(_request: Request, error: errors.ObscuraError) -> JSONResponse:
        return answer_to(error)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        cause = _cause(error)
        if cause is not None:
            answer = answer_to(cause)
            answer.headers.update(error.headers or {})
            return answer
        code, message = _CODES_OF_STATUS.get(error.status_code, ("http_error", str(error.detail)))
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"allow": ", ".join(_methods_at(request))}
        return problem(error.status_code, code, message, headers)
