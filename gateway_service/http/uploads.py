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
    """One photo of a batch: its name as the caller gave it, and what opens it."""

    name: str
    open: Callable[[], BinaryIO]


def safe_name(name: str) -> str:
    """Return the last part of a name, without what could make it a path or invisible."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(
        outbox_message
        for outbox_message in last
        if outbox_message.isprintable() and outbox_message not in FORBIDDEN
    )
    return kept.strip(" .")[:MAX_NAME] or FALLBACK_NAME


def files_in_zip(file: BinaryIO, limits: ArchiveLimits) -> list[Upload]:
    """Return the photos of a zip; each is unpacked when it is its turn, no farther than a photo may be long.

    What is wrong with one of them is raised as PhotoError when that one is read: see `open_member`.

    Raises
    ------
    InvalidRequestError, TooManyFilesError, ArchiveTooLargeError
        As `read_directory` does.
    """
    entries = read_directory(file, limits)
    return [Upload(item.name, partial(open_member, file, item, limits.max_file_bytes)) for item in entries]
