"""What a worker does with a request, beside what the dialects' own tests show."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from obscura.contract.verification import (
    AddChallenge,
    AddParticipation,
    Ask,
    CheckStandard,
    CompareWith,
    Outcome,
    PostFeature,
    RegisterStandard,
    VerificationRequest,
)
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.database.models import Feed
from photo_verification_service.handler import answer, make_context
from photo_verification_service.request import Context, Request
from tests import photos
from tests.verification import something_else, standard, taken_again

ALWAYS = {"start_date": "2000-01-01", "end_date": "2099-12-31"}
NOON = datetime(2024, 5, 1, 12, tzinfo=ZoneInfo("Asia/Seoul"))


def context_in(folder: Path, settings: Mapping[str, object] | None = None) -> Context:
    """Return what a worker works with, in a folder."""
    made = Settings.model_validate(
        {"database_url": SecretStr(f"sqlite:///{folder}/rows.db"), **(settings or {})}
    )
    return make_context(made, Storage.in_folder(folder / "photos"))


def outcome(
    context: Context, ask: Ask, photo: bytes = b"", number: str = "0123abcd", deadline_s: float = 60
) -> Outcome:
    """Return what comes of a request."""
    request = VerificationRequest(ask=ask, deadline=time.time() + deadline_s)
    return answer(context, Request(request, photo, b"", number, NOON)).answer.outcome


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a kit with participation 7 in a challenge that is always open."""
    return prepared(context_in(tmp_path))


def prepared(context: Context) -> Context:
    """Let participation 7 take part, with a standard photo."""
    assert outcome(context, AddChallenge.model_validate(ALWAYS)) is Outcome.DONE
    assert outcome(context, AddParticipation(challenge_id=1, participation_id=7)) is Outcome.DONE
    assert outcome(context, RegisterStandard(participation_id=7), standard(), "00000000") is Outcome.DONE
    return context


def feeds(context: Context) -> list[Feed]:
    """Return the rows of the feed."""

    async def read() -> list[Feed]:
        async with context.records._database.transaction() as session:
            rows = list(await session.scalars(select(Feed)))
            session.expunge_all()
            return rows

    return asyncio.run(read())


def stored(folder: Path) -> list[str]:
    """Return the names of the kept photos."""
    return sorted(path.name for path in (folder / "photos").glob("*.jpg"))


def test_a_request_that_comes_twice_is_done_once(context: Context, tmp_path: Path) -> None:
    """A message can be delivered again after its step has ended: one object, one row, the same answer."""
    for _ in range(2):
        post = PostFeature(participation_id=7, content="x")
        assert outcome(context, post, taken_again()) is Outcome.DONE
    (row,) = feeds(context)
    assert stored(tmp_path) == ["feature_7_20240501120000_0123abcd.jpg", "std_7_20240501120000_00000000.jpg"]
    assert row.feed_img.endswith("/feature_7_20240501120000_0123abcd.jpg")
    # SQLite keeps no zones: it is UTC.
    assert row.created_datetime.replace(tzinfo=UTC) == NOON


def test_after_its_deadline_a_request_writes_nothing(context: Context, tmp_path: Path) -> None:
    """Its caller has been told already that it failed."""
    before = stored(tmp_path)
    post = PostFeature(participation_id=7, content="x")
    assert outcome(context, post, taken_again(), deadline_s=-1) is Outcome.FAILED
    assert outcome(context, RegisterStandard(participation_id=7), standard(), deadline_s=-1) is Outcome.FAILED
    assert outcome(context, AddChallenge.model_validate(ALWAYS), deadline_s=-1) is Outcome.FAILED
    assert feeds(context) == []
    assert stored(tmp_path) == before


def test_the_same_photo_again_is_refused_where_that_is_wanted(tmp_path: Path) -> None:
    """Neither the standard photo itself nor an earlier photo counts, also when they are coded anew."""
    context = prepared(context_in(tmp_path, {"verification_replay": True}))
    post = PostFeature(participation_id=7, content="x")
    assert outcome(context, post, standard(), "1") is Outcome.MISMATCH
    again = photos.encoded(photos.portrait(), quality=60)
    assert outcome(context, post, again, "2") is Outcome.MISMATCH
    assert outcome(context, post, taken_again(), "3") is Outcome.DONE
    assert outcome(context, post, taken_again(), "4") is Outcome.MISMATCH
    assert len(feeds(context)) == 1
    assert outcome(context, CheckStandard(name="hong"), standard(), "5") is Outcome.DONE
    assert outcome(context, CompareWith(name="hong"), standard(), "6") is Outcome.MISMATCH
    assert outcome(context, CompareWith(name="hong"), taken_again(), "7") is Outcome.DONE


def test_a_url_reaches_standard_photos_and_nothing_else_of_the_storage(context: Context) -> None:
    """Other requests' photos and results lie in the same storage."""
    context.storage.put("photos/somebody-elses", standard())
    for key in ("photos/somebody-elses", "feature_7_1_2.jpg"):
        url = context.storage.url(key)
        assert outcome(context, CompareWith(url=url), standard()) is Outcome.UNREADABLE_STANDARD
    mine = context.storage.url("std_7_20240501120000_00000000.jpg")
    assert outcome(context, CompareWith(url=mine), taken_again()) is Outcome.DONE
    assert outcome(context, CompareWith(url=mine), something_else()) is Outcome.MISMATCH


def test_kept_photos_carry_no_metadata(context: Context, tmp_path: Path) -> None:
    """What a camera wrote beside the picture is nobody's business; the picture is upright."""
    turned = photos.turned(photos.portrait(), 6)
    assert outcome(context, RegisterStandard(participation_id=8), turned, "8") is Outcome.DONE
    kept = photos.opened((tmp_path / "photos" / "std_8_20240501120000_8.jpg").read_bytes())
    assert kept.format == "JPEG"
    assert len(kept.getexif()) == 0
    assert outcome(context, RegisterStandard(participation_id=9), standard(), "9") is Outcome.DONE


def test_features_are_found_once(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process reads them from the row of the photo instead of searching the photo again."""
    fresh = context_in(tmp_path)

    def searched(_pixels: object) -> None:
        message = "the standard photo was searched again"
        raise AssertionError(message)

    monkeypatch.setattr("photo_verification_service.standard_photos.features", searched)
    post = PostFeature(participation_id=7, content="x")
    assert outcome(fresh, post, taken_again()) is Outcome.DONE
