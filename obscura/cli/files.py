"""Resolve the input files of a command and the paths of their results."""

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from obscura.errors import InvalidOptionError

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif"}
)
REDACTED = "_redacted"
"""Suffix of the name of a result that is written beside its original."""
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
SAME_FORMAT = ({".jpg", ".jpeg", ".jpe"}, {".tif", ".tiff"}, {".heic", ".heif"}, {".mp4", ".m4v"})
"""Suffixes of one format."""


@dataclass(frozen=True)
class FoundPhoto:
    """An input file; ``relative`` is its path below the given folder."""

    path: Path
    relative: Path

    @property
    def is_video(self) -> bool:
        """Whether its suffix is that of a video."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_photos(paths: Sequence[Path], suffixes: frozenset[str] = PHOTO_SUFFIXES) -> Iterator[FoundPhoto]:
    """Yield every named file, and every photo (by suffix) in named folders and below, sorted.

    A path that does not exist is read as a glob pattern (``*``, ``?``, ``[...]``, ``**``): not all shells
    expand them, and a list of files may be too long for a command line.
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
    """The paths of results: mirrored below a folder, or beside the originals; no two are equal.

    Beside an original (``output`` is None) its result has ``_redacted`` after the name. Files that would
    share a name once their format changes keep their own suffix in it: ``friends.heic`` and ``friends.avif``
    become ``friends.heic.jpg`` and ``friends.avif.jpg``. An ``output`` with the suffix of a picture or video
    that is no folder is the result of a single photo.

    Raises
    ------
    InvalidOptionError
        If two of the photos would have the same result path.
    """

    def __init__(self, output: Path | None, photos: Sequence[FoundPhoto]) -> None:
        self._file = output if output is not None and _names_a_file(output) else None
        if self._file is not None and len(photos) > 1:
            message = f"{output} can be the result of one file, not of {len(photos)}: name a folder"
            raise InvalidOptionError(message)
        self._folder = output if self._file is None else self._file.parent
        self._taken: dict[Path, Path] = {}
        for photo in photos:
            place = self._place(photo)
            other = self._taken.setdefault(place, photo.path)
            if other != photo.path:
                message = f"{other} and {photo.path} would both become {place}: name two folders"
                raise InvalidOptionError(message)
        # Case-insensitive, as some file systems are.
        self._stems = Counter(_stem(place) for place in self._taken)

    def of(self, photo: FoundPhoto, suffix: str) -> Path:
        """Return the path of the result of ``photo`` in a format with ``suffix``.

        Raises
        ------
        InvalidOptionError
            If that is the path of the photo itself, or of another photo's result.
        """
        if self._file is not None and not _is_same_format(self._file.suffix, suffix):
            message = f"the result is written as {suffix}: name {self._file} so, or choose another --format"
            raise InvalidOptionError(message)
        place = self._place(photo)
        is_shared = suffix != place.suffix and self._stems[_stem(place)] > 1
        stem = place.name if is_shared else place.stem
        if self._folder is None:
            stem += REDACTED
        target = self._file or place.with_name(stem + suffix)
        if target.resolve() == photo.path.resolve():
            message = f"the result would overwrite {photo.path}: name another place"
            raise InvalidOptionError(message)
        if target != place and self._taken.get(target, photo.path) != photo.path:
            message = f"the result would have the name of {self._taken[target]}: name another folder"
            raise InvalidOptionError(message)
        return target

    def _place(self, photo: FoundPhoto) -> Path:
        """Return the path of the result in the format of ``photo``."""
        return photo.path if self._folder is None else self._folder / photo.relative

    @property
    def folder(self) -> Path | None:
        """The folder that all results lie below; None where they lie beside the originals."""
        return self._folder


def suffix_of(path: Path, extension: str) -> str:
    """Return the input's own suffix where it names the format written, else the format's."""
    wanted = "." + extension.lstrip(".")
    return path.suffix if _is_same_format(path.suffix, wanted) else wanted


def _is_same_format(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return one == other or any({one, other} <= suffixes for suffixes in SAME_FORMAT)


def _names_a_file(output: Path) -> bool:
    return output.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES and not output.is_dir()


def _stem(place: Path) -> str:
    return str(place.with_suffix("")).casefold()


def without_results(photos: Iterable[FoundPhoto], named: Collection[Path]) -> list[FoundPhoto]:
    """Return each of ``photos`` once, without earlier results beside them, unless they were ``named``."""
    once = {photo.path.resolve(): photo for photo in photos}
    return [photo for photo in once.values() if photo.path in named or not photo.path.stem.endswith(REDACTED)]
