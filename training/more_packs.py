"""Unpack what came later: more photos to train on, and photos whose boxes people drew, to validate only.

``faces2`` and ``plates2`` become the split ``more`` of their class, ``people_faces`` and
``people_plates`` the split ``people`` with its regions that count neither way. All are AVIF, which
OpenCV's wheels do not read: they are stored as JPEG of high quality (``more``) and PNG (``people``).
Nothing may ever be trained on ``people``.

Run ``python -m training.more_packs`` after :mod:`training.prepare`.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from training.paths import OBJECT_CLASSES, ObjectClass, pack_folder, shared_folder
from training.prepare import clean_boxes, read_labels, write_labels

if TYPE_CHECKING:
    from pathlib import Path

MORE, PEOPLE = "more", "people"
JPEG_QUALITY = 94


class Pack(NamedTuple):
    """A tar of the shared folder, the split that it becomes, and how its photos are stored."""

    name: str
    split: str
    suffix: str


def packs(object_class: ObjectClass) -> tuple[Pack, Pack]:
    """Return the later packs of a class: what trains, and what validates."""
    return (
        Pack(f"{object_class}s2", MORE, ".jpg"),
        Pack(f"people_{object_class}s", PEOPLE, ".png"),
    )


def ignored_folder(object_class: ObjectClass) -> Path:
    """Return where the regions of ``people`` lie that count neither way, one label file a photo."""
    return pack_folder(object_class) / "ignore" / PEOPLE


def unpack(object_class: ObjectClass, pack: Pack) -> int:
    """Unpack one pack into its split from scratch; return its number of photos."""
    root = pack_folder(object_class)
    folders = {part: root / part / pack.split for part in ("images", "labels", "ignore")}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with tarfile.open(shared_folder() / "data" / f"{pack.name}.tar") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            source = archive.extractfile(member) if member.isfile() else None
            if source is None or len(name.parts) < 3 or name.parts[1] not in folders:  # noqa: PLR2004
                continue
            target = folders[name.parts[1]] / name.name
            if name.parts[1] == "images":
                _store(source.read(), target.with_suffix(pack.suffix))
            else:
                target.write_bytes(source.read())
    photos = sorted(folders["images"].iterdir())
    for photo in photos:
        _clean(photo, folders["labels"] / f"{photo.stem}.txt")
    return len(photos)


def _store(data: bytes, target: Path) -> None:
    with Image.open(io.BytesIO(data)) as opened:
        opened.convert("RGB").save(target, quality=JPEG_QUALITY)


def _clean(photo: Path, label_file: Path) -> None:
    with Image.open(photo) as opened:
        size = opened.size
    write_labels(label_file, clean_boxes(np.asarray(read_labels(label_file)), *size))


def main() -> None:
    """Unpack the later packs and print how many photos each has."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, action="append")
    for object_class in parser.parse_args().object_class or OBJECT_CLASSES:
        for pack in packs(object_class):
            sys.stdout.write(f"{pack.name}: {unpack(object_class, pack)} photos\n")


if __name__ == "__main__":
    main()
