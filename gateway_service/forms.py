"""Pydantic models of request forms, as OpenAPI shows them, and what they become."""

import json
from typing import Annotated, Any, TypeVar

from fastapi import UploadFile
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from obscura.contract import (
    Audio,
    ExclusionZone,
    Frames,
    JobOptions,
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Priority,
    Quality,
    RedactionShape,
    RedactionStyle,
    ResidualCheck,
    UserBox,
    extra_classes,
)
from obscura.contract.options import MAX_BOXES, MAX_PATTERN, MAX_ZONES
from obscura.errors import InvalidOptionError

MAX_BOXES_TEXT = 256 * 1024
MAX_BEEP_TEXT = 8 * 1024
BOXES_FORMAT = "obscura-boxes"
SPANS_FORMAT = "obscura-spans"
PATTERN_FORMAT = "obscura-pattern"
Item = TypeVar("Item", UserBox, ExclusionZone)


def _blank_is_absent(value: object) -> object:
    """Read an empty form field as one that was not sent."""
    return None if value == "" else value


def _style(value: object) -> object:
    """Accept the spellings ``pixel noise`` and ``pixel-noise`` too."""
    return (
        value.replace(" ", "_").replace("-", "_")
        if isinstance(value, str) and value
        else _blank_is_absent(value)
    )


ZERO_RETENTION_TEXT = "true: the answer is the result itself, and nothing is kept after it"
MASK_TEXT = "a picture with the aspect ratio of the photo: everything that is not black in it is hidden"
VIDEO_MASK_TEXT = "a picture of the frames' aspect ratio: what is not black in it is hidden in every frame"
KEEP_TEXT = "JSON: [[x1, y1, x2, y2], ...]; detections wholly inside one of these are not hidden"
FRAMES_TEXT = "all: every frame of an animation, every page of a TIFF; default one, and an error for several"
WEBHOOK_TEXT = "URL that gets a signed POST when the job has ended; only hosts that this server allows"
PRIORITY_TEXT = "bulk: waits behind all interactive jobs; default interactive"
CHECK_TEXT = (
    "how the finished picture is searched for what is not hidden: quick (default), full or off; "
    "not less than the server's own"
)
CREDENTIALS_TEXT = "true: write signed Content Credentials (C2PA) into the picture; the server needs a key"
Blank = BeforeValidator(_blank_is_absent)


# `Blank` comes last: a bound that follows it would be applied to the None in place of an empty text.
TextMatch = Annotated[
    str | None,
    Field(
        max_length=MAX_PATTERN,
        json_schema_extra={"format": PATTERN_FORMAT},
        description="of the class text: hide only what this pattern matches (RE2 syntax)",
        examples=["[\\w.+-]+@[\\w-]+\\.\\w+"],
    ),
    Blank,
]


class CallerForm(BaseModel):
    """What every task may be asked for."""

    model_config = ConfigDict(extra="forbid")

    priority: Annotated[Priority | None, Blank] = Field(None, description=PRIORITY_TEXT)
    webhook: Annotated[str | None, Blank] = Field(None, max_length=2000, description=WEBHOOK_TEXT)


class LookOptions(BaseModel):
    """How to look for objects."""

    model_config = ConfigDict(extra="forbid")

    min_confidence: Annotated[float | None, Blank] = Field(
        None,
        ge=0.001,
        le=1.0,
        allow_inf_nan=False,
        description="lowest score of a detection; default: the model's",
    )
    quality: Annotated[Quality | None, Blank] = Field(None, description="how hard to look; default balanced")
    text_match: TextMatch = None


class PhotoForm(CallerForm, LookOptions):
    """A photo to look at."""

    file: UploadFile = Field(description="the photo: JPEG, PNG, WebP, TIFF, BMP or GIF")
    zero_retention: Annotated[bool | None, Blank] = Field(None, description=ZERO_RETENTION_TEXT)
    frames: Annotated[Frames | None, Blank] = Field(None, description=FRAMES_TEXT)


class DetectForm(PhotoForm):
    """A photo to find objects in."""

    retain: Annotated[int | None, Blank] = Field(
        None, ge=0, le=86_400, description="seconds that the photo is kept for a later /redact by task id"
    )


Color = Annotated[
    str | None,
    Field(pattern="^#[0-9a-fA-F]{6}$", description="of the style solid: #rrggbb; default: the mean around"),
    Blank,
]


class StyleOptions(BaseModel):
    """How what is hidden looks; every field has a default that the server's policy chose."""

    model_config = ConfigDict(extra="forbid")

    style: Annotated[RedactionStyle | None, BeforeValidator(_style)] = Field(
        None,
        description="default: soft for faces, filled from around for plates; blur is cosmetic, in a video it "
        "becomes a still mosaic",
    )
    cells: Annotated[int | None, Blank] = Field(
        None, ge=1, le=64, description="of mosaic and pixel_noise: cells on the long side of an object"
    )
    color: Color = None
    shape: Annotated[RedactionShape | None, Blank] = Field(
        None, description="outline for faces; default: the style's own"
    )
    grow: Annotated[float | None, Blank] = Field(
        None,
        ge=1.0,
        le=3.0,
        allow_inf_nan=False,
        description="growth of a box before it is hidden; default 1.3, and 1.1 for plates",
    )
    metadata: Annotated[MetadataPolicy | None, Blank] = Field(None, description="default strip")


class HideOptions(StyleOptions):
    """How to hide in a photo."""

    feather: Annotated[float | None, Blank] = Field(
        None,
        ge=0.0,
        le=0.5,
        allow_inf_nan=False,
        description="soft edge outside of what is hidden, as a share of its long side; default 0, none",
    )
    output: Annotated[OutputFormat | None, Blank] = Field(None, description="default same")
    residual_check: Annotated[ResidualCheck | None, Blank] = Field(None, description=CHECK_TEXT)
    content_credentials: Annotated[bool | None, Blank] = Field(None, description=CREDENTIALS_TEXT)


Keep = Annotated[str | None, Blank]


class BlurForm(PhotoForm, HideOptions):
    """A photo to hide objects in."""

    mask: UploadFile | None = Field(None, description=MASK_TEXT)
    keep: Keep = Field(
        None,
        max_length=MAX_BOXES_TEXT,
        json_schema_extra={"format": BOXES_FORMAT},
        description=KEEP_TEXT,
        examples=["[[1800, 40, 1980, 260]]"],
    )


def _classes(value: object) -> object:
    """Read ``face,plate``, also spread over several fields."""
    items = value if isinstance(value, list) else [value]
    names = [name.strip() for item in items if isinstance(item, str) for name in item.split(",")]
    return [name for name in names if name] or None


Classes = Annotated[list[ObjectClass] | None, BeforeValidator(_classes)]
CLASSES_TEXT = (
    "what to look for, separated by commas: face and plate (default); "
    "where the server offers them (see /capabilities) also "
    + ", ".join(item.name for item in extra_classes())
)


class DetectClassesForm(DetectForm):
    """A photo and the classes to find in it."""

    classes: Classes = Field(None, description=CLASSES_TEXT, examples=[["face"]])


class BlurClassesForm(BlurForm):
    """A photo and the classes to hide in it."""

    classes: Classes = Field(None, description=CLASSES_TEXT, examples=[["face"]])


class VideoForm(CallerForm, LookOptions, StyleOptions):
    """A video to hide objects in."""

    file: UploadFile = Field(description="the video: MP4, MOV, Matroska, WebM or AVI")
    classes: Classes = Field(None, description=CLASSES_TEXT, examples=[["face"]])
    audio: Annotated[Audio | None, Blank] = Field(
        None,
        description="keep (default): the sound as it is, byte for byte; drop: none; beep: a tone over parts",
    )
    beep: Annotated[str | None, Blank] = Field(
        None,
        max_length=MAX_BEEP_TEXT,
        json_schema_extra={"format": SPANS_FORMAT},
        description="of audio=beep: when a tone covers the sound, START-END in seconds, separated by commas",
        examples=["1.5-3,10-12"],
    )
    mask: UploadFile | None = Field(None, description=VIDEO_MASK_TEXT)
    keep: Keep = Field(
        None,
        max_length=MAX_BOXES_TEXT,
        json_schema_extra={"format": BOXES_FORMAT},
        description=KEEP_TEXT,
        examples=["[[1800, 40, 1980, 260]]"],
    )


class LesionForm(CallerForm):
    """A mammogram to find calcifications in."""

    file: UploadFile = Field(description="the mammogram: DICOM, 8 or 16-bit PNG or TIFF, JPEG")
    pixel_mm: Annotated[float | None, Blank] = Field(
        None,
        ge=0.01,
        le=1.0,
        allow_inf_nan=False,
        description="side of a pixel, where the file does not tell",
    )
    min_score: Annotated[float | None, Blank] = Field(
        None, ge=0.01, le=1.0, allow_inf_nan=False, description="lowest score of a mark; default 0.5"
    )
    debug: bool = Field(default=False, description="draw a picture with the marks")


class RedactForm(CallerForm, HideOptions):
    """A photo, or the task id of a detection whose photo is retained, and the boxes to hide."""

    file: UploadFile | None = Field(None, description="the photo; exactly one of file and task_id is sent")
    task_id: Annotated[str | None, Blank] = Field(
        None, min_length=1, max_length=64, description="id of a detection"
    )
    zero_retention: Annotated[bool | None, Blank] = Field(None, description=ZERO_RETENTION_TEXT)
    frames: Annotated[Frames | None, Blank] = Field(None, description=FRAMES_TEXT)
    mask: UploadFile | None = Field(None, description=MASK_TEXT)
    boxes: str = Field(
        min_length=2,
        max_length=MAX_BOXES_TEXT,
        json_schema_extra={"format": BOXES_FORMAT},
        examples=['[{"class": "face", "xyxy": [1044, 232, 1465, 795]}]'],
        description='JSON: [{"class": "face", "xyxy": [x1, y1, x2, y2]}, ...] or [[x1, y1, x2, y2], ...]',
    )


def options_of(form: BaseModel, *classes: ObjectClass) -> JobOptions:
    """Return the job options that a form asks for; ``classes`` where the form does not name them."""
    names = JobOptions.model_fields.keys() - {"boxes", "keep", "beep", "mask_bytes"}
    given = {name: value for name, value in form.model_dump(include=set(names)).items() if value is not None}
    chosen = given.pop("classes", None) or list(classes) or list(ObjectClass)
    # Once each, in the order asked for.
    options = JobOptions(classes=tuple(dict.fromkeys(chosen)), **given)
    update: dict[str, Any] = {}
    if zones := getattr(form, "keep", None):
        update["keep"] = exclusion_zones_of(zones)
    if beep := getattr(form, "beep", None):
        update["beep"] = beep
    return options.model_copy(update=update) if update else options


def boxes_of(text: str) -> tuple[UserBox, ...]:
    """Return the boxes in a JSON text.

    Raises
    ------
    InvalidOptionError
        If the text is not JSON, not a list of boxes, or a list of more than `MAX_BOXES`.
    """
    boxes = _items(UserBox, "boxes", text)
    if len(boxes) > MAX_BOXES:
        message = f"boxes: at most {MAX_BOXES} boxes"
        raise InvalidOptionError(message)
    return boxes


def exclusion_zones_of(text: str) -> tuple[ExclusionZone, ...]:
    """Return the zones in a JSON text; raise InvalidOptionError as `boxes_of` does, or for too many."""
    zones = _items(ExclusionZone, "keep", text)
    if len(zones) > MAX_ZONES:
        message = f"keep: at most {MAX_ZONES} zones"
        raise InvalidOptionError(message)
    return zones


def _items(kind: type[Item], field: str, text: str) -> tuple[Item, ...]:
    try:
        items = json.loads(text)
        if not isinstance(items, list):
            message = f"{field} must be a JSON list"
            raise InvalidOptionError(message)
        return tuple(
            kind.model_validate({"xyxy": item} if isinstance(item, list) else item) for item in items
        )
    except ValidationError as error:
        message = f"{field}: {error.errors()[0]['msg']}"
        raise InvalidOptionError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{field} is not valid JSON"
        raise InvalidOptionError(message) from error


class BatchForm(CallerForm, LookOptions, HideOptions):
    """What is asked for with a batch, beside its photos."""

    classes: Classes = Field(None, description=CLASSES_TEXT, examples=[["face"]])
    priority: Annotated[Priority | None, Blank] = Field(None, description="default bulk")
    keep: Keep = Field(
        None,
        max_length=MAX_BOXES_TEXT,
        json_schema_extra={"format": BOXES_FORMAT},
        description=KEEP_TEXT,
        examples=["[[1800, 40, 1980, 260]]"],
    )
    keep_names: bool = Field(
        default=False, description="keep the files' names with the batch, for its status and archive"
    )
