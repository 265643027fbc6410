"""Files that a client sends and writes, a part at a time."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from obscura.client import flows

__all__ = ["files_of", "writing"]


@contextmanager
def files_of(request: flows.Send) -> Iterator[dict[str, Any]]:
    """Give what is uploaded, under a name of ours: the file's own is the user's business."""
    if isinstance(request.photo, Path):
        with request.photo.open("rb") as file:
            yield {"files": {"file": ("video", file)}}
    else:
        named = {"file": ("photo", request.photo), "mask": ("mask", request.mask)}
        files = {name: file for name, file in named.items() if file[1] is not None}
        yield {"files": files} if files else {}


@contextmanager
def writing(target: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of ``target`` in the end, or leaves no trace."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".obscura-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
