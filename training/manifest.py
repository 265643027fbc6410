"""Write ``models/manifest.toml``: the one list of shipped weights that the product trusts."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.paths import AUXILIARY, MODELS, OBJECT_CLASSES, SCOUT, ObjectClass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MANIFEST = MODELS / "manifest.toml"
LICENCE = "AGPL-3.0-or-later"
_HEADER = (
    "# The shipped weights. Written by training/export.py (sha256, version) from what is on disk;\n"
    "# thresholds are chosen on the precision-recall curve, see the model cards beside this file.\n"
)


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One model: its operating point and its files.

    Attributes
    ----------
    object_class
        ``face`` or ``plate``.
    version
        Date of the export, ``YYYY.MM.DD``.
    input_size
        Default long side of the network's input in pixels.
    min_confidence
        Default score from which a box counts.
    max_overlap
        IoU above which the weaker of two boxes is suppressed.
    """

    object_class: ObjectClass
    version: str
    input_size: int = 640
    min_confidence: float = 0.25
    max_overlap: float = 0.5


def read_manifest() -> dict[str, Any]:
    """Return the manifest as parsed TOML, empty when there is none yet."""
    if not MANIFEST.exists():
        return {}
    return tomllib.loads(MANIFEST.read_text(encoding="utf-8"))


def current_entry(name: str, object_class: ObjectClass, new_version: str | None) -> ManifestEntry:
    """Return the entry to write: the operating point already there, and its version if none is new."""
    known = read_manifest().get(name, {})
    version = new_version or known.get("version", "0")
    defaults = ManifestEntry(object_class, version)
    return ManifestEntry(
        object_class=object_class,
        version=version,
        input_size=known.get("input_size", defaults.input_size),
        min_confidence=known.get("min_confidence", defaults.min_confidence),
        max_overlap=known.get("max_overlap", defaults.max_overlap),
    )


def next_version(name: str, today: str) -> str:
    """Return the version of a new export: the date, with a number from the second one of a day on."""
    known = _known_version(name)
    if not known.startswith(today):
        return today
    number = known.removeprefix(today).removeprefix(".") or "1"
    return f"{today}.{int(number) + 1}"


def write_manifest(
    entries: dict[str, ManifestEntry], new_scout: str | None = None, new_auxiliary: str | None = None
) -> None:
    """Write all entries with the checksums of the files beside the manifest.

    Parameters
    ----------
    entries
        By model name.
    new_scout, new_auxiliary
        Version of a scout, or an auxiliary network of faces, that was exported now; without one it keeps the
        version it had.

    Raises
    ------
    FileNotFoundError
        A model lacks its ``.onnx`` or ``.pt`` file.
    """
    blocks = [_HEADER]
    scout, auxiliary = new_scout or _known_version(SCOUT), new_auxiliary or _known_version(AUXILIARY)
    for name, entry in sorted(entries.items()):
        blocks.append(
            f"\n[{name}]\n"
            f'class = "{entry.object_class}"\n'
            f'version = "{entry.version}"\n'
            f'licence = "{LICENCE}"\n'
            f"input_size = {entry.input_size}\n"
            f"min_confidence = {entry.min_confidence}\n"
            f"max_overlap = {entry.max_overlap}\n"
        )
        blocks += _files(name, name)
        if scout:
            row = OBJECT_CLASSES.index(entry.object_class)
            blocks.append(f'\n[{name}.scout]\nname = "{SCOUT}"\nversion = "{scout}"\nrow = {row}\n')
            blocks += _files(f"{name}.scout", SCOUT)
        if auxiliary and entry.object_class == "face":
            blocks.append(
                f'\n[{name}.auxiliary]\nname = "{AUXILIARY}"\nversion = "{auxiliary}"\nrow = 0\n'
                'role = "supplement"\n'
            )
            blocks += _files(f"{name}.auxiliary", AUXILIARY, ("onnx",))
    MANIFEST.write_text("".join(blocks), encoding="utf-8")


def _files(place: str, stem: str, kinds: Sequence[str] = ("onnx", "pt")) -> list[str]:
    files = [MODELS / f"{stem}.{kind}" for kind in kinds]
    return [
        f'\n[{place}.files.{file.suffix[1:]}]\npath = "{file.name}"\nsha256 = "{sha256(file)}"\n'
        for file in files
    ]


def _known_version(name: str) -> str:
    """Return the version of a model or a small network in the manifest as it is, empty where it has none."""
    entries = read_manifest()
    small = [card for entry in entries.values() for card in entry.values() if isinstance(card, dict)]
    known = entries | {card["name"]: card for card in small if "name" in card}
    return str(known.get(name, {}).get("version", ""))


def sha256(file: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
