"""One operation for each kind of request; checks are made in the order of the API documents."""

from dataclasses import dataclass
from datetime import UTC

import structlog

from obscura.contract.verification import (
    CheckStandard,
    CompareWith,
    MatchDetails,
    MatchTag,
    Outcome,
    PostClassification,
    PostFeature,
    RegisterStandard,
    VerificationAnswer,
)
from obscura.errors import TaggerError
from obscura.imaging.open import Photo
from obscura.imaging.pixels import Pixels
from obscura.matching import (
    Comparison,
    Features,
    Strictness,
    compare,
    draw,
    enough_detail,
    features,
    fingerprint,
    is_replay,
)
from photo_verification_service.database import Entry, FeedEntry, NamedEntry, StandardEntry, StoredPhoto
from photo_verification_service.request import Context, RefusedError, Request, standard_key
from photo_verification_service.standard_photos import StandardUnreadableError, as_jpeg, jpeg_of_pixels

__all__ = [
    "OperationResult",
    "check_standard",
    "compare_with",
    "match_tag",
    "post_classification",
    "post_feature",
    "register_standard",
]

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OperationResult:
    """The answer of an operation, and the picture for ``debug`` (JPEG)."""

    answer: VerificationAnswer
    picture: bytes | None = None


@dataclass(frozen=True)
class _PhotoToStore:
    """How a photo is stored: prefix and subject of its key, its database entry, its features."""

    kind: str
    subject: int | str
    entry: Entry
    found: Features | None = None


async def _store(context: Context, request: Request, photo: Photo, wanted: _PhotoToStore) -> str:
    """Store a photo with its database row; return its URL for HTTP answers."""
    data = as_jpeg(photo)
    key = request.key(wanted.kind, wanted.subject)
    kept = StoredPhoto(
        key=key,
        url=context.storage.url(key),
        size=len(data),
        fingerprint=fingerprint(photo.pixels),
        features=None if wanted.found is None else wanted.found.to_bytes(),
        owner=request.owner,
    )
    request.must_be_in_time()
    await context.repository.store(kept, data, wanted.entry)
    return context.storage.shown_url(key)


def _detailed(photo: Photo) -> Features:
    found = features(photo.pixels)
    if not enough_detail(found):
        raise RefusedError(Outcome.TOO_FEW_FEATURES)
    return found


async def check_standard(context: Context, request: Request, ask: CheckStandard) -> OperationResult:
    """Check whether the photo can be a standard photo; store it if the request has a name."""
    photo = request.opened(context.settings)
    found = _detailed(photo)
    url = None
    if ask.name is not None:
        url = await _store(
            context, request, photo, _PhotoToStore("std", ask.name, NamedEntry(ask.name), found)
        )
    return OperationResult(VerificationAnswer(outcome=Outcome.DONE, url=url, keypoints=found.keypoints))


async def register_standard(context: Context, request: Request, ask: RegisterStandard) -> OperationResult:
    """Store the photo as the standard photo of a participation."""
    photo = request.opened(context.settings)
    found = _detailed(photo)
    number = ask.participation_id
    url = await _store(context, request, photo, _PhotoToStore("std", number, StandardEntry(number), found))
    return OperationResult(VerificationAnswer(outcome=Outcome.DONE, url=url, keypoints=found.keypoints))


def _compared(context: Context, request: Request, standard: Features, pixels: Pixels) -> Comparison:
    strictness = Strictness.STRICT if request.head.strict else context.settings.verification_strictness
    return compare(standard, pixels, Strictness(strictness))


def _shown(request: Request, comparison: Comparison, *, replay: bool) -> MatchDetails | None:
    if not request.head.debug:
        return None
    quad = None if comparison.quad is None else tuple((float(x), float(y)) for x, y in comparison.quad)
    return MatchDetails(inliers=comparison.inliers, method=comparison.method.value, replay=replay, quad=quad)


async def _own_key(context: Context, request: Request, url: str) -> str | None:
    """Return the key of a stored standard photo, None for a URL of another server.

    Raises
    ------
    RefusedError
        If the client may not see the photo; the answer is the same as for a missing one.
    """
    key = standard_key(context.storage, url)
    is_foreign = key is not None and await context.records.owner_of(context.storage.url(key)) != request.owner
    if is_foreign or not request.may_see:
        raise RefusedError(Outcome.UNREADABLE_STANDARD)
    return key


async def compare_with(context: Context, request: Request, ask: CompareWith) -> OperationResult:
    """Compare the photo with a standard photo: by name, by the URL of a stored one, or sent along."""
    url = ask.url
    if ask.name is not None:
        url = await context.records.named_standard(ask.name, request.owner) if request.may_see else None
    if url is None:
        raise RefusedError(Outcome.NO_STANDARD)
    photo = request.opened(context.settings)
    key = await _own_key(context, request, url)
    if key is not None:
        url = context.storage.url(key)
    try:
        standard = (
            features(context.standards.opened(request.standard).pixels)
            if key is None
            else await context.standards.features_of(url, key)
        )
    except StandardUnreadableError as error:
        raise RefusedError(Outcome.UNREADABLE_STANDARD) from error
    comparison = _compared(context, request, standard, photo.pixels)
    facts = await context.records.facts_of(url) if context.settings.verification_replay else None
    replay = facts is not None and is_replay(facts.fingerprint, fingerprint(photo.pixels))
    picture = None
    if request.head.debug:
        old = context.standards.opened(request.standard) if key is None else context.standards.photo(key)
        picture = jpeg_of_pixels(draw(old.pixels, photo.pixels, comparison))
    outcome = Outcome.DONE if comparison.same and not replay else Outcome.MISMATCH
    return OperationResult(
        VerificationAnswer(outcome=outcome, match=_shown(request, comparison, replay=replay)), picture
    )


async def _must_be_open(context: Context, request: Request, participation_id: int) -> None:
    window = await context.records.window_of(participation_id)
    if window is None or not window.is_open(request.moment.replace(tzinfo=None)):
        raise RefusedError(Outcome.OUTSIDE_WINDOW)


async def post_feature(context: Context, request: Request, ask: PostFeature) -> OperationResult:
    """Add the photo to the feed if it matches the standard photo and the challenge is open."""
    number = ask.participation_id
    photo = request.opened(context.settings)
    url = await context.records.standard_of(number, request.owner) if request.may_see else None
    key = None if url is None else standard_key(context.storage, url)
    if url is None or key is None:
        raise RefusedError(Outcome.NO_STANDARD)
    await _must_be_open(context, request, number)
    try:
        standard = await context.standards.features_of(url, key)
    except StandardUnreadableError as error:
        raise RefusedError(Outcome.UNREADABLE_STANDARD) from error
    comparison = _compared(context, request, standard, photo.pixels)
    replay = await _was_sent_before(context, request, number, photo)
    picture = None
    if request.head.debug:
        picture = jpeg_of_pixels(draw(context.standards.photo(key).pixels, photo.pixels, comparison))
    match = _shown(request, comparison, replay=replay)
    if replay or not comparison.same:
        return OperationResult(VerificationAnswer(outcome=Outcome.MISMATCH, match=match), picture)
    kept = await _store(
        context, request, photo, _PhotoToStore("feature", number, _feed(request, number, ask.content))
    )
    return OperationResult(VerificationAnswer(outcome=Outcome.DONE, url=kept, match=match), picture)


async def _was_sent_before(context: Context, request: Request, participation_id: int, photo: Photo) -> bool:
    if not context.settings.verification_replay:
        return False
    new = fingerprint(photo.pixels)
    return any(
        is_replay(old, new) for old in await context.records.fingerprints(participation_id, request.owner)
    )


def _feed(request: Request, participation_id: int, content: str) -> FeedEntry:
    return FeedEntry(participation_id, request.moment.astimezone(UTC), content)


def _shows(context: Context, pixels: Pixels, keyword: str) -> bool:
    try:
        return context.tag_matcher.shown(pixels, keyword)
    except TaggerError as error:
        log.warning("tagger_failed", code=error.code)
        raise RefusedError(Outcome.TAGGER_FAILED) from error


async def match_tag(context: Context, request: Request, ask: MatchTag) -> OperationResult:
    """Check whether the tag is among the photo's tags."""
    photo = request.opened(context.settings)
    outcome = Outcome.DONE if _shows(context, photo.pixels, ask.tag) else Outcome.MISMATCH
    return OperationResult(VerificationAnswer(outcome=outcome))


async def post_classification(context: Context, request: Request, ask: PostClassification) -> OperationResult:
    """Add the photo to the feed if the keyword is among its tags and the challenge is open."""
    number = ask.participation_id
    photo = request.opened(context.settings)
    await _must_be_open(context, request, number)
    if not _shows(context, photo.pixels, ask.keyword):
        raise RefusedError(Outcome.MISMATCH)
    url = await _store(
        context, request, photo, _PhotoToStore("classification", number, _feed(request, number, ask.content))
    )
    return OperationResult(VerificationAnswer(outcome=Outcome.DONE, url=url))
