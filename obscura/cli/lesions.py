"""``obscura lesions``: calcifications in mammograms. Research use, not a medical device."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer

from obscura.cli.files import PHOTO_SUFFIXES
from obscura.cli.progress import note
from obscura.contract import RESEARCH_ONLY, LesionOptions, LesionResult
from obscura.errors import InvalidOptionError, PhotoError, UndecodablePhotoError
from obscura.settings import Settings

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima", ""})
CSV_COLUMNS = (
    "image", "score", "z", "x", "y", "w", "h", "area_mm2", "diameter_mm", "cluster", "pixel_mm", "notice",
)  # fmt: skip

Paths = Annotated[list[Path], typer.Argument(help="mammograms and folders of them: DICOM, PNG, TIFF, JPEG")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")]
AsCoco = Annotated[bool, typer.Option("--coco", help="one COCO file on standard output")]
AsCsv = Annotated[bool, typer.Option("--csv", help="a line per mark on standard output")]
Overlay = Annotated[bool, typer.Option("--overlay", help="write NAME_lesions.png with the marks drawn")]
Report = Annotated[bool, typer.Option("--sr", help="write NAME_cad.dcm (Mammography CAD SR) of DICOM files")]
Output = Annotated[Path, typer.Option("--output", "-o", help="folder for overlays and reports")]
Deidentify = Annotated[
    bool,
    typer.Option(
        "--deidentify", help="no names of files or patients in what comes out; black outside the breast"
    ),
]
PixelMm = Annotated[
    float | None, typer.Option(min=0.01, max=1.0, help="side of a pixel in mm, where a file does not tell")
]
MinScore = Annotated[float, typer.Option(min=0.01, max=1.0, help="lowest score of a mark")]


class Listing(StrEnum):
    """What goes to standard output."""

    PLAIN = "plain"
    JSON = "json"
    COCO = "coco"
    CSV = "csv"


@dataclass(frozen=True)
class Written:
    """What is written beside the listing."""

    folder: Path
    overlay: bool
    report: bool
    deidentify: bool


@dataclass(frozen=True)
class Looked:
    """One file: what was found, or why nothing could be."""

    name: str
    part: LesionResult | None
    error: PhotoError | None = None
    files: tuple[str, ...] = ()


def lesions(
    paths: Paths,
    output: Output = Path(),
    pixel_mm: PixelMm = None,
    min_score: MinScore = 0.5,
    *,
    as_json: AsJson = False,
    as_coco: AsCoco = False,
    as_csv: AsCsv = False,
    overlay: Overlay = False,
    report: Report = False,
    deidentify: Deidentify = False,
) -> None:
    """Mark calcifications in mammograms. Research use, not a medical device."""
    listing = _listing(as_json=as_json, as_coco=as_coco, as_csv=as_csv)
    written = Written(output, overlay, report, deidentify)
    options = LesionOptions(pixel_mm=pixel_mm, min_score=min_score)
    if report:
        from obscura.lesions.cad_sr import require

        require()
    files = list(_files(paths))
    if not files:
        note("no mammograms found", "red", bold=True)
        raise typer.Exit(2)
    stems = _stems(files, deidentify=deidentify)
    looked = (_look(path, stem, options, written) for path, stem in zip(files, stems, strict=True))
    failures = _print(listing, looked)
    note(RESEARCH_ONLY)
    raise typer.Exit(1 if failures else 0)


def _stems(files: Sequence[Path], *, deidentify: bool) -> list[str]:
    """Return what written files begin with: a file's own name, with its number where another has the same."""
    if deidentify:
        return [f"image_{number:04d}" for number in range(1, len(files) + 1)]
    names = [path.stem for path in files]
    return [f"{name}_{number}" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]


def _listing(*, as_json: bool, as_coco: bool, as_csv: bool) -> Listing:
    wanted = {Listing.JSON: as_json, Listing.COCO: as_coco, Listing.CSV: as_csv}
    chosen = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(chosen) > 1:
        message = "choose one of --json, --coco and --csv"
        raise InvalidOptionError(message)
    return chosen[0] if chosen else Listing.PLAIN


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield every named file, and everything in named folders that may be a mammogram, sorted."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            if found.is_file() and _may_be_one(found):
                yield found


def _may_be_one(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in PHOTO_SUFFIXES or (suffix in DICOM_SUFFIXES and _is_dicom(path))


def _is_dicom(path: Path) -> bool:
    from obscura.imaging.medical_validation import is_dicom

    with path.open("rb") as file:
        return is_dicom(file.read(256))


def _look(path: Path, stem: str, options: LesionOptions, written: Written) -> Looked:
    """Look at one file and write what is to be written of it."""
    from obscura.imaging.configured_limits import medical_limits
    from obscura.lesions.detector import detect
    from obscura.lesions.reading import open_mammogram

    name = stem if written.deidentify else str(path)
    try:
        data = _read(path)
        mammogram = open_mammogram(data, medical_limits(Settings(decode_kill_s=0)), options.pixel_mm)
        part = detect(mammogram, options)
        files = []
        if written.overlay:
            files.append(_overlay(mammogram, part, stem, written))
        if written.report:
            files.append(_report(data, part, stem, written))
    except PhotoError as error:
        return Looked(name, None, error)
    return Looked(name, part, files=tuple(files))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        raise UndecodablePhotoError(message) from error


def _overlay(mammogram: Any, part: LesionResult, stem: str, written: Written) -> str:  # noqa: ANN401 - loaded late
    from obscura.cli.in_process import write_whole
    from obscura.imaging.formats import PhotoFormat
    from obscura.lesions.picture import draw, encoded

    place = written.folder / f"{stem}_lesions.png"
    picture = draw(mammogram, part, hide_outside=written.deidentify)
    write_whole(place, encoded(picture, PhotoFormat.PNG))
    return str(place)


def _report(data: bytes, part: LesionResult, stem: str, written: Written) -> str:
    from obscura.cli.in_process import write_whole
    from obscura.lesions.cad_sr import cad_report

    place = written.folder / f"{stem}_cad.dcm"
    write_whole(place, cad_report(data, part, deidentify=written.deidentify))
    return str(place)


def _print(listing: Listing, looked: Iterator[Looked]) -> int:
    """Print everything as it comes; return how many files could not be looked at."""
    if listing is Listing.CSV:
        csv.writer(sys.stdout).writerow(CSV_COLUMNS)
    seen: list[Looked] = []
    for item in looked:
        if item.error is not None and listing is not Listing.JSON:
            note(f"{item.name}: {item.error.message}", "red")
        _print_one(listing, item)
        seen.append(item)
    if listing is Listing.COCO:
        sys.stdout.write(json.dumps(_as_coco(seen), ensure_ascii=False) + "\n")
    return sum(item.error is not None for item in seen)


def _print_one(listing: Listing, item: Looked) -> None:
    match listing:
        case Listing.JSON:
            sys.stdout.write(json.dumps(_as_line(item), ensure_ascii=False) + "\n")
        case Listing.CSV:
            csv.writer(sys.stdout).writerows(_as_rows(item))
        case Listing.PLAIN:
            _show(item)
        case Listing.COCO:
            pass
        case _:
            assert_never(listing)


def _as_line(item: Looked) -> dict[str, Any]:
    if item.part is None or item.error is not None:
        error = item.error
        details = {"code": error.code, "message": error.message} if error else {}
        return {"path": item.name, "error": details, "notice": RESEARCH_ONLY}
    files = {"files": list(item.files)} if item.files else {}
    return {"path": item.name, **item.part.model_dump(mode="json"), **files}


def _as_rows(item: Looked) -> Iterator[list[object]]:
    if item.part is None:
        return
    for mark in item.part.marks:
        fields = mark.model_dump()
        cells = [fields[name] for name in CSV_COLUMNS[1:-2]]
        shown = ["" if cell is None else cell for cell in cells]
        yield [item.name, *shown, item.part.pixel_mm, RESEARCH_ONLY]


def _as_coco(items: Sequence[Looked]) -> dict[str, Any]:
    """Return what tools for COCO read: images, one category, an annotation per mark with its score."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for item in items:
        if item.part is None:
            continue
        image_id = len(images) + 1
        size = item.part.image
        images.append({"id": image_id, "file_name": item.name, "width": size.width, "height": size.height})
        annotations += [
            {
                "id": len(annotations) + place,
                "image_id": image_id,
                "category_id": 1,
                "bbox": [mark.x, mark.y, mark.w, mark.h],
                "area": mark.w * mark.h,
                "iscrowd": 0,
                "score": mark.score,
            }
            for place, mark in enumerate(item.part.marks, 1)
        ]
    return {
        "info": {"description": f"calcifications; {RESEARCH_ONLY}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "calcification", "supercategory": "lesion"}],
    }


def _show(item: Looked) -> None:
    if item.part is None:
        return
    part = item.part
    best = f", best score {part.score:.2f}" if part.marks else ""
    sys.stdout.write(f"{item.name}: {len(part.marks)} marks, {len(part.clusters)} clusters{best}\n")
    for text in (*part.warnings, *(f"-> {file}" for file in item.files)):
        note(f"  {text}")
