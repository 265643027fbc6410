"""Match a word against tags, with synonyms."""

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from obscura.errors import TaggerMissingError
from obscura.tagging.base import Tag

Synonyms: TypeAlias = Mapping[str, frozenset[str]]
"""For each normalised word its synonyms, itself included."""

NO_SYNONYMS: Final[Synonyms] = MappingProxyType({})


def plain(word: str) -> str:
    """Normalise a word for comparison: NFC, case-folded, single spaces and none around."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold()).split())


def matches(
    tags: Iterable[Tag], keyword: str, min_score: float = 0.0, synonyms: Synonyms = NO_SYNONYMS
) -> bool:
    """Return whether a tag of at least ``min_score`` is the keyword or a synonym of it."""
    wanted = plain(keyword)
    if not wanted:
        return False
    accepted = synonyms.get(wanted, frozenset()) | {wanted}
    return any(tag.score >= min_score and plain(tag.name) in accepted for tag in tags)


def read_synonyms(path: Path | None) -> Synonyms:
    """Return the synonyms in a UTF-8 file, none where there is no file.

    Each line is a group of synonyms separated by commas; ``#`` begins a comment. A word in several groups has
    the synonyms of all of them.

    Raises
    ------
    TaggerMissingError
        If the file cannot be read.
    """
    if path is None:
        return NO_SYNONYMS
    meanings: dict[str, frozenset[str]] = {}
    for line in read_lines(path):
        words = frozenset(plain(word) for word in line.partition("#")[0].split(",")) - {""}
        for word in words:
            meanings[word] = meanings.get(word, frozenset()) | words
    return MappingProxyType(meanings)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file; raise TaggerMissingError where it cannot be read."""
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read as UTF-8 text"
        raise TaggerMissingError(message) from error
