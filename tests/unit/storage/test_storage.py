"""The four verbs, in a folder and in memory."""

from pathlib import Path

import pytest

from obscura.errors import StorageUnavailableError
from obscura.storage import MissingObjectError, Storage


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Return an empty storage of either kind."""
    return Storage.in_memory() if request.param == "memory" else Storage.in_folder(tmp_path / "photos")


def test_what_was_put_is_got(storage: Storage) -> None:
    """Bytes come back as they went, a second put replaces them whole, the size is theirs."""
    storage.put("photos/a", b"first")
    storage.put("photos/a", b"the second")
    assert storage.get("photos/a") == b"the second"
    assert storage.size("photos/a") == 10


def test_what_is_not_there_is_missing(storage: Storage) -> None:
    """Get and size raise; delete says that there was nothing."""
    for verb in (storage.get, storage.size, storage.local_path):
        with pytest.raises(MissingObjectError):
            verb("photos/none")
    assert storage.delete("photos/none") is False


def test_what_was_deleted_is_gone(storage: Storage) -> None:
    """Delete answers true once."""
    storage.put("photos/a", b"x")
    assert storage.delete("photos/a") is True
    assert storage.delete("photos/a") is False
    with pytest.raises(MissingObjectError):
        storage.get("photos/a")


def test_a_folder_keeps_its_photos_to_its_owner(tmp_path: Path) -> None:
    """The folder is made with access for its owner only; a stored object is a file in it."""
    storage = Storage.in_folder(tmp_path / "photos")
    storage.put("results/a", b"x")
    assert (tmp_path / "photos").stat().st_mode & 0o077 == 0
    assert storage.local_path("results/a") == tmp_path / "photos" / "results" / "a"
    storage.check()


def test_a_key_never_leaves_the_folder(tmp_path: Path) -> None:
    """A key with dots is refused or stays inside; nothing is written beside the folder."""
    storage = Storage.in_folder(tmp_path / "photos")
    with pytest.raises((StorageUnavailableError, ValueError)):
        storage.put("../outside", b"x")
    assert not (tmp_path / "outside").exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """A file in the way ends in StorageUnavailableError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailableError):
        Storage.in_folder(tmp_path / "file" / "photos")


def test_a_folder_that_vanished_is_noticed(tmp_path: Path) -> None:
    """The check that readiness asks fails where nothing can be written."""
    storage = Storage.in_folder(tmp_path / "photos")
    (tmp_path / "photos").rmdir()
    with pytest.raises(StorageUnavailableError):
        storage.check()
