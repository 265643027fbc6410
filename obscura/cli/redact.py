"""``obscura redact``: hide exactly the boxes that a person names in one photo."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from obscura.cli.files import FoundPhoto, Targets
from obscura.cli.options import (
    PIPE,
    AsJson,
    Credentials,
    Engine,
    Format,
    HideOptions,
    Metadata,
    Output,
    ResidualCheckOption,
    ReviewFails,
    Style,
    settings_for,
)
from obscura.cli.pool import Answer, Line
from obscura.cli.progress import Show
from obscura.contract import MetadataPolicy, ObjectClass, OutputFormat, UserBox
from obscura.errors import InvalidOptionError, ObscuraError

Boxes = Annotated[
    list[str],
    typer.Option(
        "--box", metavar="[CLASS:]X1,Y1,X2,Y2", help="what to hide, a face where no class is named; repeat it"
    ),
]


def redact(
    photo: Annotated[Path, typer.Argument(help="the photo")],
    box: Boxes,
    output: Output = None,
    style: Style = None,
    metadata: Metadata = MetadataPolicy.STRIP,
    output_format: Format = OutputFormat.SAME,
    residual_check: ResidualCheckOption = None,
    engine: Engine = None,
    *,
    content_credentials: Credentials = False,
    review_fails: ReviewFails = False,
    as_json: AsJson = False,
) -> None:
    """Hide exactly the given boxes (pixels of the upright photo), and say what is left open."""
    from obscura.cli.in_process import BoxRedactor, read

    if PIPE in {photo, output}:
        message = "redact takes a file and writes a file; a pipe is for obscura blur - -o -"
        raise InvalidOptionError(message)
    boxes = tuple(_box(text) for text in box)
    hide = HideOptions(
        style,
        metadata=metadata,
        output=output_format,
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
    raise typer.Exit(show.exit_code(review_fails=review_fails))


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
