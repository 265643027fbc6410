"""The same promises in a bucket: against a real S3 server, and against none."""

import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from obscura.errors import StorageUnavailableError
from obscura.settings import Settings, StorageChoice
from obscura.storage import MissingObjectError, Storage
from tests.s3 import KEY, S3Server, failing_server, settings_for

HOSTS_OWN = "https://homybk.s3.ap-northeast-2.amazonaws.com/std_7_20240101093000_ab12cd34.jpg"


@pytest.fixture
def bucket(s3_server: S3Server) -> Storage:
    """Return a storage in a bucket of a real server."""
    return Storage.open(settings_for(s3_server.url))


def test_what_was_put_is_got_and_what_was_deleted_is_gone(bucket: Storage) -> None:
    """All verbs, with a key that needs quoting, and replacing."""
    key = "photos/a b+ü.jpg"
    bucket.put(key, b"first")
    bucket.put(key, b"the second", "image/jpeg")
    assert bucket.get(key) == b"the second"
    assert bucket.size(key) == 10
    assert bucket.local_path(key) is None
    bucket.check()
    assert bucket.delete(key) is True
    assert bucket.delete(key) is False
    for verb in (bucket.get, bucket.size, bucket.local_path):
        with pytest.raises(MissingObjectError):
            verb(key)


def test_a_check_leaves_nothing_behind(bucket: Storage, s3_server: S3Server) -> None:
    """Health is asked for every few seconds."""
    bucket.check()
    assert s3_server.paths() == []


def test_a_link_works_and_the_plain_url_does_not(bucket: Storage) -> None:
    """The bucket is private: only the signed URL gives the picture, with its content type."""
    bucket.put("std_1.jpg", b"picture", "image/jpeg")
    answer = httpx.get(bucket.link("std_1.jpg"))
    assert (answer.status_code, answer.content) == (200, b"picture")
    assert answer.headers["content-type"] == "image/jpeg"
    assert httpx.get(bucket.url("std_1.jpg")).status_code >= 400
    assert urlsplit(bucket.link("std_1.jpg")).path == urlsplit(bucket.url("std_1.jpg")).path
    assert httpx.get(bucket.link("std_1.jpg").replace("std_1", "std_2")).status_code == 403
    bucket.delete("std_1.jpg")


def test_a_wrong_secret_and_a_missing_bucket_are_unavailable(s3_server: S3Server) -> None:
    """Neither is taken for a missing object."""
    for settings in (settings_for(s3_server.url, KEY), settings_for(s3_server.url, bucket="none")):
        storage = Storage.open(settings)
        for verb in (storage.get, lambda key, s=storage: s.put(key, b"x"), lambda _, s=storage: s.check()):
            with pytest.raises(StorageUnavailableError):
                verb("a")


@pytest.fixture(params=["down", "silent", "500", "503", "403"])
def bad_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of a server that is away, never answers, or answers with an error."""
    match request.param:
        case "down":
            yield "http://127.0.0.1:1"
        case "silent":
            with socket.create_server(("127.0.0.1", 0)) as deaf:
                yield f"http://127.0.0.1:{deaf.getsockname()[1]}"
        case status:
            with failing_server(int(status)) as url:
                yield url


@pytest.mark.parametrize("verb", ["put", "get", "size", "delete", "check"])
def test_a_server_that_fails_is_unavailable(bad_server: str, verb: str) -> None:
    """Whatever goes wrong there has the one stable code, within the time limit."""
    settings = settings_for(bad_server).model_copy(update={"s3_timeout_s": 0.5})
    storage = Storage.open(settings)
    verbs: dict[str, Callable[[], object]] = {
        "put": lambda: storage.put("a", b"x"),
        "get": lambda: storage.get("a"),
        "size": lambda: storage.size("a"),
        "delete": lambda: storage.delete("a"),
        "check": storage.check,
    }
    with pytest.raises(StorageUnavailableError) as caught:
        verbs[verb]()
    assert caught.value.code == "storage_unavailable"


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, HOSTS_OWN),
        (
            {"s3_path_style": True},
            "https://s3.ap-northeast-2.amazonaws.com/homybk/std_7_20240101093000_ab12cd34.jpg",
        ),
        ({"s3_endpoint": "http://minio:9000/"}, "http://minio:9000/homybk/std_7_20240101093000_ab12cd34.jpg"),
        (
            {"s3_endpoint": "https://s3.example.org", "s3_path_style": False},
            "https://homybk.s3.example.org/std_7_20240101093000_ab12cd34.jpg",
        ),
        (
            {"storage_public_url": "https://cdn.example.org/p/"},
            "https://cdn.example.org/p/std_7_20240101093000_ab12cd34.jpg",
        ),
    ],
)
def test_urls_are_those_of_the_seeds(changes: dict[str, object], url: str) -> None:
    """By default Amazon's; and every URL leads back to its key."""
    base = {"storage": StorageChoice.S3, "s3_bucket": "homybk", "s3_region": "ap-northeast-2"}
    storage = Storage.open(Settings.model_validate(base | changes))
    assert storage.url("std_7_20240101093000_ab12cd34.jpg") == url
    assert storage.key_of(url) == "std_7_20240101093000_ab12cd34.jpg"


def test_only_urls_of_ours_have_a_key() -> None:
    """Other hosts, other folders, ways out of the folder and query strings have none."""
    storage = Storage.open(Settings(storage=StorageChoice.S3, s3_bucket="homybk"))
    base = storage.url("")
    for url in (
        "https://evil.example/homybk/a.jpg",
        base.replace("homybk", "other") + "a.jpg",
        base,
        base + "../a.jpg",
        base + "a/..%2F..%2Fb",
        base + "a//b",
        base + "a.jpg?x=1",
        base + "a b.jpg",
        "a.jpg",
        "",
    ):
        assert storage.key_of(url) is None, url
    assert storage.key_of(base + "a%20b.jpg") == "a b.jpg"


@pytest.mark.parametrize(
    "wrong",
    [
        {"s3_bucket": ""},
        {"s3_bucket": "a b"},
        {"s3_endpoint": "minio:9000"},
        {"s3_endpoint": "ftp://minio"},
        {"s3_region": "nowhere else"},
        {"s3_access_key_id": "alone"},
    ],
)
def test_wrong_settings_are_said_at_the_start(wrong: dict[str, str]) -> None:
    """Not at the first photo, and never by a crash; the secret is not in the message."""
    with pytest.raises(StorageUnavailableError, match="OBSCURA_S3_"):
        Storage.open(Settings.model_validate({"storage": StorageChoice.S3, "s3_bucket": "photos"} | wrong))
