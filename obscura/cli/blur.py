"""``obscura blur``: redact files, folders, patterns, videos or a pipe, locally or on a server."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from obscura.cli.files import (
    PHOTO_SUFFIXES,
    VIDEO_SUFFIXES,
    FoundPhoto,
    Targets,
    find_photos,
    without_results,
)
from obscura.cli.journal import Journal, fingerprint
from obscura.cli.options import (
    PIPE,
    AsJson,
    Classes,
    Credentials,
    Engine,
    Format,
    FramesOption,
    HideOptions,
    Keep,
    MaskFile,
    Metadata,
    MinConfidence,
    Output,
    Paths,
    QualityOption,
    Report,
    ResidualCheckOption,
    ReviewFails,
    Style,
    TextMatch,
    look_of,
    mask_of,
    settings_for,
    spans_of,
    zones_of,
)
from obscura.cli.pool import Answer, Stop, in_processes, in_this_process, in_threads, process_count
from obscura.cli.progress import INTERRUPTED, Show, note, residual_of
from obscura.contract import (
    Audio,
    Frames,
    JobOptions,
    MetadataPolicy,
    OutputFormat,
    Quality,
    RedactionShape,
)
from obscura.errors import InvalidOptionError, WeakerThanPolicyError
from obscura.settings import Settings

if TYPE_CHECKING:
    from obscura.cli.in_process import Blurrer

NOTHING = 2


@dataclass(frozen=True)
class Plan:
    """What a run does; goes to other processes, so it is data only."""

    settings: Settings
    look: JobOptions
    hide: HideOptions
    targets: Targets

    def __call__(self) -> "Blurrer":
        """Return a worker of this process, whose networks load while the rest of the program does."""
        from obscura.detection.loading import load_in_background

        detectors = load_in_background(self.settings, self.look.classes)
        from obscura.cli.in_process import Blurrer, Finder

        return Blurrer(Finder(self.settings, detectors, self.look), self.hide, self.targets)

    def check(self) -> None:
        """Raise now what would keep every process from its work."""
        from obscura.cli.in_process import check

        check(self.settings, self.look, self.hide)


@dataclass(frozen=True)
class Server:
    """A system that does the work."""

    url: str
    key: str | None


def blur(
    paths: Paths,
    output: Output = None,
    classes: Classes = "face,plate",
    min_confidence: MinConfidence = None,
    quality: QualityOption = Quality.BALANCED,
    text_match: TextMatch = None,
    style: Style = None,
    cells: Annotated[
        int | None,
        typer.Option(min=1, help="of mosaic and pixel_noise: cells a side; at most OBSCURA_MAX_CELLS"),
    ] = None,
    color: Annotated[str | None, typer.Option(metavar="#RRGGBB", help="of the style solid")] = None,
    shape: Annotated[RedactionShape | None, typer.Option(help="outline for faces")] = None,
    grow: Annotated[float | None, typer.Option(min=1.0, max=3.0, help="growth of a box")] = None,
    frames: FramesOption = Frames.ONE,
    feather: Annotated[
        float | None, typer.Option(min=0.0, max=0.5, help="soft edge outside, as a share of the long side")
    ] = None,
    metadata: Metadata = MetadataPolicy.STRIP,
    audio: Annotated[
        Audio, typer.Option(help="sound of videos: as it is, none, or with a tone at times")
    ] = Audio.KEEP,
    beep: Annotated[
        str | None, typer.Option(metavar="START-END,...", help="seconds that the tone of --audio beep covers")
    ] = None,
    output_format: Format = OutputFormat.SAME,
    mask: MaskFile = None,
    keep: Keep = None,
    residual_check: ResidualCheckOption = None,
    engine: Engine = None,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="files worked on at a time; 0: by the cores of this machine")
    ] = 0,
    server: Annotated[str | None, typer.Option(help="address of a running system that does the work")] = None,
    key: Annotated[str | None, typer.Option(envvar="OBSCURA_KEY", help="its API key")] = None,
    report: Report = None,
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="leave out what an interrupted run has finished")
    ] = False,
    review_fails: ReviewFails = False,
    content_credentials: Credentials = False,
    manifest: Annotated[
        bool, typer.Option("--manifest", help="write PICTURE.manifest.json beside each picture")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hide what is found in photos and videos; write the results under the folder OUTPUT or beside them.

    Exit codes: 0 all done; 1 some failed; 2 nothing to do, or a wrong option; 3 all done, but with
    --review-fails a person should look; 130 interrupted (--resume continues).
    """
    hide = HideOptions(
        style=style,
        cells=cells,
        shape=shape,
        grow=grow,
        feather=feather,
        metadata=metadata,
        output=output_format,
        manifest=manifest,
        frames=frames,
        audio=audio,
        mask=mask_of(mask),
        keep=zones_of(keep),
        residual_check=residual_check,
        content_credentials=content_credentials,
        color=color,
        beep=spans_of(beep),
    )
    settings = settings_for(engine)
    if server is None:
        _check_cells(cells, settings)
    look = look_of(classes, quality, min_confidence, frames, text_match)
    if PIPE in paths or output == PIPE:
        if paths != [PIPE] or output != PIPE or server is not None:
            message = "a pipe takes one photo: obscura blur - -o -"
            raise InvalidOptionError(message)
        _pipe(Plan(settings, look, hide, Targets(Path(), ())))
        return
    photos = _photos(paths, is_beside=output is None)
    targets = Targets(output, photos)
    plan = Plan(settings, look, hide, targets)
    journal = Journal(targets.folder or photos[0].path.parent, fingerprint((look, hide, engine, server)))
    remote = None if server is None else Server(server, key)
    with Show(len(photos), as_json=as_json, report=report) as show:
        left = _left(photos, journal, show, resume=resume)
        interrupted = _run(left, plan, remote, workers, (journal, show))
    show.summary()
    if interrupted:
        note("interrupted; --resume continues", bold=True)
        raise typer.Exit(INTERRUPTED)
    if not show.failures:
        journal.restart()
    raise typer.Exit(show.exit_code(review_fails=review_fails))


def _check_cells(cells: int | None, settings: Settings) -> None:
    if cells is not None and cells > settings.max_cells:
        message = f"--cells: at most {settings.max_cells} (OBSCURA_MAX_CELLS)"
        raise WeakerThanPolicyError(message)


def _photos(paths: list[Path], *, is_beside: bool) -> list[FoundPhoto]:
    """Return what to work on; exit where there is nothing."""
    photos = list(find_photos(paths, PHOTO_SUFFIXES | VIDEO_SUFFIXES))
    if is_beside:
        photos = without_results(photos, paths)
    if not photos:
        note("no photos found", "red", bold=True)
        raise typer.Exit(NOTHING)
    return photos


def _left(photos: list[FoundPhoto], journal: Journal, show: Show, *, resume: bool) -> list[FoundPhoto]:
    """Return what is still to be done."""
    if not resume:
        journal.restart()
        return photos
    done = journal.done()
    left = []
    for photo in photos:
        entry = done.get(str(photo.path))
        if entry is not None and Journal.holds(entry, photo):
            show.skip(entry["line"])
        else:
            left.append(photo)
    return left


def _run(
    photos: list[FoundPhoto], plan: Plan, server: Server | None, workers: int, keep: tuple[Journal, Show]
) -> bool:
    """Work on ``photos``; return whether a person ended it before its time."""
    journal, show = keep
    try:
        with Stop() as stop:
            for answer in _answers(photos, plan, server, workers, (show, stop)):
                line = show.add(answer)
                if answer.error is None:
                    journal.note(answer.photo, line)
    except KeyboardInterrupt:
        return True
    return stop.is_set


def _answers(
    photos: list[FoundPhoto], plan: Plan, server: Server | None, workers: int, watch: tuple[Show, Stop]
) -> Iterator[Answer]:
    show, stop = watch
    if not photos:
        return
    if server is not None:
        from obscura.cli.remote import RemoteBlurrer
        from obscura.client import Obscura

        with Obscura(server.url, key=server.key) as client:
            remote = RemoteBlurrer(client, plan.look, plan.hide, plan.targets)
            yield from in_threads(remote, photos, show.video, workers or 4, stop)
        return
    count = process_count(workers, len(photos))
    if count == 1:

        def tell(photo: FoundPhoto, stage: str, done: int, total: int) -> None:
            show.video(photo, stage, done, total)
            if stop.is_set:
                # A photo takes no time; a video may take hours.
                raise KeyboardInterrupt

        yield from in_this_process(plan(), photos, tell, stop)
        return
    shared = plan.settings.model_copy(update={"threads": plan.settings.threads or 1})
    spread = replace(plan, settings=shared)
    # Errors that prevent a worker from starting are reported here, before processes are started.
    spread.check()
    yield from in_processes(spread, photos, show.video, count, stop)


def _pipe(plan: Plan) -> None:
    from obscura.imaging.configured_limits import validation_limits
    from obscura.imaging.validation import check

    data = sys.stdin.buffer.read()
    # What is no photo need not wait until the networks are loaded.
    check(data, validation_limits(plan.settings, plan.hide.frames))
    redacted, line = plan().redact(data)
    sys.stdout.buffer.write(redacted.data)
    sys.stdout.buffer.flush()
    if line["report"]["verdict"] == "needs_review":
        note(f"look at it: needs_review: {residual_of(line['report'])}")
