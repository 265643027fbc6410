"""Tables and transactions, on both databases."""

import asyncio
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import text

from obscura.contract.verification import ID_LIMIT, AddChallenge, AddParticipation
from obscura.errors import DatabaseUnavailableError, InvalidOptionError
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.database import (
    Database,
    FeedEntry,
    LostError,
    Records,
    StandardEntry,
    StoredPhoto,
)
from photo_verification_service.database.administration import Administration
from photo_verification_service.database.models import Base
from tests.databases import PostgresServer

CONTRACT = {
    "auth_standard_img": {"auth_standard_img_id", "participation_id", "standard_img"},
    "feed": {"feed_id", "feed_type", "participation_id", "created_datetime", "feed_img", "feed_content"},
    "challenge": {"challenge_id", "start_date", "end_date", "start_time", "end_time"},
    "participation": {"participation_id", "challenge_id"},
}


def kept(number: int) -> StoredPhoto:
    """Return a photo that is told from others by ``number``."""
    return StoredPhoto(f"std_1_{number}.jpg", f"file:///photos/{number}.jpg", 1, "00", b"features")


async def enter(records: Records, photo: StoredPhoto, entry: StandardEntry | FeedEntry) -> str | None:
    """Announce a photo and write its row."""
    assert await records.announce(photo.key, photo.url, time.time() + 60)
    return await records.enter(photo, entry, lambda url: f"key of {url}")


def test_migrations_make_what_the_models_say(database: Database) -> None:
    """The tables that migrations made differ in nothing from the models'."""

    async def differences() -> list[object]:
        async with database._engine.connect() as connection:
            options = {"version_table": "obscura_alembic_version", "compare_type": True}
            return await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), Base.metadata)
            )

    assert asyncio.run(differences()) == []


def test_the_tables_of_the_contract_have_its_columns_and_no_others() -> None:
    """What other programs read is what seed 003 describes."""
    for name, columns in CONTRACT.items():
        assert set(Base.metadata.tables[name].columns.keys()) == columns


def test_upgrading_twice_and_at_once_is_harmless(database_url: str) -> None:
    """Several processes may find an empty database at the same moment."""
    settings = Settings(database_url=SecretStr(database_url))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asyncio.run(Database(settings).upgrade()), range(4)))
    asyncio.run(Database(settings).upgrade())


def test_an_apps_own_tables_are_taken_as_they_are(database_url: str) -> None:
    """Where the app has made the tables of the contract already, its rows stay."""
    settings = Settings(database_url=SecretStr(database_url))

    async def scenario() -> str | None:
        database = Database(settings)
        database._is_ready = True
        table = "CREATE TABLE auth_standard_img (auth_standard_img_id INTEGER PRIMARY KEY, "
        async with database._engine.begin() as connection:
            await connection.execute(
                text(table + "participation_id BIGINT NOT NULL, standard_img TEXT NOT NULL)")
            )
            await connection.execute(text("INSERT INTO auth_standard_img VALUES (1, 7, 'theirs')"))
        await database.upgrade()
        return await Records(database).standard_of(7)

    if database_url.startswith("sqlite"):
        subprocess.run(
            ["mkdir", "-p", database_url.removeprefix("sqlite:///").rpartition("/")[0]], check=True
        )
    assert asyncio.run(scenario()) == "theirs"


def test_a_participation_has_one_current_standard(database: Database) -> None:
    """A second registration takes the first one's place, whose object is left to be erased."""

    async def scenario() -> None:
        records = Records(database)
        assert await enter(records, kept(1), StandardEntry(7)) is None
        assert await enter(records, kept(2), StandardEntry(7)) == f"key of {kept(1).url}"
        assert await records.standard_of(7) == kept(2).url
        assert await records.standard_of(8) is None
        assert await records.facts_of(kept(1).url) is None
        assert await records.overdue(time.time()) == (f"key of {kept(1).url}",)

    asyncio.run(scenario())


def test_a_photo_that_has_its_row_is_not_announced_again(database: Database) -> None:
    """A step that is done twice enters its photo once."""

    async def scenario() -> None:
        records = Records(database)
        await enter(records, kept(1), StandardEntry(7))
        assert not await records.announce(kept(1).key, kept(1).url, time.time() + 60)
        assert await records.overdue(time.time() + 1000) == ()

    asyncio.run(scenario())


def test_after_the_sweep_nobody_can_write_the_row(database: Database) -> None:
    """An object that is being erased gets no row, whoever comes late, and cannot be announced anew."""

    async def scenario() -> None:
        records, photo = Records(database), kept(1)
        assert await records.announce(photo.key, photo.url, expires=10.0)
        assert await records.overdue(now=9.0) == ()
        assert await records.overdue(now=11.0) == (photo.key,)
        with pytest.raises(LostError):
            await records.enter(photo, StandardEntry(7), lambda _: None)
        with pytest.raises(LostError):
            await records.announce(photo.key, photo.url, expires=1000.0)
        assert await records.standard_of(7) is None
        await records.forget(photo.key)
        assert await records.announce(photo.key, photo.url, expires=1000.0)

    asyncio.run(scenario())


def test_a_row_that_cannot_be_written_leaves_nothing(database: Database) -> None:
    """The transaction is one piece: facts, row and announcement change together or not at all."""

    async def scenario() -> None:
        records, photo = Records(database), kept(1)
        await records.announce(photo.key, photo.url, time.time() + 60)
        async with database.transaction() as session:
            await session.execute(text("DROP TABLE auth_standard_img"))
        with pytest.raises(DatabaseUnavailableError):
            await records.enter(photo, StandardEntry(7), lambda _: None)
        assert await records.facts_of(photo.url) is None
        assert await records.give_up(photo.key)

    asyncio.run(scenario())


def test_many_writers_at_once_all_get_their_turn(database: Database) -> None:
    """Workers and the sweep share a database; none of them is turned away because of another."""

    def write(number: int) -> None:
        asyncio.run(enter(Records(database), kept(number), StandardEntry(number % 3)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(24)))
    standards = {asyncio.run(Records(database).standard_of(number)) for number in range(3)}
    assert len(standards) == 3
    assert len(asyncio.run(Records(database).overdue(time.time()))) == 21


def test_a_stopped_server_is_a_clear_error_and_comes_back(postgres: PostgresServer) -> None:
    """While PostgreSQL is away every call says so within seconds; the next one after its return works."""
    database = Database(Settings(database_url=SecretStr(postgres.new_database())))
    asyncio.run(database.upgrade())
    postgres.stop()
    try:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            asyncio.run(Records(database).standard_of(7))
        assert time.monotonic() - began < 5
    finally:
        postgres.start()
    assert asyncio.run(Records(database).standard_of(7)) is None


def test_tables_that_were_lost_are_made_again(database: Database) -> None:
    """A database that was set up anew under a running service is filled by the call after the first."""

    async def scenario() -> None:
        async with database.transaction() as session:
            for table in (*Base.metadata.tables, "obscura_alembic_version"):
                cascade = "" if database.url.get_backend_name() == "sqlite" else " CASCADE"
                await session.execute(text(f"DROP TABLE {table}{cascade}"))
        with pytest.raises(DatabaseUnavailableError):
            await Records(database).standard_of(7)
        assert await Records(database).standard_of(7) is None

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["", "mysql://x/y", "nonsense", "://", "sqlite+nothing://x"])
def test_only_two_kinds_of_databases_are_known(url: str) -> None:
    """Anything else is refused at start, without repeating what may hold a password."""
    with pytest.raises(InvalidOptionError) as caught:
        Database(Settings(database_url=SecretStr(url)))
    assert "OBSCURA_DATABASE_URL" in caught.value.message


def test_importing_the_service_connects_nothing() -> None:
    """No engine is made before there are settings."""
    code = "import photo_verification_service.handler, sys; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_the_next_free_number_is_there_after_the_highest(database: Database) -> None:
    """Without a number of its own, it gets the next one; after the highest of all, the first gap."""
    administration = Administration(database, ZoneInfo("Asia/Seoul"), Storage.in_memory())

    async def story() -> list[int]:
        day = date(2026, 1, 1)
        made = await administration.do(AddChallenge(start_date=day, end_date=day))
        challenge = made.challenges[0].challenge_id
        numbers = []
        for asked in (None, 2, None, ID_LIMIT, None, 5, None):
            answer = await administration.do(AddParticipation(challenge_id=challenge, participation_id=asked))
            numbers.append(answer.participations[0].participation_id)
        return numbers

    assert asyncio.run(story()) == [1, 2, 3, ID_LIMIT, 4, 5, 6]
