"""Read and write small objects directly as files, in obstore's layout.

obstore runs every call in its own threads. While all cores are busy, switching to one takes longer than
reading or writing a photo. Objects that are streamed in chunks still use obstore.
"""

import re
import secrets
from pathlib import Path

__all__ = ["file_of", "write"]

# obstore escapes any other key in the file name.
_PLAIN = re.compile(r"(?:(?:^|/)(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)+")


def file_of(folder: Path, key: str) -> Path | None:
    """Return the path of ``key``, which may not exist; None for a key that obstore would escape."""
    return folder / key if _PLAIN.fullmatch(key) else None


def write(file: Path, data: bytes) -> None:
    """Write a file atomically and create its folders; raise OSError."""
    # obstore's own name of what is unfinished: its lists leave it out, `Storage.delete_unfinished_writes`
    # erases it.
    unfinished = file.with_name(f"{file.name}#{secrets.randbelow(10**9)}")
    try:
        try:
            begun = unfinished.open("xb")
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            begun = unfinished.open("xb")
        with begun:
            begun.write(data)
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
