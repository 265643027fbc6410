"""Routes of ``/auth/...``: parse the body, ask the workers, answer in the caller's API version."""

import asyncio
import base64
import tempfile
from typing import IO

import structlog
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from gateway_service.compat.verification.ask import WorkerReply, WorkerRequest, ask_workers
from gateway_service.compat.verification.bodies import UNPARSABLE, ParsedBody, parse_body
from gateway_service.compat.verification.fetch import FetchFailedError, fetch, sources_of
from gateway_service.compat.verification.openapi import ANSWERS, BODY
from gateway_service.compat.verification.texts import Extras, version_1_response, version_2_response
from gateway_service.http.dependencies import CurrentGateway, Gateway
from gateway_service.http.spooling import spooled
from obscura.contract.verification import Outcome, VerificationAnswer
from obscura.errors import ObscuraError, StorageUnavailableError
from obscura.observability import catalogue, count

__all__ = ["MAX_BODY_FACTOR", "PATHS", "router", "unparsable_body"]

PATHS = tuple(f"/auth/{name}" for name in ("stdimg", "test", "feature", "tag", "classification"))
router = APIRouter(prefix="/auth", tags=["legacy"], responses={**ANSWERS})
log = structlog.get_logger(__name__)
# Upper bound of a body over its photo: base64 with line breaks.
MAX_BODY_FACTOR = 1.4
# Bodies are spooled to files; so many are parsed at once, each taking about five times its photo in memory.
MAX_PARSED_AT_ONCE = 2
MAX_BYTES_IN_MEMORY = 256 * 1024


def _response(parsed: ParsedBody, outcome: Outcome, extras: Extras | None = None) -> Response:
    answer = version_1_response if parsed.version == 1 else version_2_response
    return answer(parsed.call, outcome, extras or Extras())


def unparsable_body() -> Response:
    """Return the answer to a body that is too large to be parsed."""
    return _response(UNPARSABLE, Outcome.BAD_INPUT)


def _parsing_slots(request: Request) -> asyncio.Semaphore:
    state = request.app.state
    if not hasattr(state, "verification_unfolding"):
        state.verification_parsing_slots = asyncio.Semaphore(MAX_PARSED_AT_ONCE)
    slots: asyncio.Semaphore = state.verification_parsing_slots
    return slots


async def _parse_request(request: Request, gateway: Gateway) -> ParsedBody:
    """Read the body, spooled to a file where it is large, and parse it."""
    path = request.url.path.rstrip("/")
    folder = gateway.settings.upload_dir
    with tempfile.SpooledTemporaryFile(
        MAX_BYTES_IN_MEMORY, dir=None if folder is None else str(folder)
    ) as spool:
        async for chunk in request.stream():
            if chunk:
                with spooled():
                    await asyncio.to_thread(spool.write, chunk)
        async with _parsing_slots(request):
            limit = gateway.settings.max_upload_bytes
            return await asyncio.to_thread(_read, spool, path, limit)


def _read(spool: IO[bytes], path: str, limit: int) -> ParsedBody:
    spool.seek(0)
    return parse_body(path, spool.read(), limit)


async def _standard(gateway: Gateway, parsed: ParsedBody) -> bytes:
    """Fetch the standard photo of a URL outside this installation; empty where that fails."""
    url = parsed.foreign_url
    if url is None or gateway.storage.key_of(url) is not None:
        return b""
    settings = gateway.settings
    try:
        return await fetch(url, sources_of(settings), settings.max_upload_bytes)
    except FetchFailedError as error:
        log.info("standard_not_fetched", reason=error.message)
        return b""


async def _reply_of_workers(gateway: Gateway, parsed: ParsedBody, request: Request) -> WorkerReply:
    """Return the workers' answer, or a refusal or failure where they cannot be asked."""
    if parsed.ask is None:
        return WorkerReply(VerificationAnswer(outcome=parsed.refusal))
    worker_request = WorkerRequest(
        parsed.ask,
        parsed.photo,
        await _standard(gateway, parsed),
        **parsed.flags,
        may_read=request.state.may_read,
    )
    try:
        return await ask_workers(gateway, worker_request, request.state.request_id)
    except StorageUnavailableError as error:
        count(catalogue.REFUSALS, error.code)
        log.warning("verification_not_stored", code=error.code)
        outcome = Outcome.NOT_STORED
    except ObscuraError as error:
        count(catalogue.REFUSALS, error.code)
        log.warning("verification_failed", code=error.code)
        outcome = Outcome.FAILED
    return WorkerReply(VerificationAnswer(outcome=outcome))


async def _verify(request: Request, gateway: Gateway) -> Response:
    parsed = UNPARSABLE
    try:
        parsed = await _parse_request(request, gateway)
        reply = await _reply_of_workers(gateway, parsed, request)
    except HTTPException:
        return unparsable_body()
    except ClientDisconnect:
        # The caller has disconnected.
        return unparsable_body()
    except StorageUnavailableError as error:
        log.warning("verification_not_stored", code=error.code)
        return _response(parsed, Outcome.NOT_STORED)
    except Exception:
        log.exception("verification_crashed")
        return _response(parsed, Outcome.FAILED)
    picture = None if reply.picture is None else base64.b64encode(reply.picture).decode()
    answer = reply.answer
    shown_url = answer.url if parsed.version == 1 else None
    extras = Extras.of(answer.model_copy(update={"url": shown_url}), picture)
    return _response(parsed, answer.outcome, extras)


@router.post("/stdimg", response_class=Response, openapi_extra=BODY)
async def register_standard_photo(request: Request, gateway: CurrentGateway) -> Response:
    """Check a standard photo and register it: for a participation, under a name, or not at all."""
    return await _verify(request, gateway)


@router.post("/test", response_class=Response, openapi_extra=BODY)
async def test_photo(request: Request, gateway: CurrentGateway) -> Response:
    """Check a standard photo (``data`` alone) or compare with one (``data`` with ``name`` or ``url``)."""
    return await _verify(request, gateway)


@router.post("/feature", response_class=Response, openapi_extra=BODY)
async def compare_photo(request: Request, gateway: CurrentGateway) -> Response:
    """Compare a photo with its standard photo; of a participation: enter it in the feed."""
    return await _verify(request, gateway)


@router.post("/tag", response_class=Response, openapi_extra=BODY)
async def verify_tag(request: Request, gateway: CurrentGateway) -> Response:
    """Say whether a photo shows what a tag says."""
    return await _verify(request, gateway)


@router.post("/classification", response_class=Response, openapi_extra=BODY)
async def classify_photo(request: Request, gateway: CurrentGateway) -> Response:
    """Enter a photo in the feed that shows what a keyword says."""
    return await _verify(request, gateway)
