"""Photos of verification belong to the API key that sent them; to every other key they are not there."""

import asyncio
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, text

import photo_verification_service.database
from obscura.contract.verification import (
    AddChallenge,
    AddParticipation,
    Ask,
    AssignOwner,
    CheckStandard,
    CompareWith,
    ListParticipations,
    Outcome,
    PostFeature,
    RegisterStandard,
    VerificationAnswer,
    VerificationRequest,
)
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.database import Database, Records
from photo_verification_service.handler import answer, make_context
from photo_verification_service.request import Context, Request
from tests.unit.verification.test_operations import ALWAYS, NOON, stored
from tests.verification import something_else, standard, taken_again

NUMBERS = iter(range(1_000_000))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return what a worker works with; participation 7 may send photos at any time."""
    settings = Settings(database_url=SecretStr(f"sqlite:///{tmp_path}/rows.db"))
    context = make_context(settings, Storage.in_folder(tmp_path / "photos"))
    assert done(context, "", AddChallenge.model_validate(ALWAYS)).outcome is Outcome.DONE
    assert done(context, "", AddParticipation(challenge_id=1, participation_id=7)).outcome is Outcome.DONE
    return context


def done(context: Context, owner: str, ask: Ask, photo: bytes = b"", **flags: bool) -> VerificationAnswer:
    """Return the answer to a request of ``owner``."""
    request = VerificationRequest(ask=ask, deadline=time.time() + 60, **flags)
    return answer(context, Request(request, photo, b"", f"{next(NUMBERS):08x}", NOON, owner)).answer


def test_the_same_participation_and_name_of_two_keys_are_two(context: Context, tmp_path: Path) -> None:
    """Neither finds, replaces or compares with the other's photo; both may use the same id and name."""
    register, post = RegisterStandard(participation_id=7), PostFeature(participation_id=7, content="x")
    name, compare = CheckStandard(name="hong"), CompareWith(name="hong")
    assert done(context, "a", register, standard()).outcome is Outcome.DONE
    assert done(context, "a", name, standard()).outcome is Outcome.DONE
    before = stored(tmp_path)
    assert done(context, "b", post, taken_again()).outcome is Outcome.NO_STANDARD
    assert done(context, "b", compare, taken_again()).outcome is Outcome.NO_STANDARD
    assert done(context, "b", register, something_else()).outcome is Outcome.DONE
    assert done(context, "b", name, something_else()).outcome is Outcome.DONE
    assert set(before) < set(stored(tmp_path))
    for owner, mine, other in (("a", taken_again(), something_else()), ("b", something_else(), standard())):
        assert done(context, owner, compare, mine).outcome is Outcome.DONE
        assert done(context, owner, compare, other).outcome is Outcome.MISMATCH
        assert done(context, owner, post, other).outcome is Outcome.MISMATCH
        assert done(context, owner, post, mine).outcome is Outcome.DONE


def test_a_url_of_another_key_leads_nowhere(context: Context) -> None:
    """It is answered as one of a photo that never was, whatever the photo and whatever is asked beside it."""
    url = done(context, "a", CheckStandard(name="hong"), standard()).url
    assert url is not None
    missing = url.replace("std_", "std_no")
    for photo in (taken_again(), standard(), something_else(), b"no photo"):
        for debug in (False, True):
            told = [done(context, "b", CompareWith(url=each), photo, debug=debug) for each in (url, missing)]
            assert told[0] == told[1]
    assert done(context, "a", CompareWith(url=url), taken_again()).outcome is Outcome.DONE


def test_answers_name_no_path_of_the_server(context: Context, tmp_path: Path) -> None:
    """A URL in an answer leads back to the photo and says nothing of the folder; older ones still work."""
    url = done(context, "", CheckStandard(name="hong"), standard()).url
    assert url is not None
    assert url.startswith("obscura:///std_hong_")
    assert done(context, "", RegisterStandard(participation_id=7), standard()).url
    listed = done(context, "", ListParticipations(participation_id=7))
    assert str(tmp_path) not in listed.model_dump_json() + url
    old = context.storage.url(url.removeprefix("obscura:///"))
    assert old.startswith("file:///")
    for each in (url, old):
        assert done(context, "", CompareWith(url=each), taken_again()).outcome is Outcome.DONE


def test_a_key_that_may_not_read_is_shown_no_picture(context: Context) -> None:
    """With `debug` its own standard photo is one that is not there; without it nothing is shown."""
    register, name = RegisterStandard(participation_id=7), CheckStandard(name="hong")
    assert done(context, "a", register, standard()).outcome is Outcome.DONE
    url = done(context, "a", name, standard()).url
    post = PostFeature(participation_id=7, content="x")
    for ask, none in (
        (CompareWith(name="hong"), CompareWith(name="nobody")),
        (CompareWith(url=url), CompareWith(url="obscura:///std_nobody.jpg")),
        (post, PostFeature(participation_id=8, content="x")),
    ):
        shown = done(context, "a", ask, taken_again(), debug=True, may_read=False)
        assert shown == done(context, "a", none, taken_again(), debug=True)
        assert done(context, "a", ask, taken_again(), may_read=False).outcome is Outcome.DONE
        assert done(context, "a", ask, taken_again(), debug=True).match is not None


def test_what_was_sent_by_another_key_is_no_replay(tmp_path: Path) -> None:
    """An answer must not tell that somebody else has sent the same photo."""
    settings = Settings(database_url=SecretStr(f"sqlite:///{tmp_path}/rows.db"), verification_replay=True)
    context = make_context(settings, Storage.in_folder(tmp_path / "photos"))
    done(context, "", AddChallenge.model_validate(ALWAYS))
    done(context, "", AddParticipation(challenge_id=1, participation_id=7))
    post = PostFeature(participation_id=7, content="x")
    for owner in ("a", "b"):
        assert done(context, owner, RegisterStandard(participation_id=7), standard()).outcome is Outcome.DONE
        assert done(context, owner, post, taken_again()).outcome is Outcome.DONE
        assert done(context, owner, post, taken_again()).outcome is Outcome.MISMATCH


def test_photos_are_given_to_another_key(context: Context) -> None:
    """When a key is replaced its photos go with it, all or, where that key has such itself, none."""
    register, post = RegisterStandard(participation_id=7), PostFeature(participation_id=7, content="x")
    assert done(context, "", register, standard()).outcome is Outcome.DONE
    assert done(context, "", CheckStandard(name="hong"), standard()).outcome is Outcome.DONE
    moved = done(context, "", AssignOwner(old_owner="", new_owner="a"))
    assert (moved.outcome, moved.moved) == (Outcome.DONE, 2)
    assert done(context, "", post, taken_again()).outcome is Outcome.NO_STANDARD
    assert done(context, "a", post, taken_again()).outcome is Outcome.DONE
    assert done(context, "a", CompareWith(name="hong"), taken_again()).outcome is Outcome.DONE
    for ask in (register, CheckStandard(name="hong")):
        assert done(context, "b", ask, standard()).outcome is Outcome.DONE
        assert done(context, "", AssignOwner(old_owner="a", new_owner="b")).outcome is Outcome.CONFLICT
        assert done(context, "a", post, taken_again()).outcome is Outcome.DONE
        assert done(context, "", AssignOwner(old_owner="b", new_owner="c")).outcome is Outcome.DONE


def test_rows_that_are_older_than_owners_belong_to_no_key(database_url: str) -> None:
    """The migration keeps them, for requests without keys; two keys may then use the same id and name."""
    settings = Settings(database_url=SecretStr(database_url))
    old = (
        "INSERT INTO auth_standard_img (participation_id, standard_img) VALUES (7, 'seven')",
        "INSERT INTO named_standard_img (name, standard_img) VALUES ('hong', 'named')",
        "INSERT INTO photo_facts (url, participation_id, size, fingerprint) VALUES ('seven', 7, 1, '00')",
    )

    def to_first(connection: Connection) -> None:
        config = Config()
        folder = Path(photo_verification_service.database.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for row in old:
            connection.execute(text(row))

    async def story() -> None:
        if database_url.startswith("sqlite"):
            Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
        database = Database(settings)
        async with database._engine.begin() as connection:
            await connection.run_sync(to_first)
        records = Records(database)
        assert (await records.standard_of(7), await records.named_standard("hong")) == ("seven", "named")
        assert (await records.standard_of(7, "a"), await records.named_standard("hong", "a")) == (None, None)
        async with database.transaction() as session:
            for row in (
                "INSERT INTO auth_standard_img (participation_id, standard_img) VALUES (7, 'other')",
                "INSERT INTO named_standard_img (owner, name, standard_img) VALUES ('a', 'hong', 'theirs')",
                (
                    "INSERT INTO photo_facts (url, owner, participation_id, size, fingerprint) "
                    "VALUES ('other', 'a', 7, 1, '00')"
                ),
            ):
                await session.execute(text(row))
        assert (await records.standard_of(7), await records.standard_of(7, "a")) == ("seven", "other")
        assert (await records.named_standard("hong"), await records.named_standard("hong", "a")) == (
            "named",
            "theirs",
        )

    asyncio.run(story())


@pytest.mark.parametrize("rule", ["UNIQUE (participation_id)", "CONSTRAINT mine UNIQUE (participation_id)"])
def test_an_apps_own_table_may_hold_two_owners_photos(database_url: str, rule: str) -> None:
    """Where the app allows one standard photo for each participation, the second key's would be refused."""
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    database = Database(Settings(database_url=SecretStr(database_url)))
    table = (
        "CREATE TABLE auth_standard_img (auth_standard_img_id INTEGER PRIMARY KEY, participation_id BIGINT "
        f"NOT NULL, standard_img TEXT NOT NULL, {rule})"
    )

    async def story() -> tuple[int, ...]:
        async with database._engine.begin() as connection:
            await connection.execute(text(table))
            await connection.execute(text("INSERT INTO auth_standard_img VALUES (1, 7, 'theirs')"))
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO auth_standard_img VALUES (2, 7, 'other')"))
            return tuple(await session.scalars(text("SELECT count(*) FROM auth_standard_img")))

    assert asyncio.run(story()) == (2,)
