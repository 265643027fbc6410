"""``obscura evaluate --task lesions``: the lesion detector beside the original algorithm."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from obscura.contract import RESEARCH_ONLY, LesionOptions
from obscura.errors import InvalidRequestError, UndecodablePhotoError
from obscura.settings import Settings

if TYPE_CHECKING:
    from obscura.evaluation.froc import Froc, Marks
    from obscura.evaluation.lesion_labels import LabelledImage
    from obscura.lesions.mammogram import Mammogram

LEAST_SCORE = 0.05
LABELS_NAME = "annotations.json"
TABLE_WIDTH = 160
notes = Console(stderr=True, highlight=False, markup=False)


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    images: Path
    labels: Path | None
    pixel_mm: float | None
    limit: int | None
    output: Path | None
    as_json: bool


def evaluate_lesions(wanted: Wanted) -> None:
    """Measure and print; see docs/reference/mammograms.md."""
    from obscura.evaluation.froc import froc

    images = _images(wanted)
    measured = [_measure(images, name, look) for name, look in _detectors().items()]
    curves = [(name, froc(images, marks)) for name, marks, _ in measured]
    without = [(name, froc(images, marks, slivers=False)) for name, marks, _ in measured]
    answer = _answer(images, curves, without, [cpu_s for _, _, cpu_s in measured])
    if wanted.output is not None:
        answer["files"] = _write(wanted.output, curves, answer)
    if wanted.as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        _show(answer)


def _images(wanted: Wanted) -> "list[LabelledImage]":
    from obscura.evaluation.lesion_labels import read_labels

    if not wanted.images.is_dir():
        message = f"--images: {wanted.images} is no folder"
        raise InvalidRequestError(message)
    places = [wanted.images / LABELS_NAME, wanted.images.parent / LABELS_NAME]
    labels = wanted.labels or next((place for place in places if place.is_file()), places[0])
    if labels.is_dir():
        labels /= LABELS_NAME
    inner = wanted.images / "images"
    found = read_labels(labels, inner if inner.is_dir() else wanted.images, wanted.pixel_mm)
    count = min(wanted.limit or len(found), len(found))
    return [found[index * len(found) // count] for index in range(count)]


def _detectors() -> "dict[str, Callable[[Mammogram], Marks]]":
    """Return what is compared, by name."""
    import numpy as np

    from obscura.evaluation.froc import Marks
    from obscura.evaluation.original_lesions import NAME, original_marks
    from obscura.lesions.detector import MODEL, detect
    from obscura.lesions.picture import shown

    def ours(mammogram: "Mammogram") -> Marks:
        marks = detect(mammogram, LesionOptions(min_score=LEAST_SCORE)).marks
        centres = np.array([(mark.x + mark.w / 2, mark.y + mark.h / 2) for mark in marks], np.float64)
        return Marks(centres.reshape(-1, 2), np.array([mark.z for mark in marks], np.float64))

    return {MODEL.name: ours, NAME: lambda mammogram: original_marks(shown(mammogram.grey))}


def _measure(
    images: "Sequence[LabelledImage]", name: str, look: "Callable[[Mammogram], Marks]"
) -> "tuple[str, list[Marks], float]":
    """Return a detector's marks in every image, and its mean processor seconds with decoding."""
    from obscura.imaging.configured_limits import medical_limits
    from obscura.lesions.reading import open_mammogram

    limits = medical_limits(Settings(decode_kill_s=0))
    marks = []
    began = time.process_time()
    for image in track(images, description=name, console=notes, disable=not notes.is_terminal):
        try:
            data = image.path.read_bytes()
        except OSError as error:
            message = f"cannot read the file: {error.strerror}"
            raise UndecodablePhotoError(message) from error
        marks.append(look(open_mammogram(data, limits, image.pixel_mm)))
    return name, marks, (time.process_time() - began) / len(images)


def _answer(
    images: "Sequence[LabelledImage]",
    curves: "Sequence[tuple[str, Froc]]",
    without: "Sequence[tuple[str, Froc]]",
    cpu_s: Sequence[float],
) -> dict[str, Any]:
    results = [
        {
            "name": name,
            "sensitivity_at": _points(curve),
            "sensitivity_without_slivers_at": _points(other),
            "cpu_ms": round(seconds * 1000, 1),
        }
        for (name, curve), (_, other), seconds in zip(curves, without, cpu_s, strict=True)
    ]
    return {
        "version": 1,
        "task": "lesions",
        "images": len(images),
        "objects": sum(len(image.objects) for image in images),
        "results": results,
        "notice": RESEARCH_ONLY,
    }


def _points(curve: "Froc") -> dict[str, dict[str, float | None]]:
    from obscura.evaluation.froc import FALSE_MARKS

    found = {f"{rate:g}": curve.at(rate) for rate in FALSE_MARKS}
    return {
        rate: {"sensitivity": round(share, 4), "threshold": threshold}
        for rate, (share, threshold) in found.items()
    }


def _write(folder: Path, curves: "Sequence[tuple[str, Froc]]", answer: dict[str, Any]) -> dict[str, str]:
    from obscura.evaluation.froc_picture import draw_froc

    folder.mkdir(parents=True, exist_ok=True)
    title = f"{answer['objects']} calcifications, {answer['images']} mammograms"
    draw_froc(curves, title, RESEARCH_ONLY).save(folder / "froc.png")
    (folder / "results.json").write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    return {"curves": str(folder / "froc.png"), "results": str(folder / "results.json")}


def _show(answer: dict[str, Any]) -> None:
    table = Table(
        title=f"{answer['objects']} calcifications on {answer['images']} mammograms", title_justify="left"
    )
    table.add_column("sensitivity at false marks per image")
    for result in answer["results"]:
        table.add_column(result["name"], justify="right")
    rates = answer["results"][0]["sensitivity_at"]
    for rate in rates:
        cells = [
            f"{result['sensitivity_at'][rate]['sensitivity']:.3f}"
            f" ({result['sensitivity_without_slivers_at'][rate]['sensitivity']:.3f})"
            for result in answer["results"]
        ]
        table.add_row(rate, *cells)
    table.add_row("processor ms per image", *(f"{result['cpu_ms']:.0f}" for result in answer["results"]))
    table.caption = f"in brackets: labels below 3 pixels a side count neither way; {RESEARCH_ONLY}"
    console = Console(highlight=False, width=None if sys.stdout.isatty() else TABLE_WIDTH)
    console.print(table)
    for file in answer.get("files", {}).values():
        notes.print(f"-> {file}")
