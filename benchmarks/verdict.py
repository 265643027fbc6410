"""Measure the verdict: needless requests for review, and open faces that it does not report.

``python -m benchmarks.verdict --rows rows.jsonl --part 1/4`` measures a part of the validation photos under
``OBSCURA_SHARED`` and appends a line for each; ``python -m benchmarks.verdict --rows rows.jsonl --table``
prints the table of docs/explanation/verdict.md, with the shares at other thresholds beside those shipped. An
interrupted run continues where it stopped.

Each photo is worked on as ``obscura blur`` does it, as a JPEG of quality 92. *Hidden* are photos on which
every labelled object of 24 pixels and more (longer side) lies mostly inside a hidden area. The smallest
object of 48 pixels and more (shorter side) of a photo is left open on purpose: by a threshold that is too
high for it, as if detection had seen nothing there, and by hand, with a person's boxes over all other labels
and no detection before.
"""

import argparse
import io
import json
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image

from obscura.anonymisation import RedactedPhoto, RedactionRequest, Target, redact_photo
from obscura.anonymisation.detect import open_photo
from obscura.anonymisation.pipeline import PhotoPipeline, PipelineResult
from obscura.anonymisation.residual import RESIDUAL_THRESHOLDS, proposals
from obscura.anonymisation.residual_check import FinishedPicture, hidden_share, not_hidden
from obscura.contract import DetectionResult, ObjectClass, ResidualCheck
from obscura.detection.detections import DetectionOptions
from obscura.detection.inputs import Inputs
from obscura.detection.loading import load_for
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.settings import Settings

ROOT: Final = Path(__file__).parent.parent
LEAST_HIDDEN: Final = 24
"""Pixels of the longer side from which a labelled object has to be hidden."""

LEAST_OPEN: Final = 48
"""Pixels of the shorter side from which an open object has to be told."""

SAME: Final = 0.3
"""Intersection over union from which a residual detection is the object left open."""

BY_DETECTION: Final = "by detection"
BY_HAND: Final = "by hand"
LOWEST: Final = 0.05
FULL_EVERY: Final = 10
"""Photos per one on which the full check is timed beside the quick one."""

REPEATS: Final = 3
SWEEP: Final = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
SETS: Final[Mapping[str, tuple[str, str, ObjectClass]]] = {
    "faces": ("faces/images/val", "faces/labels/val", ObjectClass.FACE),
    "people_faces": ("people_faces/images", "people_faces/labels", ObjectClass.FACE),
    "people_plates": ("people_plates/images", "people_plates/labels", ObjectClass.PLATE),
}


@dataclass(frozen=True)
class Labelled:
    """A photo as a JPEG, and the boxes of what is on it."""

    name: str
    data: bytes
    boxes: tuple[Box, ...]
    label: ObjectClass


@dataclass(frozen=True)
class Opened:
    """An object left open: best score of the proposal network on it, and whether the verdict reported it."""

    how: str
    side: float
    score: float
    told: bool


@dataclass(frozen=True)
class Row:
    """One photo.

    Attributes
    ----------
    is_hidden
        Whether all labelled objects of `LEAST_HIDDEN` pixels and more are.
    scores
        Best score, by class, of the proposal network outside of what is hidden.
    verdicts
        Of equal requests: whether something was left open.
    after_redact
        The same where no detection came before.
    opened
        What was left open on purpose.
    cpu_ms
        CPU time of both checks, where both were made.
    full
        Best residual score by class of the full check, where it was made.
    """

    set: str
    name: str
    is_hidden: bool
    scores: Mapping[str, float]
    verdicts: tuple[bool, ...]
    after_redact: bool
    opened: tuple[Opened, ...]
    cpu_ms: Mapping[str, float]
    full: Mapping[str, float]


class Bench:
    """The detectors, loaded once."""

    def __init__(self) -> None:
        self._settings = Settings()
        self.detectors = {name: load_for(self._settings, name, 1) for name in ObjectClass}
        self._options = DetectionOptions()
        self._pipeline = PhotoPipeline(self.detectors, self._options)

    def row(self, photos: str, labelled: Labelled, *, with_full: bool) -> Row:
        """Measure one photo."""
        photo = open_photo(labelled.data, self._settings)
        first = self._pipeline.detect(photo)
        targets = [
            Target(name.value, Box(*item.xyxy))
            for name, part in first.parts.items()
            for item in part.detections
        ]
        finished = [self._redacted(labelled, targets, photo) for _ in range(REPEATS)]
        hidden = finished[0].report.hidden_boxes
        verdicts = tuple(bool(self._residual(first, done, ResidualCheck.QUICK)) for done in finished)
        spent, full = self._beside(first, finished[0]) if with_full else ({}, {})
        return Row(
            set=photos,
            name=labelled.name,
            is_hidden=all(
                hidden_share(box, hidden) > 1 / 2 for box in labelled.boxes if box.long_side >= LEAST_HIDDEN
            ),
            scores=self._scores(finished[0].shown, hidden),
            verdicts=verdicts,
            after_redact=bool(self._residual(PipelineResult(photo), finished[0], ResidualCheck.QUICK)),
            opened=tuple(self._opened(labelled, first, targets)),
            cpu_ms=spent,
            full=full,
        )

    def _redacted(self, labelled: Labelled, targets: Sequence[Target], photo: Photo) -> RedactedPhoto:
        return redact_photo(labelled.data, targets, RedactionRequest(), photo)

    def _residual(
        self, first: PipelineResult, done: RedactedPhoto, check: ResidualCheck
    ) -> list[tuple[Box, float]]:
        found = self._pipeline.find_residual(first, done.shown, done.report.hidden_boxes, check)
        return [(Box(*item.xyxy), item.confidence) for items in found.values() for item in items]

    def _scores(self, shown: Photo, hidden: Sequence[Box]) -> dict[str, float]:
        inputs = Inputs(shown.pixels)
        found = {
            name.value: not_hidden(proposals(detector, shown, inputs, LOWEST), hidden, shown.size.height)
            for name, detector in self.detectors.items()
        }
        return {name: max((item.confidence for item in items), default=0.0) for name, items in found.items()}

    def _beside(
        self, first: PipelineResult, done: RedactedPhoto
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return the CPU time of both checks on one picture, and the result of the full one."""
        spent: dict[str, float] = {}
        for check in (ResidualCheck.QUICK, ResidualCheck.FULL):
            began = time.process_time()
            self._residual(first, done, check)
            spent[check.value] = (time.process_time() - began) * 1000
        hidden = done.report.hidden_boxes
        full = {}
        for name, detector in self.detectors.items():
            part = detector.detect(done.shown.pixels, replace(self._options, min_confidence=LOWEST))
            outside = [item for item in part if hidden_share(item.box, hidden) < 1 / 2]
            full[name.value] = max((item.confidence for item in outside), default=0.0)
        return spent, full

    def _opened(
        self, labelled: Labelled, first: PipelineResult, targets: Sequence[Target]
    ) -> Iterator[Opened]:
        large = [box for box in labelled.boxes if min(box.width, box.height) >= LEAST_OPEN]
        by_hand = [Target(labelled.label.value, box) for box in labelled.boxes]
        for box in sorted(large, key=lambda box: box.area)[:1]:
            ways = {BY_DETECTION: targets, BY_HAND: by_hand}
            for how, wanted in ways.items():
                rest = [item for item in wanted if item.box.iou(box) < SAME / 2]
                done = self._redacted(labelled, rest, first.photo)
                hidden = done.report.hidden_boxes
                if hidden_share(box, hidden) >= 1 / 2:
                    # A neighbour's area covers it: nothing is open.
                    continue
                detector = self.detectors[labelled.label]
                found = proposals(detector, done.shown, None, LOWEST)
                scores = [item.confidence for item in found if Box(*item.xyxy).iou(box) >= SAME]
                finished = FinishedPicture(done.shown, hidden, self._options, ResidualCheck.QUICK)
                part = first.parts[labelled.label]
                firsts = {"by hand": None} if how == BY_HAND else _firsts(part, box)
                for name, known in firsts.items():
                    told = any(
                        Box(*item.xyxy).iou(box) >= SAME for item in finished.residual(detector, known)
                    )
                    yield Opened(name, min(box.width, box.height), max(scores, default=0.0), told)


def _firsts(part: DetectionResult, box: Box) -> dict[str, DetectionResult]:
    """Return what the first detection may know of an object left open."""
    on_it = tuple(item for item in part.detections if Box(*item.xyxy).iou(box) >= SAME / 2)
    others = tuple(item for item in part.detections if item not in on_it)
    return {
        "by a threshold that was too high": part.model_copy(
            update={"detections": others, "left_open": on_it}
        ),
        "as if detection had seen nothing": part.model_copy(update={"detections": others}),
    }


def labelled_photos(name: str, folder: Path) -> Iterator[Labelled]:
    """Yield the photos of a set of the shared material."""
    images, labels, label = SETS[name]
    shared = Path(os.environ.get("OBSCURA_SHARED", ROOT.parent / "shared"))
    pack = shared / "data" / f"{name}.tar"
    with tarfile.open(pack) as tar:
        wanted = [item for item in tar if item.name.startswith((images, labels))]
        tar.extractall(folder, wanted, filter="data")
    for path in sorted((folder / images).iterdir()):
        with Image.open(path) as picture:
            upright = picture.convert("RGB")
        sink = io.BytesIO()
        upright.save(sink, "JPEG", quality=92)
        boxes = tuple(_boxes(folder / labels / f"{path.stem}.txt", upright.size))
        yield Labelled(path.name, sink.getvalue(), boxes, label)


def _boxes(path: Path, size: tuple[int, int]) -> Iterator[Box]:
    if not path.exists():
        return
    width, height = size
    for line in path.read_text().splitlines():
        x, y, w, h = (float(number) for number in line.split()[1:])
        yield Box((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)


def measure(rows: Path, part: int, parts: int, sets: Sequence[str]) -> None:
    """Append a line for every photo of a part of the sets that has none yet."""
    bench = Bench()
    lines = rows.read_text().splitlines() if rows.exists() else []
    done = {(row["set"], row["name"]) for row in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder, rows.open("a") as file:
        for name in sets:
            for number, labelled in enumerate(labelled_photos(name, Path(folder))):
                if number % parts == part and (name, labelled.name) not in done:
                    with_full = number // parts % FULL_EVERY == 0
                    row = bench.row(name, labelled, with_full=with_full)
                    file.write(json.dumps(asdict(row)) + "\n")
                    file.flush()


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table in docs/explanation/verdict.md."""
    yield "| photos | all of 24 px and more hidden | of these `needs_review` | open on purpose | told |"
    yield "|---|---|---|---|---|"
    for name in [name for name in SETS if any(row["set"] == name for row in rows)]:
        mine = [row for row in rows if row["set"] == name]
        hidden = [row for row in mine if row["is_hidden"]]
        asked = sum(_is_asked(row) for row in hidden)
        opened = [item for row in mine for item in row["opened"]]
        told = sum(item["told"] for item in opened)
        yield (
            f"| {len(mine)} of `{name}` | {len(hidden)} | {_share(asked, len(hidden))} "
            f"| {len(opened)} | {_share(told, len(opened))} |"
        )
    changed = sum(len(set(row["verdicts"])) > 1 for row in rows)
    yield f"\nVerdicts that changed in {REPEATS} equal requests: {changed} of {len(rows)} photos.\n"
    redacted = [row for row in rows if row["is_hidden"]]
    asked = sum(row["after_redact"] for row in redacted)
    yield f"All hidden by hand: `needs_review` for {_share(asked, len(redacted))} of {len(redacted)}."
    yield from _by_way(rows)
    yield from _sweep(rows)
    yield from _costs([row for row in rows if row["cpu_ms"]])


def _is_asked(row: Mapping[str, Any]) -> bool:
    """Return whether the proposal network asks for a review of a photo, with the shipped thresholds."""
    return any(row["scores"][name] >= threshold for name, threshold in RESIDUAL_THRESHOLDS.items())


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "-"


def _by_way(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield how many open faces were reported, by what left them open."""
    opened = [item for row in rows if not row["set"].endswith("plates") for item in row["opened"]]
    for how in dict.fromkeys(item["how"] for item in opened):
        mine = [item for item in opened if item["how"] == how]
        told = sum(item["told"] for item in mine)
        yield f"Faces left open {how}: told {_share(told, len(mine))} of {len(mine)}."


def _sweep(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "\n| threshold | " + " | ".join(f"{threshold:g}" for threshold in SWEEP) + " |"
    yield "|---" * (len(SWEEP) + 1) + "|"
    hidden = [row for row in rows if row["is_hidden"]]
    for label in ObjectClass:
        asked = [sum(row["scores"][label] >= at for row in hidden) / len(hidden) for at in SWEEP]
        yield f"| hidden, `needs_review` for a {label} | {' | '.join(f'{share:.1%}' for share in asked)} |"
        opened = [item["score"] for row in rows if SETS[row["set"]][2] is label for item in row["opened"]]
        told = [sum(score >= at for score in opened) / len(opened) for at in SWEEP] if opened else []
        yield f"| open {label}s told | {' | '.join(f'{share:.1%}' for share in told)} |"
    full = [row for row in hidden if row["full"]]
    for label in ObjectClass if full else ():
        asked = [sum(row["full"][label] >= at for row in full) / len(full) for at in SWEEP]
        yield f"| hidden, full check, a {label} | {' | '.join(f'{share:.1%}' for share in asked)} |"
    yield f"\nShipped: {', '.join(f'{name} {at:g}' for name, at in RESIDUAL_THRESHOLDS.items())}."


def _costs(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows:
        quick, full = (sum(row["cpu_ms"][name] for row in rows) / len(rows) for name in ("quick", "full"))
        costs = f"quick {quick:.0f} ms, full {full:.0f} ms: {quick / full:.1%}."
        yield f"CPU of a check for both classes, {len(rows)} photos in turns: {costs}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a part, or print the table of what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict", description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="file of lines, a photo each")
    parser.add_argument("--part", default="1/1", help="which part of the photos, such as 2/4")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--table", action="store_true", help="print the table of the lines so far")
    chosen = parser.parse_args(arguments)
    if chosen.table:
        rows = [json.loads(line) for line in chosen.rows.read_text().splitlines()]
        print("\n".join(table(rows)))
        return 0
    part, parts = (int(number) for number in chosen.part.split("/"))
    measure(chosen.rows, part - 1, parts, chosen.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
