"""Results of client calls."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obscura.contract import DetectedObject, ImageInfo, ModelInfo


def photo_text(photo: object) -> str:
    """Return the short form of a photo in a ``repr``: its path, or its length."""
    return f"<{len(photo):,} bytes>" if isinstance(photo, bytes) else repr(photo)


def _counts(detections: tuple[DetectedObject, ...]) -> str:
    """Return how many of each class were found: ``2 face, 1 plate``."""
    counts = Counter(item.class_name.value for item in detections)
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "nothing"


@dataclass(frozen=True)
class Found:
    """What was found in a photo: boxes in pixels of the upright picture, the surest first.

    ``task_id`` is empty where the server kept nothing (zero retention).
    """

    task_id: str
    detections: tuple[DetectedObject, ...]
    image: ImageInfo
    models: tuple[ModelInfo, ...]

    def __repr__(self) -> str:
        size = f"{self.image.width}x{self.image.height}"
        return f"Found(task_id={self.task_id!r}, image={size}, found={_counts(self.detections)!r})"


@dataclass(frozen=True)
class HiddenVideo:
    """A redacted video: where it was written, and the report of what was done."""

    task_id: str
    path: Path
    media_type: str
    report: Mapping[str, Any]

    def __repr__(self) -> str:
        return (
            f"HiddenVideo(task_id={self.task_id!r}, path={str(self.path)!r}, media_type={self.media_type!r})"
        )


@dataclass(frozen=True)
class Hidden:
    """A redacted picture as bytes, with the report of what was done and the manifest.

    ``task_id`` is empty where the server kept nothing (zero retention).
    """

    task_id: str
    picture: bytes
    detections: tuple[DetectedObject, ...]
    report: Mapping[str, Any]
    manifest: Mapping[str, Any] | None

    def __repr__(self) -> str:
        verdict, found = self.report.get("verdict"), _counts(self.detections)
        picture = photo_text(self.picture)
        return f"Hidden(task_id={self.task_id!r}, picture={picture}, verdict={verdict!r}, found={found!r})"

    @property
    def verdict(self) -> str:
        """``clean``, ``nothing_found`` or ``needs_review``: the last asks a person to look.

        ``residual_check`` in the report says how: quick, full or off.
        """
        return str(self.report["verdict"])

    @property
    def residual(self) -> tuple[DetectedObject, ...]:
        """What was found in the picture outside of what is hidden, the surest first."""
        found = self.report.get("residual", self.report.get("suspects", ()))
        return tuple(DetectedObject.model_validate(item) for item in found)

    def save(self, path: str | Path) -> Path:
        """Write the picture and return its path."""
        target = Path(path)
        target.write_bytes(self.picture)
        return target
