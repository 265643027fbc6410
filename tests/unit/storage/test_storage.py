"""The four verbs, in a folder and in memory."""

import io
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize("key", ["photos/a", "photos/a b", "photos/ä%2f#1?", "photos/.a..b", "a/b/c/d"])
def test_any_key_keeps_its_bytes_apart(storage: Storage, key: str) -> None:
    """Whatever a key is spelled like, what was put under it is got, is found by name, and goes."""
    storage.put("photos/other", b"other")
    storage.put(key, b"first")
    storage.put(key, b"x")
    assert (storage.get(key), storage.size(key)) == (b"x", 1)
    assert storage.delete(key) is True
    assert storage.delete(key) is False
    assert storage.get("photos/other") == b"other"


def test_what_streams_put_is_read_and_erased_like_all_else(storage: Storage) -> None:
    """Both ways of writing lay an object in the same place."""
    storage.put_file("photos/a", io.BytesIO(b"streamed"))
    assert storage.get("photos/a") == b"streamed"
    storage.put("photos/a", b"whole")
    assert b"".join(storage.chunks("photos/a")) == b"whole"
    assert storage.keys(("photos",)) == ["photos/a"]
    assert storage.delete("photos/a") is True
    assert storage.keys(("photos",)) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Something in the way of an object is an error, and no half of it stays beside."""
    storage = Storage.in_folder(tmp_path / "photos")
    (tmp_path / "photos" / "results" / "a").mkdir(parents=True)
    with pytest.raises(StorageUnavailableError):
        storage.put("results/a", b"x")
    assert [path.name for path in (tmp_path / "photos" / "results").iterdir()] == ["a"]


def test_what_is_unfinished_is_no_object_and_is_swept(tmp_path: Path) -> None:
    """A write that was killed half way is listed nowhere, and goes when it is old."""
    storage = Storage.in_folder(tmp_path / "photos")
    whole = tmp_path / "photos" / "results" / "a"
    begun: list[Path] = []

    def killed(self: Path, target: Path) -> None:
        assert target == whole
        begun.append(self)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_arguments, **_options: None)
        with pytest.raises(KeyboardInterrupt):
            storage.put("results/a", b"half")
    assert begun[0].exists()
    assert storage.keys(("results",)) == []
    assert storage.delete_unfinished_writes(older_than_s=0) == 1
    assert not begun[0].exists()


def test_readers_see_one_whole_write_or_the_other(tmp_path: Path) -> None:
    """While an object is replaced again and again, whoever reads it gets all of one of its states."""
    storage = Storage.in_folder(tmp_path / "photos")
    states = [bytes([number]) * 200_000 for number in range(8)]
    storage.put("photos/a", states[0])

    def write() -> None:
        for state in states * 4:
            storage.put("photos/a", state)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            assert storage.get("photos/a") in states
        writing.result()
