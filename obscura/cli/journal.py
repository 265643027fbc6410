"""The journal of a run over many files, for ``--resume``."""

import hashlib
import json
from pathlib import Path
from typing import Any

from obscura.cli.files import FoundPhoto

NAME = ".obscura-journal.jsonl"


def fingerprint(options: object) -> str:
    """Return a fingerprint of the options of a run."""
    return hashlib.sha256(repr(options).encode()).hexdigest()[:16]


class Journal:
    """One line per finished file in the folder of results; erased when nothing is left to do."""

    def __init__(self, folder: Path, options: str) -> None:
        self._path = folder / NAME
        self._options = options

    def done(self) -> dict[str, dict[str, Any]]:
        """Return the lines of files that an earlier run with the same options has finished, by path."""
        lines: dict[str, dict[str, Any]] = {}
        if not self._path.is_file():
            return lines
        for text in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(text)
            except ValueError:
                # The last line of a run that was cut off.
                continue
            if entry["options"] == self._options:
                lines[entry["source"]] = entry
        return lines

    def restart(self) -> None:
        """Forget earlier runs."""
        self._path.unlink(missing_ok=True)

    def note(self, photo: FoundPhoto, line: dict[str, Any]) -> None:
        """Remember a finished file; what failed is not noted and is tried again."""
        entry = {"options": self._options, "source": str(photo.path), "was": _state(photo.path), "line": line}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    @staticmethod
    def holds(entry: dict[str, Any], photo: FoundPhoto) -> bool:
        """Return whether an entry is still true: the source is unchanged and its result exists."""
        return bool(entry["was"] == _state(photo.path) and Path(entry["line"]["output"]).is_file())


def _state(path: Path) -> list[int]:
    try:
        known = path.stat()
    except OSError:
        return []
    return [known.st_size, known.st_mtime_ns]
