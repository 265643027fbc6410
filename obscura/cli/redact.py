"""``obscura redact``: hide exactly the boxes that a person names in one photo."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from obscura.cli.files import FoundPhoto, Targets
from obscura.cli.options import (
    AsJson,
    Credentials,
    Engine,
    HideOptions,
    ResidualCheckOption,
    settings_for,
)
from obscura.cli.pool import Answer, Line
from obscura.cli.progress import Show
from obscura.contract import MetadataPolicy, ObjectClass, OutputFormat, RedactionStyle, UserBox
from obscura.errors import InvalidOptionError, ObscuraError

REVIEW = 3

Boxes = Annotated[
    list[str],
    typer.Option(
        "--box", metavar="[CLASS:]X1,Y1,X2,Y2", help="what to hide, a face where no class is named; repeat it"
    ),
]


def redact(
    photo: Annotated[Path, typer.Argument(help="the photo")],
    box: Boxes,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="folder for the result; default: NAME_redacted beside the photo"),
    ] = None,
    style: Annotated[RedactionStyle | None, typer.Option(help="default: as `blur`")] = None,
    metadata: Annotated[MetadataPolicy, typer.Option(help="which metadata stays")] = MetadataPolicy.STRIP,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="format written")
    ] = OutputFormat.SAME,
    residual_check: ResidualCheckOption = None,
    engine: Engine = None,
    *,
    content_credentials: Credentials = False,
    review_fails: Annotated[
        bool, typer.Option("--review-fails", help="exit with 3 where a person should look at the picture")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hide exactly the given boxes (pixels of the upright photo), and say what is left open."""
    from obscura.cli.in_process import BoxRedactor, read

    boxes = tuple(_box(text) for text in box)
    hide = HideOptions(
        style,
        None,
        None,
        None,
        None,
        metadata,
        output_format,
        residual_check=residual_check,
        content_credentials=content_credentials,
    )
    found = FoundPhoto(photo, Path(photo.name))
    targets = Targets(output, [found])
    redactor = BoxRedactor(settings_for(engine), hide, targets)
    line: Line = {"path": str(photo)}
    error: ObscuraError | None = None
    try:
        line |= redactor(found, read(photo), boxes)
    except ObscuraError as raised:
        error = raised
    with Show(1, as_json=as_json) as show:
        show.add(Answer(found, line, error))
    raise typer.Exit(1 if show.failures else REVIEW if review_fails and show.reviews else 0)


def _box(text: str) -> UserBox:
    """Return the box that an option names; raise InvalidOptionError where it is none."""
    label, separator, corners = text.rpartition(":")
    try:
        fields = {"class": label or ObjectClass.FACE, "xyxy": corners.split(",")}
        if separator and not label:
            message = f"--box: no class before the colon in {text}"
            raise InvalidOptionError(message)
        return UserBox.model_validate(fields)
    except ValidationError as error:
        message = f"--box takes [CLASS:]X1,Y1,X2,Y2 in pixels: {error.errors()[0]['msg']}"
        raise InvalidOptionError(message) from error
