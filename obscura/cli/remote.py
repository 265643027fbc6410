"""``--server``: the same commands, done by a running system."""

from pathlib import Path
from typing import Any

from obscura.cli.files import FoundPhoto, Targets
from obscura.cli.options import HideOptions
from obscura.cli.pool import Progress
from obscura.cli.work import read, suffix_of, write_whole
from obscura.client import Hidden, Obscura
from obscura.contract import ObjectClass, Quality
from obscura.errors import UnsupportedFormatError

__all__ = ["RemoteBlurrer"]

EXTENSIONS = {b"\xff\xd8": "jpg", b"\x89P": "png", b"RI": "webp", b"II": "tiff", b"MM": "tiff", b"GI": "gif"}


class RemoteBlurrer:
    """Has a server hide what it finds, and writes what comes back."""

    def __init__(
        self,
        client: Obscura,
        look: tuple[tuple[ObjectClass, ...], Quality, float | None],
        hide: HideOptions,
        targets: Targets,
    ) -> None:
        self._client = client
        self._targets = targets
        classes, quality, min_confidence = look
        options: dict[str, Any] = {
            "classes": list(classes),
            "quality": quality,
            "min_confidence": min_confidence,
            "style": hide.style,
            "cells": hide.cells,
            "shape": hide.shape,
            "grow": hide.grow,
            "feather": hide.feather,
            "metadata": hide.metadata,
            "output": hide.output,
            "frames": hide.frames,
        }
        self._options = {name: value for name, value in options.items() if value is not None}

    def __call__(self, photo: FoundPhoto, _progress: Progress) -> dict[str, Any]:
        """Write the redacted file and return what was done, for a JSON line."""
        if photo.is_video:
            message = "videos are worked on without --server"
            raise UnsupportedFormatError(message)
        hidden = self._client.blur(read(photo.path), **self._options)
        self._client.erase(hidden.task_id)
        output = self._targets.of(photo, suffix_of(photo.path, _extension(hidden)))
        write_whole(Path(output), hidden.picture)
        return {
            "output": str(output),
            **hidden.report.get("image", {}),
            "detections": [item.model_dump(mode="json", by_alias=True) for item in hidden.detections],
            "report": dict(hidden.report),
        }


def _extension(hidden: Hidden) -> str:
    return EXTENSIONS.get(hidden.picture[:2], "bin")
