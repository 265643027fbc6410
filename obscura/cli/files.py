"""Resolve the input files of a command and the paths of their results."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from obscura.errors import InvalidOptionError

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif"}
)
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})


@dataclass(frozen=True)
class FoundPhoto:
    """A file to work on; ``relative`` is where it lies below the folder that was named."""

    path: Path
    relative: Path

    @property
    def is_video(self) -> bool:
        """Whether its name is a video's."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_photos(paths: Sequence[Path], suffixes: frozenset[str] = PHOTO_SUFFIXES) -> Iterator[FoundPhoto]:
    """Yield every named file, and every photo (by suffix) in named folders and below, sorted.

    A name that no file has is read as a pattern (``*``, ``?``, ``[...]``, ``**``): shells that do not do so
    exist, and long lists fit no command line.
    """
    for path in paths:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix.lower() in suffixes and found.is_file():
                    yield FoundPhoto(found, found.relative_to(path))
        elif not path.exists() and glob.has_magic(str(path)):
            for name in sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 - Path cannot glob a whole pattern
                found = Path(name)
                if found.suffix.lower() in suffixes and found.is_file():
                    yield FoundPhoto(found, Path(found.name))
        else:
            yield FoundPhoto(path, Path(path.name))


class Targets:
    """Where results lie: mirrored below one folder, no two in one place, no original overwritten.

    Raises
    ------
    InvalidOptionError
        If two of the photos would have the same place.
    """

    def __init__(self, folder: Path, photos: Iterable[FoundPhoto]) -> None:
        self._folder = folder
        self._taken: dict[Path, Path] = {}
        for photo in photos:
            other = self._taken.setdefault(photo.relative, photo.path)
            if other != photo.path:
                message = f"{other} and {photo.path} would both become {folder / photo.relative}"
                raise InvalidOptionError(message)

    def of(self, photo: FoundPhoto, suffix: str) -> Path:
        """Return where the result of ``photo`` goes whose kind has ``suffix``.

        Raises
        ------
        InvalidOptionError
            If that is where the photo itself lies.
        """
        relative = photo.relative.with_suffix(suffix)
        if relative != photo.relative and relative in self._taken:
            # IMG_1.heic beside IMG_1.jpg: the second has the name.
            relative = photo.relative.with_name(photo.relative.name + suffix)
        target = self._folder / relative
        if target.resolve() == photo.path.resolve():
            message = f"the result would overwrite {photo.path}: name another folder"
            raise InvalidOptionError(message)
        return target
