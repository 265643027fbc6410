"""``obscura evaluate``: compare detectors and peers on labelled photos."""

import json
import os
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from obscura.cli.files import find_photos
from obscura.cli.progress import note
from obscura.contract import ObjectClass, Quality
from obscura.errors import InvalidOptionError, InvalidRequestError, UndecodablePhotoError
from obscura.settings import EngineChoice, Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from obscura.detection.detector import Detector
    from obscura.evaluation.comparison import Comparison, Opener
    from obscura.evaluation.labels import LabelledSet
    from obscura.evaluation.matching import Photo
    from obscura.evaluation.peers import Found, Peer
    from obscura.evaluation.summary import Rules, Summary
    from obscura.imaging.pixels import Pixels

FORMAT_VERSION = 1
"""Raised when a key of the JSON object changes its meaning or goes."""
NAMED = 5
TABLE_WIDTH = 200


class Task(StrEnum):
    """What is measured."""

    OBJECTS = "objects"
    LESIONS = "lesions"


Images = Annotated[Path, typer.Option(help="folder of photos")]
Labels = Annotated[
    Path | None,
    typer.Option(help="folder of label files: a line `class cx cy w h` per object; of lesions: a JSON file"),
]
ClassName = Annotated[ObjectClass | None, typer.Option("--class", help="what the labels say: face or plate")]
TaskName = Annotated[Task, typer.Option(help="objects (faces, plates) or lesions (mammograms)")]
PixelMm = Annotated[float | None, typer.Option(min=0.01, max=1.0, help="lesions: side of a pixel, mm")]
Ignored = Annotated[Path | None, typer.Option(help="folder of label files: regions that count neither way")]
Engines = Annotated[
    list[str] | None, typer.Option(help="auto, openvino, onnx, ultralytics, deface, haar; may be repeated")
]
Qualities = Annotated[list[Quality] | None, typer.Option(help="how hard ours looks; may be repeated")]
MinIou = Annotated[float, typer.Option(min=0.05, max=1.0, help="overlap from which a label is found")]
Limit = Annotated[int | None, typer.Option(min=1, help="only so many photos, spread over all")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="folder for curves and worst misses")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


def evaluate(
    images: Images,
    labels: Labels = None,
    class_name: ClassName = None,
    task: TaskName = Task.OBJECTS,
    ignore: Ignored = None,
    engine: Engines = None,
    quality: Qualities = None,
    iou: MinIou = 0.5,
    limit: Limit = None,
    output: Output = None,
    pixel_mm: PixelMm = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure detectors on photos with labels: recall, precision, hidden pixels, cost; ours and peers."""
    if task is Task.LESIONS:
        from obscura.cli.evaluate_lesions import Wanted, evaluate_lesions

        evaluate_lesions(Wanted(images, labels, pixel_mm, limit, output, as_json))
        return
    if labels is None or class_name is None:
        message = "--labels and --class are needed"
        raise InvalidOptionError(message)
    data = (images, labels, ignore, limit)
    _evaluate_objects(data, class_name, (engine, quality), iou, output, as_json=as_json)


def _progress() -> "Progress":
    """Return a progress bar on standard error, shown on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _evaluate_objects(
    folders: tuple[Path, Path, Path | None, int | None],
    class_name: ObjectClass,
    looks: tuple[list[str] | None, list[Quality] | None],
    iou: float,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Measure detectors of faces or plates."""
    from obscura.evaluation.comparison import compare, steps
    from obscura.evaluation.labels import label_photos
    from obscura.evaluation.summary import summarise

    images, labels, ignore, limit = folders
    engine, quality = looks
    settings = Settings(decode_kill_s=0)
    data = label_photos(
        _photos(images, limit), _folder(labels, "--labels"), _folder(ignore, "--ignore") if ignore else None
    )
    _warn(data, whole=limit is None)
    peers = _peers(settings, class_name, engine or ["auto"], quality or [Quality.BALANCED])
    with _progress() as progress:
        bar = progress.add_task("photos", total=steps(len(data.photos), len(peers)))
        read = _reader(settings)
        compared = compare(data.photos, peers, read, lambda: progress.advance(bar))
    for path, error in compared.unreadable:
        note(f"{path}: {error.message}; its labels count as missed", "yellow")
    rules = _rules(settings, class_name, iou)
    summaries = [
        summarise(peer.name, photos, rules, peer.default_score, cpu_ms)
        for peer, photos, cpu_ms in zip(peers, compared.seen, compared.cpu_ms, strict=True)
    ]
    answer = _as_dict(class_name, data, compared, rules)
    answer["results"] = [
        _described(peer) | summary.as_dict() for peer, summary in zip(peers, summaries, strict=True)
    ]
    if output is not None:
        title = f"{class_name.value}s, {len(data.photos)} photos, IoU {iou:g}"
        answer["files"] = _draw(output, summaries, title)
        for result, summary, photos in zip(answer["results"], summaries, compared.seen, strict=True):
            result["misses"] = _draw_misses(output, summary, (data, photos, rules), read)
        (output / "results.json").write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        _show(answer, summaries, rules)


class Ours:
    """One of our detectors at one quality, as a peer."""

    def __init__(self, engine: str, quality: Quality, detector: "Detector") -> None:
        from obscura.detection.detections import THOROUGH_SHARE

        self.name = f"{engine} {quality}"
        self.engine, self.quality = engine, quality
        self._detector = detector
        self.runs_on = detector.engine
        share = THOROUGH_SHARE if quality is Quality.THOROUGH else 1.0
        self.default_score = detector.card.min_confidence * share

    def detect(self, pixels: "Pixels", min_score: float) -> "Found":
        """Return what the product finds; see `obscura.evaluation.peers.Peer`."""
        import numpy as np

        from obscura.detection.detections import DetectionOptions

        found = self._detector.detect(pixels, DetectionOptions(self.quality, min_score))
        boxes = np.array([item.box for item in found], dtype=np.float64).reshape(-1, 4)
        return boxes, np.array([item.confidence for item in found], dtype=np.float64)


def _peers(
    settings: Settings, class_name: ObjectClass, engines: Sequence[str], qualities: Sequence[Quality]
) -> "list[Peer]":
    """Return what to compare: each of our engines at each quality, each peer once."""
    from obscura.detection.loading import load_for
    from obscura.evaluation.peers import PEERS, open_peer

    known = [*EngineChoice, *PEERS]
    unknown = [name for name in engines if name not in known]
    if unknown:
        message = f"--engine: {unknown[0]!r} is not known; known are {', '.join(known)}"
        raise InvalidOptionError(message)
    threads = settings.threads or len(os.sched_getaffinity(0))
    peers: list[Peer] = []
    for name in dict.fromkeys(engines):
        if name in PEERS:
            peers.append(open_peer(name, class_name.value))
        else:
            chosen = settings.model_copy(update={"engine": EngineChoice(name)})
            detector = load_for(chosen, class_name, threads)
            peers += [Ours(name, quality, detector) for quality in dict.fromkeys(qualities)]
    return peers


def _folder(path: Path, option: str) -> Path:
    if not path.is_dir():
        message = f"{option}: {path} is no folder"
        raise InvalidRequestError(message)
    return path


def _photos(images: Path, limit: int | None) -> list[tuple[Path, Path]]:
    found = [(photo.path, photo.relative) for photo in find_photos([_folder(images, "--images")])]
    if not found:
        message = f"--images: no photos found in {images}"
        raise InvalidRequestError(message)
    if limit is None or limit >= len(found):
        return found
    return [found[index * len(found) // limit] for index in range(limit)]


def _warn(data: "LabelledSet", *, whole: bool) -> None:
    """Say what does not fit together; labels without photo are expected where only some photos are taken."""
    kinds = [("photos have no label file and count as having nothing on them", data.without_file)]
    if whole:
        kinds.append(("label files belong to no photo and are not counted", data.without_photo))
    for text, paths in kinds:
        if paths:
            names = ", ".join(path.name for path in paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
            note(f"warning: {len(paths)} {text}: {names}", "yellow")


def _reader(settings: Settings) -> "Opener":
    from obscura.anonymisation.detect import open_photo

    def read(path: Path) -> "Pixels":
        try:
            data = path.read_bytes()
        except OSError as error:
            message = f"cannot read the file: {error.strerror}"
            raise UndecodablePhotoError(message) from error
        return open_photo(data, settings).pixels

    return read


def _rules(settings: Settings, class_name: ObjectClass, iou: float) -> "Rules":
    from obscura.evaluation.report import FACE_BINS, PLATE_BINS
    from obscura.evaluation.summary import Rules
    from obscura.redaction.regions import GROW

    bins = {ObjectClass.FACE: FACE_BINS, ObjectClass.PLATE: PLATE_BINS}[class_name]
    return Rules(bins, iou, max(GROW, settings.min_grow))


def _described(peer: "Peer") -> dict[str, Any]:
    if isinstance(peer, Ours):
        return {"engine": peer.engine, "quality": peer.quality.value, "runs_on": peer.runs_on}
    return {"engine": peer.name, "quality": None, "runs_on": None}


def _as_dict(
    class_name: ObjectClass, data: "LabelledSet", compared: "Comparison", rules: "Rules"
) -> dict[str, Any]:
    """Return what all results have in common."""
    import numpy as np

    photos = compared.seen[0]
    bins = np.concatenate([rules.bins.assign(photo.labels) for photo in photos])
    counts = np.bincount(bins, minlength=len(rules.bins.names())).tolist()
    return {
        "version": FORMAT_VERSION,
        "class": class_name.value,
        "iou": rules.min_iou,
        "growth": rules.growth,
        "photos": len(photos),
        "labels": len(bins),
        "ignored_regions": sum(len(photo.ignored) for photo in photos),
        "sizes": {"side": rules.bins.side, "labels": dict(zip(rules.bins.names(), counts, strict=True))},
        "without_label_file": [str(path) for path in data.without_file],
        "unreadable": [
            {"path": str(path), "code": error.code, "message": error.message}
            for path, error in compared.unreadable
        ],
    }


def _draw(output: Path, summaries: "Sequence[Summary]", title: str) -> dict[str, str]:
    """Draw the curves of all detectors; return the files that belong to all of them."""
    from obscura.evaluation.picture import draw_curves

    output.mkdir(parents=True, exist_ok=True)
    curves = output / "precision_recall.png"
    draw_curves([(summary.name, summary.report.curve) for summary in summaries], title).save(curves)
    return {"curves": str(curves), "results": str(output / "results.json")}


def _draw_misses(
    output: Path,
    summary: "Summary",
    seen: "tuple[LabelledSet, Sequence[Photo], Rules]",
    read: "Opener",
) -> dict[str, Any]:
    """Draw the worst misses of one detector; return how many there are and which are shown."""
    from obscura.evaluation.misses import MOST, draw_misses, worst_misses

    data, photos, rules = seen
    threshold = summary.usual.threshold
    misses = worst_misses(photos, threshold, rules)
    file = output / f"misses_{re.sub('[^a-z0-9]+', '_', summary.name)}.png"
    draw_misses(misses, photos, threshold, lambda index: read(data.photos[index].path)).save(file)
    shown = [
        {
            "path": str(data.photos[miss.photo].path),
            "xyxy": miss.label.round(1).tolist(),
            "hidden": round(miss.hidden, 4),
        }
        for miss in misses[:MOST]
    ]
    return {"file": str(file), "count": len(misses), "worst": shown}


def _show(answer: dict[str, Any], summaries: "Sequence[Summary]", rules: "Rules") -> None:
    """Print the table; it is not squeezed where it goes into a file."""
    from rich.console import Console

    from obscura.evaluation.table import side_by_side

    console = Console(highlight=False, width=None if sys.stdout.isatty() else TABLE_WIDTH)
    title = f"{answer['labels']} {answer['class']}s on {answer['photos']} photos"
    console.print(side_by_side(summaries, rules, title))
    for file in [*answer.get("files", {}).values(), *_sheets(answer)]:
        note(f"-> {file}")


def _sheets(answer: dict[str, Any]) -> list[str]:
    return [result["misses"]["file"] for result in answer["results"] if "misses" in result]
