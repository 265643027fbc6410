"""Uploaded photos of a batch: files of a form, or members of a zip archive."""

import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from obscura.errors import InvalidRequestError, TooManyFilesError

__all__ = ["FALLBACK_NAME", "MAX_NAME", "ZIP_FAULTS", "Upload", "files_in_zip", "safe_name"]

MAX_NAME = 200
FALLBACK_NAME = "photo"
FORBIDDEN = frozenset('/\\:*?"<>|')
# What reading a zip raises, by the ways in which it can be damaged, packed or closed with a password.
ZIP_FAULTS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
)


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


def files_in_zip(file: BinaryIO, max_files: int) -> list[Upload]:
    """Return the photos of a zip; each is unpacked when it is its turn, no farther than a photo may be long.

    Raises
    ------
    InvalidRequestError
        If it is no zip.
    TooManyFilesError
        If it has too many files.
    """
    try:
        bundle = zipfile.ZipFile(file)
        members = [item for item in bundle.infolist() if not item.is_dir()]
    except ZIP_FAULTS as error:
        message = "the archive is no zip that can be read"
        raise InvalidRequestError(message) from error
    if len(members) > max_files:
        message = f"the archive has {len(members)} files, at most {max_files} are taken"
        raise TooManyFilesError(message)
    return [Upload(item.filename, partial(_member, bundle, item)) for item in members]


def _member(bundle: zipfile.ZipFile, item: zipfile.ZipInfo) -> BinaryIO:
    return cast("BinaryIO", bundle.open(item))
