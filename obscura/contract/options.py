"""Job options and their technical bounds; policy limits are settings."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self, assert_never

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from obscura.contract.classes import extra_class, extra_classes
from obscura.contract.messages import STEP_TASKS, Priority, Stages, Step, TaskSpec
from obscura.contract.spans import Spans
from obscura.errors import InvalidOptionError

MAX_BOXES: Final = 2000
MAX_ZONES: Final = 200
MAX_PATTERN: Final = 200
"""Characters of ``text_match``."""


class ObjectClass(StrEnum):
    """Classes of objects that are detected and redacted.

    The members are the classes of a request that names none. The names in the registry of
    `obscura.contract.classes` are values as well, ``ObjectClass("code")``, but no members: iterating over
    the type leaves them out.
    """

    FACE = "face"
    PLATE = "plate"

    @classmethod
    def _missing_(cls, value: object) -> "ObjectClass | None":
        """Return the value for a registered name, always the same object."""
        if not isinstance(value, str) or extra_class(value) is None:
            return None
        if value not in _EXTRA_VALUES:
            member = str.__new__(cls, value)
            member._name_, member._value_ = value.upper(), value
            _EXTRA_VALUES[value] = member
        return _EXTRA_VALUES[value]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Name the registered classes in OpenAPI, too."""
        found = handler(schema)
        handler.resolve_ref_schema(found)["enum"] = [item.value for item in cls.known()]
        return found

    @classmethod
    def known(cls) -> "tuple[ObjectClass, ...]":
        """Return faces, plates and all registered classes."""
        return (*cls, *(cls(item.name) for item in extra_classes()))

    @property
    def is_extra(self) -> bool:
        """Whether it is detected only where a request names it."""
        return self not in {ObjectClass.FACE, ObjectClass.PLATE}

    @property
    def task(self) -> TaskSpec:
        """The task that detects this class in the split pipeline; see `step`."""
        return STEP_TASKS[self.step]

    @property
    def step(self) -> Step:
        """The step that detects this class in a photo.

        An extra class has no queue of its own: a photo worker does all steps of a photo that asks for it.
        """
        match self:
            case ObjectClass.FACE:
                return Step.DETECT_FACES
            case ObjectClass.PLATE:
                return Step.DETECT_PLATES
            case _:
                return Step.PROCESS_PHOTO

    @property
    def residual_check_step(self) -> Step:
        """The step that detects this class in the redacted picture; see `step`."""
        match self:
            case ObjectClass.FACE:
                return Step.RESIDUAL_CHECK_FACES
            case ObjectClass.PLATE:
                return Step.RESIDUAL_CHECK_PLATES
            case _:
                return Step.PROCESS_PHOTO

    @property
    def result_name(self) -> str:
        """The name under which a job record holds what was detected."""
        return f"detect_{self.value}" if self.is_extra else self.step.value

    @property
    def residual_name(self) -> str:
        """The name under which a job record holds the residual detections."""
        return f"review_{self.value}" if self.is_extra else self.residual_check_step.value


_EXTRA_VALUES: Final[dict[str, ObjectClass]] = {}


class JobKind(StrEnum):
    """What a job does with its photo."""

    DETECT = "detect"
    BLUR = "blur"
    REDACT = "redact"
    VERIFY = "verify"
    LESIONS = "lesions"
    BLUR_VIDEO = "blur_video"


class RedactionStyle(StrEnum):
    """How an object is hidden; ``soft`` is the default; ``blur`` is cosmetic: it can be partly reversed."""

    SOFT = "soft"
    MOSAIC = "mosaic"
    SOLID = "solid"
    BLUR = "blur"
    PIXEL_NOISE = "pixel_noise"


class RedactionShape(StrEnum):
    """Outline of the hidden area."""

    BOX = "box"
    ELLIPSE = "ellipse"


class MetadataPolicy(StrEnum):
    """Which metadata the redacted picture keeps."""

    STRIP = "strip"
    KEEP_SAFE = "keep_safe"
    COARSE_GPS = "coarse_gps"


class OutputFormat(StrEnum):
    """Format of the redacted picture; ``same`` keeps the input's where it can be written."""

    SAME = "same"
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Audio(StrEnum):
    """What becomes of the sound of a video; voices identify people, too.

    ``beep`` covers the times in `JobOptions.beep` with a tone.
    """

    KEEP = "keep"
    DROP = "drop"
    BEEP = "beep"


class Frames(StrEnum):
    """Files with several frames or pages are refused (``one``) or redacted in every frame (``all``)."""

    ONE = "one"
    ALL = "all"


class ResidualCheck(StrEnum):
    """Detection over the redacted picture, which finds objects that are not hidden.

    ``quick``: one run of the proposal network, plus detections below the request's threshold. ``full``: the
    full detectors of the classes. ``off``: none; the verdict then covers the hidden areas only.
    """

    QUICK = "quick"
    FULL = "full"
    OFF = "off"

    @property
    def strength(self) -> int:
        """Rank: 0 for off, 1 for quick, 2 for full."""
        return (ResidualCheck.OFF, ResidualCheck.QUICK, ResidualCheck.FULL).index(self)


class Quality(StrEnum):
    """Detection effort: from one small network (``rapid``) to all inference scales (``thorough``)."""

    RAPID = "rapid"
    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"


def _to_a_hundredth(pixels: float) -> float:
    return round(pixels, 2)


# Two decimals are enough for a box, and they bound the size of a record.
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False), AfterValidator(_to_a_hundredth)]


def _require_area(xyxy: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = xyxy
    if x2 <= x1 or y2 <= y1:
        message = "a box needs x1 < x2 and y1 < y2"
        raise ValueError(message)


class UserBox(BaseModel):
    """A box that the request asks to hide: ``x1, y1, x2, y2`` in pixels of the upright picture."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    class_name: ObjectClass = Field(ObjectClass.FACE, alias="class")
    xyxy: tuple[Coordinate, Coordinate, Coordinate, Coordinate]
    frame: int | None = Field(
        None,
        ge=0,
        exclude_if=lambda frame: frame is None,
        description="number of a frame, from 0; default: every frame",
    )

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        _require_area(self.xyxy)
        return self


class ExclusionZone(BaseModel):
    """An area in which nothing is hidden: ``x1, y1, x2, y2`` in pixels of the upright picture."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    xyxy: tuple[Coordinate, Coordinate, Coordinate, Coordinate]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        _require_area(self.xyxy)
        return self


class LesionOptions(BaseModel):
    """Options of lesion detection; ``pixel_mm`` is the pixel pitch, None: read from the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_mm: float | None = Field(None, ge=0.01, le=1.0, allow_inf_nan=False)
    min_score: float = Field(0.5, ge=0.01, le=1.0, allow_inf_nan=False)
    debug: bool = Field(False, description="draw a picture with the marks")


_CELLED = frozenset({RedactionStyle.MOSAIC, RedactionStyle.PIXEL_NOISE})


def _is_none(value: object) -> bool:
    return value is None


class JobOptions(BaseModel):
    """Validated options of one job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[ObjectClass, ...] = (ObjectClass.FACE, ObjectClass.PLATE)
    quality: Quality = Quality.BALANCED
    min_confidence: float | None = Field(None, ge=0.001, le=1.0, allow_inf_nan=False)
    text_match: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_PATTERN,
        exclude_if=_is_none,
        description="of the class text: hide only what this pattern matches (RE2 syntax)",
    )
    style: RedactionStyle | None = None
    cells: int | None = Field(None, ge=1, le=64)
    color: str | None = Field(
        None, pattern=r"^#[0-9a-fA-F]{6}$", description="of the style solid: #rrggbb", exclude_if=_is_none
    )
    shape: RedactionShape | None = None
    grow: float | None = Field(None, ge=1.0, le=3.0, allow_inf_nan=False)
    frames: Frames = Field(
        Frames.ONE, description="all: every frame of an animation or page of a TIFF; one: refuse several"
    )
    feather: float | None = Field(
        None,
        ge=0.0,
        le=0.5,
        allow_inf_nan=False,
        description="width of the soft edge, as a share of the region",
    )
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    output: OutputFormat = OutputFormat.SAME
    retain: int = Field(0, ge=0, le=86_400, description="seconds that the original of a detection is kept")
    zero_retention: bool = Field(False, description="erase photo and result as soon as the answer is given")
    residual_check: ResidualCheck = Field(
        ResidualCheck.QUICK,
        exclude_if=lambda check: check is ResidualCheck.QUICK,
        description="detection over the redacted picture: quick, full or off",
    )
    content_credentials: bool = Field(
        default=False,
        exclude_if=lambda wanted: not wanted,
        description="write signed Content Credentials (C2PA) into the redacted picture",
    )
    boxes: tuple[UserBox, ...] = Field((), max_length=MAX_BOXES)
    keep: tuple[ExclusionZone, ...] = Field(
        (),
        max_length=MAX_ZONES,
        exclude_if=lambda zones: not zones,
        description="exclusion zones: detections wholly inside one of them are not hidden",
    )
    mask_bytes: int = Field(
        0,
        ge=0,
        exclude_if=lambda length: not length,
        description="length of the privacy mask, which is appended to the stored photo",
    )
    lesions: LesionOptions = LesionOptions()
    webhook: str | None = Field(None, description="URL that gets an event when the job has ended")
    audio: Audio = Field(Audio.KEEP, description="sound of a video: keep, drop, or beep at times")
    beep: Spans = Field(
        (),
        exclude_if=lambda spans: not spans,
        description="of audio=beep: when a tone covers the sound, in seconds",
    )
    priority: Priority = Field(Priority.INTERACTIVE, description="bulk jobs wait behind interactive ones")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values; unlike pydantic's method, it validates them.

        Raises
        ------
        InvalidOptionError
            If a value is out of its range.
        """
        copied = super().model_copy(deep=deep)
        # Unset fields stay unset: the policy fills them later.
        given = {name: getattr(copied, name) for name in copied.model_fields_set}
        try:
            return self.model_validate({**given, **(update or {})})
        except ValidationError as error:
            first = error.errors()[0]
            message = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            raise InvalidOptionError(message) from error

    @model_validator(mode="before")
    @classmethod
    def _read_review(cls, values: Any) -> Any:  # noqa: ANN401 - whatever is to be validated
        """Accept ``review``, the predecessor of ``residual_check``, in jobs of an older release."""
        if not isinstance(values, dict) or "review" not in values:
            return values
        rest = {name: value for name, value in values.items() if name != "review"}
        return rest if values["review"] else {**rest, "residual_check": ResidualCheck.OFF}

    def contradictions(self) -> tuple[str, ...]:
        """Return a message for every option that the chosen style or classes do not support."""
        found = list[str]()
        if self.color is not None and self.style is not RedactionStyle.SOLID:
            found.append("color is for the style solid")
        if self.cells is not None and self.style not in {None, *_CELLED}:
            found.append("cells is for the styles mosaic and pixel_noise")
        if self.text_match is not None and "text" not in self.classes:
            found.append("text_match is for the class text")
        if bool(self.beep) is not (self.audio is Audio.BEEP):
            found.append("beep and audio=beep go together: beep=1.5-3 covers the sound from 1.5 to 3 seconds")
        return tuple(found)

    def split_upload(self, stored: bytes) -> tuple[bytes, bytes]:
        """Return the photo and the privacy mask in a stored upload; the mask is empty if there is none."""
        length = len(stored) - self.mask_bytes
        return stored[:length], stored[length:]

    def stages(self, kind: JobKind) -> Stages:
        """Return the steps of a job of ``kind`` in the split pipeline; see `Stages`."""
        if kind in {JobKind.DETECT, JobKind.BLUR} and any(item.is_extra for item in self.classes):
            return ((Step.PROCESS_PHOTO,),)
        detect = tuple(item.step for item in self.classes)
        is_checked = self.residual_check is not ResidualCheck.OFF
        review = tuple(item.residual_check_step for item in self.classes) if is_checked else ()
        match kind:
            case JobKind.DETECT:
                stages: Stages = (detect,)
            case JobKind.BLUR:
                stages = (detect, (Step.REDACT,), review)
            case JobKind.REDACT:
                # The boxes are given, so nothing is detected before; the residual check runs after.
                stages = ((Step.REDACT,), review)
            case JobKind.VERIFY:
                stages = ((Step.VERIFY,),)
            case JobKind.LESIONS:
                stages = ((Step.DETECT_LESIONS,),)
            case JobKind.BLUR_VIDEO:
                stages = ((Step.VIDEO,),)
            case _:
                assert_never(kind)
        return tuple(stage for stage in stages if stage)
