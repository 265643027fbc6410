"""Objects and rows come and go together, whatever fails and whoever dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from obscura.errors import DatabaseUnavailableError, StorageUnavailableError
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.database import Database, Records, StandardEntry, StoredPhoto
from photo_verification_service.photo_repository import PhotoRepository
from tests.system import ROOT

KEY = "std_7_20240501000000_0123abcd.jpg"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Return an empty storage."""
    return Storage.in_folder(tmp_path / "photos")


def kept(storage: Storage, key: str = KEY) -> StoredPhoto:
    """Return what is known of a photo under ``key``."""
    return StoredPhoto(key, storage.url(key), 4, "00")


def keep(repository: PhotoRepository, storage: Storage, key: str = KEY) -> None:
    """Keep a photo as the standard of participation 7."""
    asyncio.run(repository.store(kept(storage, key), b"data", StandardEntry(7)))


def test_a_kept_photo_has_object_and_row(database: Database, storage: Storage) -> None:
    """And the photo whose place it takes has neither any more; nothing is left to be swept."""
    records = Records(database)
    repository = PhotoRepository(storage, records, 60)
    keep(repository, storage, "std_old.jpg")
    keep(repository, storage)
    keep(repository, storage)
    assert storage.get(KEY) == b"data"
    assert storage.delete("std_old.jpg") is False
    assert asyncio.run(records.standard_of(7)) == storage.url(KEY)
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 1000)) == 0


def test_without_storage_there_is_no_row(database: Database, storage: Storage, tmp_path: Path) -> None:
    """The row is not even tried; the announcement is gone or swept."""
    (tmp_path / "photos" / KEY / "in the way").mkdir(parents=True)
    repository = PhotoRepository(storage, Records(database), 60)
    with pytest.raises(StorageUnavailableError):
        keep(repository, storage)
    assert asyncio.run(Records(database).standard_of(7)) is None
    (tmp_path / "photos" / KEY / "in the way").rmdir()
    (tmp_path / "photos" / KEY).rmdir()
    asyncio.run(repository.collect_orphans(lambda: time.time() + 1000))
    keep(repository, storage, "std_other.jpg")


def test_without_a_row_there_is_no_object(database: Database, storage: Storage) -> None:
    """A row that the database refuses takes its object along at once."""

    async def drop() -> None:
        async with database.transaction() as session:
            await session.execute(text("DROP TABLE auth_standard_img"))

    asyncio.run(drop())
    repository = PhotoRepository(storage, Records(database), 60)
    with pytest.raises(DatabaseUnavailableError):
        keep(repository, storage)
    assert storage.delete(KEY) is False
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 1000)) == 0


class Failing(Storage):
    """A storage that does something between the upload and the row."""

    def after(self, action: Callable[[], None]) -> "Failing":
        """Call ``action`` after every upload."""
        self.action = action
        return self

    def put(self, key: str, data: bytes | IO[bytes], content_type: str | None = None) -> None:
        """Store, then act."""
        super().put(key, data, content_type)
        self.action()


def test_a_database_that_goes_away_after_the_upload_takes_the_object_along(tmp_path: Path) -> None:
    """What was announced is swept when the database is back; until then no object waits for a row."""
    rows = tmp_path / "rows.db"
    database = Database(Settings(database_url=SecretStr(f"sqlite:///{rows}")))
    asyncio.run(database.upgrade())

    def lose() -> None:
        for path in tmp_path.glob("rows.db*"):
            path.rename(tmp_path / f"away-{path.name}")
        rows.mkdir()

    storage = Failing.in_folder(tmp_path / "photos")
    assert isinstance(storage, Failing)
    repository = PhotoRepository(storage.after(lose), Records(database), 60)
    with pytest.raises(DatabaseUnavailableError):
        keep(repository, storage)
    assert storage.delete(KEY) is False
    rows.rmdir()
    for path in tmp_path.glob("away-*"):
        path.rename(tmp_path / path.name.removeprefix("away-"))
    assert asyncio.run(Records(database).standard_of(7)) is None
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 1000)) == 1
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 1000)) == 0


DIE = """
import asyncio, os, signal, sys
from collections.abc import Callable
from pathlib import Path
from pydantic import SecretStr
from obscura.settings import Settings
from obscura.storage import Storage
from photo_verification_service.photo_repository import PhotoRepository
from photo_verification_service.database import Database, StoredPhoto, Records, StandardEntry

class Mortal(Storage):
    def put(self, key, data, content_type=None):
        super().put(key, data, content_type)
        os.kill(os.getpid(), signal.SIGKILL)

url, folder, key = sys.argv[1:]
storage = Mortal.in_folder(Path(folder))
repository = PhotoRepository(storage, Records(Database(Settings(database_url=SecretStr(url)))), 60)
asyncio.run(repository.store(StoredPhoto(key, storage.url(key), 4, "00"), b"data", StandardEntry(7)))
"""


def test_a_process_that_dies_between_object_and_row_leaves_nothing_for_long(
    database: Database, database_url: str, storage: Storage, tmp_path: Path
) -> None:
    """Its object is erased as soon as its time is over - and no sooner: it might still be alive."""
    command = [sys.executable, "-c", DIE, database_url, str(tmp_path / "photos"), KEY]
    done = subprocess.run(command, check=False, cwd=ROOT, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    assert storage.get(KEY) == b"data"
    records = Records(database)
    assert asyncio.run(records.standard_of(7)) is None
    repository = PhotoRepository(storage, records, 60)
    assert asyncio.run(repository.collect_orphans()) == 0
    assert storage.get(KEY) == b"data"
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 61)) == 1
    assert storage.delete(KEY) is False


def test_a_step_that_is_done_again_after_a_death_ends_what_was_begun(
    database: Database, database_url: str, storage: Storage, tmp_path: Path
) -> None:
    """The second try finds announcement and object of the first and makes one whole of them."""
    command = [sys.executable, "-c", DIE, database_url, str(tmp_path / "photos"), KEY]
    subprocess.run(command, check=False, cwd=ROOT, env=dict(os.environ))
    repository = PhotoRepository(storage, Records(database), 60)
    keep(repository, storage)
    assert asyncio.run(Records(database).standard_of(7)) == storage.url(KEY)
    assert asyncio.run(repository.collect_orphans(lambda: time.time() + 1000)) == 0
    assert storage.get(KEY) == b"data"
