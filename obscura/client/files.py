"""Files that a client sends and writes in chunks."""

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
    mask = {} if request.mask is None else {"mask": ("mask", request.mask)}
    if isinstance(request.photo, Path):
        with request.photo.open("rb") as file:
            yield {"files": {"file": ("video", file), **mask}}
    else:
        files = mask if request.photo is None else {"file": ("photo", request.photo), **mask}
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
