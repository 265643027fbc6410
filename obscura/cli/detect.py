"""``obscura detect``: list the objects in photos."""

import typer

from obscura.cli.files import find_photos
from obscura.cli.options import (
    AsJson,
    Classes,
    Engine,
    FramesOption,
    MinConfidence,
    Paths,
    QualityOption,
    Report,
    classes_of,
    settings_for,
)
from obscura.cli.pool import Stop, in_this_process
from obscura.cli.progress import Show, notes
from obscura.contract import Frames, Quality


def detect(
    paths: Paths,
    classes: Classes = "face,plate",
    min_confidence: MinConfidence = None,
    quality: QualityOption = Quality.BALANCED,
    frames: FramesOption = Frames.ONE,
    engine: Engine = None,
    report: Report = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print what is found in photos; boxes are pixels of the upright picture."""
    from obscura.cli.in_process import Finder, read

    finder = Finder(settings_for(engine), classes_of(classes), quality, min_confidence, frames)
    photos = list(find_photos(paths))
    if not photos:
        notes.print("no photos found", style="bold red")
        raise typer.Exit(2)
    with Show(len(photos), as_json=as_json, report=report) as show, Stop() as stop:
        answers = in_this_process(
            lambda photo, _progress: finder.find(read(photo.path)).as_line(), photos, show.video, stop
        )
        for answer in answers:
            show.add(answer)
    raise typer.Exit(130 if stop.is_set else 1 if show.failures else 0)
