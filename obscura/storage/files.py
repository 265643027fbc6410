"""Read and write small objects directly as files, in obstore's layout.

That store hands every call to threads of its own: on a machine whose cores are all at work each such turn
waits for one, which takes longer than reading or writing a photo. What goes in pieces stays with obstore.
"""

import re
import secrets
from pathlib import Path

__all__ = ["file_of", "write"]

# Anything else has to be spelled differently as a file's name, which is obstore's affair.
_PLAIN = re.compile(r"(?:(?:^|/)(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)+")


def file_of(folder: Path, key: str) -> Path | None:
    """Return the file of ``key``, there or not; None for a key that is no plain path into the folder."""
    return folder / key if _PLAIN.fullmatch(key) else None


def write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, with its folders; raise OSError where that fails."""
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
