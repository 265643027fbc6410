"""Which files a command line means, and where their results go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})


@dataclass(frozen=True)
class FoundPhoto:
    """A photo to work on; ``relative`` is where it lies below the folder that was named."""

    path: Path
    relative: Path


def find_photos(paths: Sequence[Path]) -> Iterator[FoundPhoto]:
    """Yield every named file, and every photo (by suffix) in named folders and below, sorted."""
    for path in paths:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix.lower() in PHOTO_SUFFIXES and found.is_file():
                    yield FoundPhoto(found, found.relative_to(path))
        else:
            yield FoundPhoto(path, Path(path.name))
