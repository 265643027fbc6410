"""Words that docs/reference/glossary.md replaced stay out of names, docstrings and comments."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "obscura/access",
    "obscura/audit",
    "obscura/contract",
    "obscura/handlers",
    "obscura/jobs",
    "obscura/observability",
    "obscura/provenance",
    "obscura/settings",
    "obscura/storage",
    "obscura/worker",
    "face_detection_service",
    "lesion_detection_service",
    "photo_service",
    "photo_verification_service",
    "plate_detection_service",
    "redaction_service",
    "standalone",
    "video_service",
)
"""Packages whose names follow the glossary; every other package is added once it does."""

PROSE_PACKAGES = (
    *PACKAGES,
    "gateway_service",
    "obscura/anonymisation",
    "obscura/detection",
    "obscura/evaluation",
    "obscura/imaging",
    "obscura/lesions",
    "obscura/matching",
    "obscura/tagging",
)
"""Packages whose docstrings and comments follow the glossary.

The others work with pictures, where "row", "strip" and "whole" are ordinary names.
"""

GONE = frozenset(
    """
    album beats bury census chore chores deep dialect doom doubt dressing endings eraser gate glance
    glimpse grown heard hiding immediate keeper kit lane lanes ledger letter letters looker manner
    outside patiently presence reach ring row rows said scenes scout scribe seed seen sighting
    skeleton strip suspects sweep sweeper tally told toned tools turns whole workshop
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
"""Words that no name contains, in lower case, as whole words of snake_case or CamelCase."""

ALLOWED = {
    "STRIP": "a value of the public option `metadata`: `strip`",
    "outside": "residual detections outside exclusion zones: a plain preposition",
    "OUTSIDE_WINDOW": "a public outcome of photo verification: outside the time window",
    "rows": "rows of a matrix, `LesionResult.rows`, and of a database result",
    "row": "a row of a database table",
    "RowId": "the id of a database row",
    "ROW_ID": "the column type of ids of database rows",
    "deep": "a parameter of pydantic's `model_copy`",
    "sweep_interval_s": "a public setting",
}
"""Exceptions with their reasons: names that are the field's in their context, or public."""


PHRASES = re.compile(
    r"\b(census|chores?|closer look|dialect|eraser|keep-out|lanes?|ledgers?|scout|second look|sweeper)\b",
    re.IGNORECASE,
)
"""Words and phrases that no docstring or comment contains."""


def words_of(name: str) -> set[str]:
    """Return the words of a name in snake_case or CamelCase, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names_in(source: str) -> Iterator[str]:
    """Yield the names that a module defines: classes, functions, parameters, variables and attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def prose_of(source: str) -> Iterator[str]:
    """Yield the comments of a module and its docstrings, those of constants as well."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text
            case _:
                pass


def broken_prose(source: str) -> list[str]:
    """Return the replaced words in the docstrings and comments of a module."""
    return sorted({found[0].lower() for text in prose_of(source) for found in PHRASES.finditer(text)})


def broken_names(source: str) -> list[str]:
    """Return the names of a module that contain a word of the left column."""
    names = {name for name in names_in(source) if name.strip("_") not in ALLOWED}
    return sorted(name for name in names if words_of(name) & GONE)


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_of_the_glossary(package: str) -> None:
    """No class, function, parameter, variable or attribute is named by a word that the glossary replaced."""
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    broken = {str(path.relative_to(ROOT)): broken_names(path.read_text("utf-8")) for path in modules}
    assert {path: names for path, names in broken.items() if names} == {}


@pytest.mark.parametrize("package", PROSE_PACKAGES)
def test_prose_is_of_the_glossary(package: str) -> None:
    """No docstring and no comment uses a word that the glossary replaced."""
    modules = sorted((ROOT / package).rglob("*.py"))
    broken = {str(path.relative_to(ROOT)): broken_prose(path.read_text("utf-8")) for path in modules}
    scripts = {path: PHRASES.findall(path.read_text("utf-8")) for path in (ROOT / package).rglob("*.lua")}
    assert not any(scripts.values())
    assert {path: words for path, words in broken.items() if words} == {}


def test_a_word_of_the_left_column_is_found() -> None:
    """In every form of a name; longer words that contain it do not count."""
    source = (
        "class JobLedger:\n    def f(self, is_seen, keepers):\n"
        "        letter_count = 1\n        self.told = 2\n"
        "        # A chore of the lane.\n"
    )
    assert broken_names(source) == ["JobLedger", "is_seen", "letter_count", "told"]
    assert broken_prose(source) == ["chore", "lane"]
