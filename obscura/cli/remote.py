"""``--server``: run a command on a running system."""

from functools import partial
from pathlib import Path
from typing import Any

from obscura.cli.files import FoundPhoto, Targets, suffix_of
from obscura.cli.in_process import read, write_whole
from obscura.cli.options import HideOptions
from obscura.cli.pool import Progress
from obscura.client import Hidden, Obscura
from obscura.contract import JobOptions
from obscura.errors import UndecodablePhotoError
from obscura.imaging.containers.video import HEAD_BYTES, VideoFormat, format_of

__all__ = ["RemoteBlurrer"]

EXTENSIONS = {b"\xff\xd8": "jpg", b"\x89P": "png", b"RI": "webp", b"II": "tiff", b"MM": "tiff", b"GI": "gif"}
# What the form of a video does not know.
PHOTOS_ONLY = frozenset({"feather", "output", "frames", "residual_check", "content_credentials"})


class RemoteBlurrer:
    """Has a server hide what it finds, and writes what comes back."""

    def __init__(
        self,
        client: Obscura,
        look: JobOptions,
        hide: HideOptions,
        targets: Targets,
    ) -> None:
        self._client = client
        self._targets = targets
        options: dict[str, Any] = {
            "classes": list(look.classes),
            "quality": look.quality,
            "min_confidence": look.min_confidence,
            "text_match": look.text_match,
            "style": hide.style,
            "cells": hide.cells,
            "color": hide.color,
            "shape": hide.shape,
            "grow": hide.grow,
            "feather": hide.feather,
            "metadata": hide.metadata,
            "output": hide.output,
            "residual_check": hide.residual_check,
            "content_credentials": hide.content_credentials or None,
            "frames": hide.frames,
            "mask": hide.mask or None,
            "keep": [list(zone.xyxy) for zone in hide.keep] or None,
        }
        for_videos = {name: value for name, value in options.items() if name not in PHOTOS_ONLY}
        self._video_options = _given(for_videos | {"audio": hide.audio.value, "beep": hide.beep or None})
        self._options = _given(options)

    def __call__(self, photo: FoundPhoto, progress: Progress) -> dict[str, Any]:
        """Write the redacted file and return what was done, for a JSON line."""
        if photo.is_video:
            return self._video(photo, progress)
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

    def _video(self, photo: FoundPhoto, progress: Progress) -> dict[str, Any]:
        output = self._targets.of(photo, _video_suffix(photo.path))
        output.parent.mkdir(parents=True, exist_ok=True)
        tell = partial(progress, photo)
        done = self._client.blur_video(photo.path, output, progress=tell, **self._video_options)
        self._client.erase(done.task_id)
        return {"output": str(output), "report": dict(done.report)}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _video_suffix(path: Path) -> str:
    """Return the suffix of a result: that of the file if it fits the format, else that of the format."""
    try:
        with path.open("rb") as file:
            kind = format_of(file.read(HEAD_BYTES))
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        raise UndecodablePhotoError(message) from error
    own = path.suffix.lower()
    is_mp4 = own == ".m4v" and kind is VideoFormat.MP4
    return path.suffix if is_mp4 or own == f".{kind}" else f".{kind}"


def _extension(hidden: Hidden) -> str:
    return EXTENSIONS.get(hidden.picture[:2], "bin")
