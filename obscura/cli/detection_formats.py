"""Write detections in the formats of data sets: JSON, COCO, YOLO, CSV."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from obscura.cli.files import FoundPhoto
from obscura.contract import ObjectClass
from obscura.contract.spreadsheet_cells import plain_cell
from obscura.errors import InvalidOptionError

__all__ = ["DetectionFormat", "text_of", "yolo_files", "yolo_places"]

Line = Mapping[str, Any]
"""The output of one photo: path, width, height and detections; or path and error."""

CSV_COLUMNS: Final = ("path", "width", "height", "class", "confidence", "x1", "y1", "x2", "y2")
CLASSES_FILE: Final = "classes.txt"


class DetectionFormat(StrEnum):
    """How detections are written.

    ``json``: one list; ``coco``: images, annotations and categories; ``csv``: a row for each detection;
    ``yolo``: a text file for each photo.
    """

    JSON = "json"
    COCO = "coco"
    YOLO = "yolo"
    CSV = "csv"


def text_of(lines: Sequence[Line], kind: DetectionFormat) -> str:
    """Return the content of the file with the detections of all photos but those that failed."""
    found = [line for line in lines if "error" not in line]
    match kind:
        case DetectionFormat.JSON:
            return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
        case DetectionFormat.COCO:
            return json.dumps(_coco(found), ensure_ascii=False, indent=1) + "\n"
        case DetectionFormat.CSV:
            return _csv(found)
        case DetectionFormat.YOLO:
            message = "yolo is a file for each photo"
            raise InvalidOptionError(message)


def _coco(lines: Sequence[Line]) -> dict[str, Any]:
    """Return a COCO object detection set: boxes are [x, y, width, height] in pixels of the upright photo."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    classes = _classes_in(lines)
    for number, line in enumerate(lines, 1):
        size = {"width": line["width"], "height": line["height"]}
        images.append({"id": number, "file_name": line["path"], **size})
        for item in line["detections"]:
            x1, y1, x2, y2 = item["xyxy"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": classes.index(item["class"]) + 1,
                    "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "iscrowd": 0,
                    "score": item["confidence"],
                }
            )
    categories = [{"id": number, "name": name.value} for number, name in enumerate(classes, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _csv(lines: Sequence[Line]) -> str:
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(CSV_COLUMNS)
    for line in lines:
        photo = (plain_cell(line["path"]), line["width"], line["height"])
        table.writerows(
            (*photo, item["class"], item["confidence"], *item["xyxy"]) for item in line["detections"]
        )
    return file.getvalue()


def yolo_places(folder: Path, photos: Sequence[FoundPhoto]) -> dict[Path, Path]:
    """Return where the label file of each photo goes, by the photo's path.

    Raises
    ------
    InvalidOptionError
        If two photos would share one: YOLO finds labels by the name without its suffix.
    """
    places: dict[Path, Path] = {}
    owners: dict[str, Path] = {str(folder / CLASSES_FILE).casefold(): Path(CLASSES_FILE)}
    for photo in photos:
        place = (folder / photo.relative).with_suffix(".txt")
        other = owners.setdefault(str(place).casefold(), photo.path)
        if other != photo.path:
            message = (
                f"{other} and {photo.path} would both become {place}: YOLO names label files by the stem"
            )
            raise InvalidOptionError(message)
        places[photo.path] = place
    return places


def yolo_files(
    lines: Sequence[Line], places: Mapping[Path, Path], folder: Path
) -> Iterator[tuple[Path, str]]:
    """Yield each label file with its text: ``class x y width height``, as shares of the photo's sides.

    ``x`` and ``y`` are the centre's. The last file is ``classes.txt``: the classes in the order of their
    numbers.
    """
    found = [line for line in lines if "error" not in line]
    classes = _classes_in(found)
    for line in found:
        items = (_yolo(item, classes.index(item["class"]), line) for item in line["detections"])
        yield places[Path(line["path"])], "".join(items)
    yield folder / CLASSES_FILE, "".join(f"{name.value}\n" for name in classes)


def _yolo(item: Mapping[str, Any], number: int, line: Line) -> str:
    x1, y1, x2, y2 = item["xyxy"]
    width, height = line["width"], line["height"]
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"{number} " + " ".join(f"{share:.6f}" for share in shares) + "\n"


def _classes_in(lines: Sequence[Line]) -> list[ObjectClass]:
    """Return the classes in the order of their numbers: faces, plates, then others that were found."""
    others = {item["class"] for line in lines for item in line["detections"]} - {*ObjectClass}
    return [*ObjectClass, *(ObjectClass(name) for name in sorted(others))]
