"""Commands that work in this process, with no server."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from obscura import __version__
from obscura.cli import audit
from obscura.cli.challenges import app as challenges
from obscura.cli.evaluate import evaluate
from obscura.cli.files import FoundPhoto, find_photos
from obscura.cli.keys import app as keys
from obscura.cli.verify import verify
from obscura.contract import (
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Quality,
    RedactionShape,
    RedactionStyle,
)
from obscura.errors import InvalidOptionError, ObscuraError, PhotoError, UndecodablePhotoError
from obscura.settings import EngineChoice, Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Find faces and plates; hide them.",
)
notes = Console(stderr=True)

Paths = Annotated[list[Path], typer.Argument(help="photos and folders of photos")]
Classes = Annotated[str, typer.Option(help="what to look for: face, plate or face,plate")]
MinConfidence = Annotated[
    float | None, typer.Option(min=0.001, max=1.0, help="lowest score of a detection (default: the model's)")
]
QualityOption = Annotated[Quality, typer.Option(help="how hard to look")]
Engine = Annotated[EngineChoice | None, typer.Option(help="default: OBSCURA_ENGINE, else the fastest")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")]


def _classes(text: str) -> tuple[ObjectClass, ...]:
    try:
        names = tuple(dict.fromkeys(ObjectClass(name.strip()) for name in text.split(",") if name.strip()))
    except ValueError as error:
        message = f"--classes: {error}; known are {', '.join(ObjectClass)}"
        raise InvalidOptionError(message) from error
    if not names:
        message = "--classes names no class"
        raise InvalidOptionError(message)
    return names


def _settings(engine: EngineChoice | None) -> Settings:
    # Nobody would start a command line again: it gives a photo up, but never ends itself.
    settings = Settings(decode_kill_s=0)
    return settings if engine is None else settings.model_copy(update={"engine": engine})


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        raise UndecodablePhotoError(message) from error


def _for_each(
    paths: Sequence[Path], work: Callable[[FoundPhoto], dict[str, Any]], *, as_json: bool
) -> NoReturn:
    """Do ``work`` on every photo with a progress bar; exit with 1 where one failed, 2 where there is none."""
    photos = list(find_photos(paths))
    if not photos:
        notes.print("no photos found", style="bold red")
        raise typer.Exit(2)
    failures = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, disable=not notes.is_terminal) as progress:
        for photo in progress.track(photos, description="photos"):
            line: dict[str, Any] = {"path": str(photo.path)}
            try:
                line |= work(photo)
            except PhotoError as error:
                failures += 1
                line["error"] = {"code": error.code, "message": error.message}
            _show(line, as_json=as_json)
    raise typer.Exit(1 if failures else 0)


def _show(line: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    elif "error" in line:
        notes.print(f"{line['path']}: {line['error']['message']}", style="red", markup=False, highlight=False)
    elif "output" in line:
        review = "  (look at it: needs_review)" if line["report"]["verdict"] == "needs_review" else ""
        notes.print(
            f"{line['path']} -> {line['output']}{review}", markup=False, highlight=False, soft_wrap=True
        )
    else:
        found = (
            ", ".join(f"{item['class']} {item['confidence']:.2f}" for item in line["detections"]) or "nothing"
        )
        sys.stdout.write(f"{line['path']}: {found}\n")


@app.command()
def detect(
    paths: Paths,
    classes: Classes = "face,plate",
    min_confidence: MinConfidence = None,
    quality: QualityOption = Quality.BALANCED,
    engine: Engine = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print what is found in photos; boxes are pixels of the upright picture."""
    from obscura.cli.work import Finder

    settings = _settings(engine)
    finder = Finder(settings, _classes(classes), quality, min_confidence)
    _for_each(paths, lambda photo: finder.find(_read(photo.path)).as_line(), as_json=as_json)


@app.command()
def blur(
    paths: Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the redacted pictures")],
    classes: Classes = "face,plate",
    min_confidence: MinConfidence = None,
    quality: QualityOption = Quality.BALANCED,
    style: Annotated[
        RedactionStyle | None, typer.Option(help="default: mosaic for faces, solid for plates")
    ] = None,
    cells: Annotated[
        int | None, typer.Option(min=1, max=64, help="mosaic cells on an object's long side")
    ] = None,
    shape: Annotated[RedactionShape | None, typer.Option(help="outline for faces")] = None,
    grow: Annotated[float | None, typer.Option(min=1.0, max=3.0, help="growth of a box")] = None,
    feather: Annotated[
        float | None, typer.Option(min=0.0, max=0.5, help="soft edge outside, as a share of the long side")
    ] = None,
    metadata: Annotated[MetadataPolicy, typer.Option(help="which metadata stays")] = MetadataPolicy.STRIP,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="format written")
    ] = OutputFormat.SAME,
    engine: Engine = None,
    *,
    manifest: Annotated[
        bool, typer.Option("--manifest", help="write PICTURE.manifest.json beside each picture")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hide what is found in photos; write the pictures under the folder OUTPUT."""
    from obscura.cli.work import Blurrer, Finder, HideOptions

    settings = _settings(engine)
    hide = HideOptions(
        style=style,
        cells=cells,
        shape=shape,
        grow=grow,
        feather=feather,
        metadata=metadata,
        output=output_format,
        manifest=manifest,
    )
    finder = Finder(settings, _classes(classes), quality, min_confidence)
    blurrer = Blurrer(finder, hide, output)
    _for_each(paths, lambda photo: blurrer.blur(photo, _read(photo.path)), as_json=as_json)


@app.command()
def models() -> None:
    """List the weights that come along and check their checksums."""
    from obscura.cli.work import describe_models

    for line in describe_models(Settings()):
        sys.stdout.write(line + "\n")


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8000,
    host: Annotated[
        str, typer.Option(help="address to listen on (default: this machine only)")
    ] = "127.0.0.1",
    data_dir: Annotated[
        Path | None, typer.Option(help="folder for photos in work and the job ledger")
    ] = None,
) -> None:
    """Run the whole system in the foreground: embedded Valkey, workers, gateway."""
    place = ["--host", host, "--port", str(port)]
    folder = [] if data_dir is None else ["--data-dir", str(data_dir)]
    # The library knows no service: the system takes this process over, and gets its signals.
    os.execv(sys.executable, [sys.executable, "-m", "standalone", *place, *folder])  # noqa: S606 - no shell wanted


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(__version__ + "\n")


app.add_typer(keys, name="keys")
app.add_typer(challenges, name="challenges")
app.command()(evaluate)
app.command()(verify)
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; errors are one line and a non-zero exit code."""
    try:
        app()
    except ObscuraError as error:
        notes.print(f"obscura: {error.message}", style="bold red", markup=False, highlight=False)
        sys.exit(2)
