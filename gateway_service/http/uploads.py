"""Uploaded photos of a batch: files of a form, or members of a zip archive."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from gateway_service.http.zip_members import open_member
from gateway_service.http.zip_reader import ArchiveLimits, read_directory

__all__ = ["FALLBACK_NAME", "MAX_NAME", "Upload", "files_in_zip", "safe_name"]

MAX_NAME = 200
FALLBACK_NAME = "photo"
FORBIDDEN = frozenset('/\\:*?"<>|')


@dataclass(frozen=True)
class Upload:
    """One photo of a batch: the name given by the caller, and a function that opens it."""

    name: str
    open: Callable[[], BinaryIO]


def safe_name(name: str) -> str:
    """Return the last path component of a name, without separators, special and unprintable characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(character for character in last if character.isprintable() and character not in FORBIDDEN)
    return kept.strip(" .")[:MAX_NAME] or FALLBACK_NAME


def files_in_zip(file: BinaryIO, limits: ArchiveLimits) -> list[Upload]:
    """Return the photos of a zip; each is unpacked when it is read, up to the limit of a photo.

    A damaged member raises PhotoError when it is read: see `open_member`.

    Raises
    ------
    InvalidRequestError, TooManyFilesError, ArchiveTooLargeError
        As `read_directory` does.
    """
    entries = read_directory(file, limits)
    return [Upload(item.name, partial(open_member, file, item, limits.max_file_bytes)) for item in entries]
