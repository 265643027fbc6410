"""Storage locations (folder, memory or S3 bucket) and the URLs of their objects."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from obscura.errors import StorageUnavailableError
from obscura.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

_AGAIN = 2
_FIRST_PAUSE = timedelta(milliseconds=100)
# Base URL of a folder in HTTP answers, which must not reveal a path of the server.
_OWN_SCHEME = "obscura://"


@dataclass(frozen=True, slots=True)
class Place:
    """A storage location: its store and the URLs of its objects.

    Attributes
    ----------
    store
        The obstore store.
    base_url
        An object's URL without the slash and the key.
    folder
        The folder of a `LocalStore`, else None.
    link_life
        Lifetime of signed URLs; None if URLs are not signed.
    """

    store: LocalStore | MemoryStore | S3Store
    base_url: str
    folder: Path | None = None
    link_life: timedelta | None = None

    def url(self, key: str) -> str:
        """Return the URL of an object; it depends on the settings only."""
        return f"{self.base_url}/{quote(key)}"

    def shown_url(self, key: str) -> str:
        """Return the URL of an object for HTTP answers: `url`, or ``obscura:///KEY`` for a folder."""
        return self.url(key) if self.base_url.startswith("http") else f"{_OWN_SCHEME}/{quote(key)}"

    def key_of(self, url: str) -> str | None:
        """Return the key of the object with this `url` or `shown_url`, None for any other URL."""
        base = _OWN_SCHEME if url.startswith(_OWN_SCHEME) else self.base_url
        key = unquote(url.removeprefix(f"{base}/"))
        steps = key.split("/")
        is_clean = "" not in steps and "." not in steps and ".." not in steps
        return key if is_clean and url in {self.url(key), self.shown_url(key)} else None


def folder_place(folder: Path, public_url: str | None = None) -> Place:
    """Return the location ``folder``; if it is absent, create it with access for its owner only.

    Raises
    ------
    StorageUnavailableError
        If the folder cannot be created.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = LocalStore(folder.resolve())
    except (BaseError, OSError) as error:
        message = f"cannot use {folder} as photo storage"
        raise StorageUnavailableError(message) from error
    address = _without_slash(public_url) or folder.resolve().as_uri()
    return Place(store, address, folder)


def memory_place() -> Place:
    """Return a location in memory, which lives as long as the object."""
    return Place(MemoryStore(), "memory://")


def bucket_place(settings: Settings) -> Place:
    """Return the bucket of the settings as a location; no request is sent yet.

    Raises
    ------
    StorageUnavailableError
        If the settings name no bucket or are invalid.
    """
    _check(settings)
    # Self-hosted servers rarely have a host name per bucket; Amazon requires one.
    path_style = bool(settings.s3_endpoint) if settings.s3_path_style is None else settings.s3_path_style
    address = _bucket_url(settings, path_style=path_style)
    try:
        store = _s3(settings, address, path_style=path_style)
    except (BaseError, ValueError) as error:
        message = f"the S3 settings cannot be used: {error}"
        raise StorageUnavailableError(message) from error
    public = _without_slash(settings.storage_public_url)
    life = None if public else timedelta(seconds=settings.s3_link_ttl_s)
    return Place(store, public or address, link_life=life)


def _check(settings: Settings) -> None:
    """Raise StorageUnavailableError for settings with which obstore would crash instead of failing."""
    wrong = ""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]+", settings.s3_bucket):
        wrong = "OBSCURA_S3_BUCKET has to be the name of a bucket"
    elif settings.s3_endpoint and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", settings.s3_endpoint):
        wrong = "OBSCURA_S3_ENDPOINT has to be a URL such as https://s3.example.org"
    elif not re.fullmatch(r"[A-Za-z0-9-]+", settings.s3_region):
        wrong = "OBSCURA_S3_REGION has to be the name of a region"
    elif (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        wrong = "OBSCURA_S3_ACCESS_KEY_ID and OBSCURA_S3_SECRET_ACCESS_KEY go together"
    if wrong:
        raise StorageUnavailableError(wrong)


def _s3(settings: Settings, address: str, *, path_style: bool) -> S3Store:
    limit = timedelta(seconds=settings.s3_timeout_s)
    config: S3Config = {
        "endpoint": address.removesuffix(f"/{settings.s3_bucket}") if path_style else address,
        "region": settings.s3_region,
        "virtual_hosted_style_request": not path_style,
    }
    # Without keys obstore uses the credentials of the machine: its role, container or environment.
    if settings.s3_access_key_id is not None:
        config["access_key_id"] = settings.s3_access_key_id.get_secret_value()
    if settings.s3_secret_access_key is not None:
        config["secret_access_key"] = settings.s3_secret_access_key.get_secret_value()
    return S3Store(
        settings.s3_bucket,
        config=config,
        client_options={
            "timeout": limit,
            "connect_timeout": limit,
            "allow_http": address.startswith("http://"),
        },
        retry_config={
            "max_retries": _AGAIN,
            "retry_timeout": limit,
            "backoff": {"init_backoff": _FIRST_PAUSE, "max_backoff": limit, "base": 2},
        },
    )


def _bucket_url(settings: Settings, *, path_style: bool) -> str:
    """Return the URL of the bucket at the server's endpoint."""
    endpoint = _without_slash(settings.s3_endpoint) or f"https://s3.{settings.s3_region}.amazonaws.com"
    if path_style:
        return f"{endpoint}/{settings.s3_bucket}"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{settings.s3_bucket}.{parts.netloc}{parts.path}"


def _without_slash(url: str | None) -> str:
    return (url or "").rstrip("/")
