"""``obscura detect``: list the objects in photos."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from obscura.cli.detection_formats import DetectionFormat, text_of, yolo_files, yolo_places
from obscura.cli.files import FoundPhoto, find_photos
from obscura.cli.options import (
    AsJson,
    Classes,
    Engine,
    FramesOption,
    MinConfidence,
    Paths,
    QualityOption,
    Report,
    TextMatch,
    look_of,
    settings_for,
)
from obscura.cli.pool import Line, Stop, in_this_process
from obscura.cli.progress import INTERRUPTED, Show, note
from obscura.contract import Frames, Quality
from obscura.errors import InvalidOptionError


def detect(
    paths: Paths,
    classes: Classes = "face,plate",
    min_confidence: MinConfidence = None,
    quality: QualityOption = Quality.BALANCED,
    text_match: TextMatch = None,
    frames: FramesOption = Frames.ONE,
    engine: Engine = None,
    report: Report = None,
    output_format: Annotated[
        DetectionFormat | None,
        typer.Option("--format", help="write detections as a data set does; default: a line for people"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="file for --format, for yolo a folder; default: standard output"),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print what is found in photos; boxes are pixels of the upright picture."""
    from obscura.detection.loading import load_in_background

    listing = Listing(output_format, output, as_json=as_json)
    settings, look = settings_for(engine), look_of(classes, quality, min_confidence, frames, text_match)
    detectors = load_in_background(settings, look.classes)
    from obscura.cli.in_process import Finder, read

    finder = Finder(settings, detectors, look)
    photos = list(find_photos(paths))
    if not photos:
        note("no photos found", "red", bold=True)
        raise typer.Exit(2)
    listing.prepare(photos)
    show_as = {"as_json": as_json, "is_quiet": output_format is not None}
    with Show(len(photos), report=report, **show_as) as show, Stop() as stop:
        answers = in_this_process(
            lambda photo, _progress: finder.find(read(photo.path)).as_line(), photos, show.video, stop
        )
        for answer in answers:
            listing.lines.append(show.add(answer))
    listing.write()
    raise typer.Exit(INTERRUPTED if stop.is_set else show.exit_code())


class Listing:
    """What was found, as one of the formats of data sets; nothing where none was asked for.

    Raises
    ------
    InvalidOptionError
        If the options contradict each other.
    """

    def __init__(self, kind: DetectionFormat | None, output: Path | None, *, as_json: bool) -> None:
        if kind is None and output is not None:
            message = "-o names the file of --format: say which format"
            raise InvalidOptionError(message)
        if kind is not None and as_json:
            message = "--json prints lines and --format another listing: choose one"
            raise InvalidOptionError(message)
        if kind is DetectionFormat.YOLO and output is None:
            message = "yolo is a file for each photo: name a folder with -o"
            raise InvalidOptionError(message)
        self._kind = kind
        self._output = output
        self._places: dict[Path, Path] = {}
        self.lines: list[Line] = []

    def prepare(self, photos: Sequence[FoundPhoto]) -> None:
        """Refuse photos whose label files would be one, before any is looked at."""
        if self._kind is DetectionFormat.YOLO and self._output is not None:
            self._places = yolo_places(self._output, photos)

    def write(self) -> None:
        """Write the listing to its file, its folder or standard output."""
        from obscura.cli.in_process import write_whole

        if self._kind is None:
            return
        if self._kind is DetectionFormat.YOLO and self._output is not None:
            for place, text in yolo_files(self.lines, self._places, self._output):
                write_whole(place, text.encode())
            return
        text = text_of(self.lines, self._kind)
        if self._output is None:
            sys.stdout.write(text)
        else:
            write_whole(self._output, text.encode())
