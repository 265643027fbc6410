"""Routes of ``/auth/...``: parse the body, ask the workers, answer in the caller's dialect."""

import asyncio
import base64
import tempfile
from typing import IO

import structlog
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from gateway_service.compat.verification.ask import Answered, Question, ask_workers
from gateway_service.compat.verification.bodies import NOT_UNDERSTOOD, Understood, understand
from gateway_service.compat.verification.fetch import FetchFailedError, fetch, sources_of
from gateway_service.compat.verification.openapi import ANSWERS, BODY
from gateway_service.compat.verification.texts import Extras, answer_in_one, answer_in_two
from gateway_service.http.dependencies import CurrentGateway, Gateway
from gateway_service.http.spooling import spooled
from obscura.contract.verification import Outcome, VerificationAnswer
from obscura.errors import ObscuraError, StorageUnavailableError
from obscura.observability import catalogue, count

__all__ = ["MAX_BODY_FACTOR", "PATHS", "not_understood", "router"]

PATHS = tuple(f"/auth/{name}" for name in ("stdimg", "test", "feature", "tag", "classification"))
router = APIRouter(prefix="/auth", tags=["legacy"], responses={**ANSWERS})
log = structlog.get_logger(__name__)
# Base64 and its line breaks.
MAX_BODY_FACTOR = 1.4
# Bodies wait in a file; so many at a time are taken into memory, each about five times its photo there.
UNFOLDED_AT_ONCE = 2
KEPT_IN_MEMORY = 256 * 1024


def _said(understood: Understood, outcome: Outcome, extras: Extras | None = None) -> Response:
    answer = answer_in_one if understood.dialect == 1 else answer_in_two
    return answer(understood.call, outcome, extras or Extras())


def not_understood() -> Response:
    """Return the answer to a body that is too large to be looked into."""
    return _said(NOT_UNDERSTOOD, Outcome.BAD_INPUT)


def _unfolding(request: Request) -> asyncio.Semaphore:
    state = request.app.state
    if not hasattr(state, "verification_unfolding"):
        state.verification_unfolding = asyncio.Semaphore(UNFOLDED_AT_ONCE)
    unfolding: asyncio.Semaphore = state.verification_unfolding
    return unfolding


async def _understood(request: Request, gateway: Gateway) -> Understood:
    """Read the body, to a file where it is large, and return what it asks for."""
    path = request.url.path.rstrip("/")
    folder = gateway.settings.upload_dir
    with tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY, dir=None if folder is None else str(folder)) as spool:
        async for chunk in request.stream():
            if chunk:
                with spooled():
                    await asyncio.to_thread(spool.write, chunk)
        async with _unfolding(request):
            limit = gateway.settings.max_upload_bytes
            return await asyncio.to_thread(_read, spool, path, limit)


def _read(spool: IO[bytes], path: str, limit: int) -> Understood:
    spool.seek(0)
    return understand(path, spool.read(), limit)


async def _standard(gateway: Gateway, understood: Understood) -> bytes:
    """Return the standard photo that is named by a URL which is not ours; none where it cannot be had."""
    url = understood.foreign_url
    if url is None or gateway.storage.key_of(url) is not None:
        return b""
    settings = gateway.settings
    try:
        return await fetch(url, sources_of(settings), settings.max_upload_bytes)
    except FetchFailedError as error:
        log.info("standard_not_fetched", reason=error.message)
        return b""


async def _asked(gateway: Gateway, understood: Understood, request: Request) -> Answered:
    """Return the workers' answer, or the one that is left when they cannot be asked."""
    if understood.ask is None:
        return Answered(VerificationAnswer(outcome=understood.refusal))
    question = Question(
        understood.ask,
        understood.photo,
        await _standard(gateway, understood),
        **understood.flags,
        may_read=request.state.may_read,
    )
    try:
        return await ask_workers(gateway, question, request.state.request_id)
    except StorageUnavailableError as error:
        count(catalogue.REFUSALS, error.code)
        log.warning("verification_not_stored", code=error.code)
        outcome = Outcome.NOT_STORED
    except ObscuraError as error:
        count(catalogue.REFUSALS, error.code)
        log.warning("verification_failed", code=error.code)
        outcome = Outcome.FAILED
    return Answered(VerificationAnswer(outcome=outcome))


async def _verify(request: Request, gateway: Gateway) -> Response:
    understood = NOT_UNDERSTOOD
    try:
        understood = await _understood(request, gateway)
        answered = await _asked(gateway, understood, request)
    except HTTPException:
        return not_understood()
    except ClientDisconnect:
        # Nobody reads this.
        return not_understood()
    except StorageUnavailableError as error:
        log.warning("verification_not_stored", code=error.code)
        return _said(understood, Outcome.NOT_STORED)
    except Exception:
        log.exception("verification_crashed")
        return _said(understood, Outcome.FAILED)
    picture = None if answered.picture is None else base64.b64encode(answered.picture).decode()
    answer = answered.answer
    shown_url = answer.url if understood.dialect == 1 else None
    extras = Extras.of(answer.model_copy(update={"url": shown_url}), picture)
    return _said(understood, answer.outcome, extras)


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
