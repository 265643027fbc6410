"""The redaction policy and the limits that a server does not let requests weaken.

Needs no image library, so that a gateway can refuse a request before it is queued.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, assert_never

from obscura.contract.classes import extra_class, extra_classes
from obscura.errors import InvalidOptionError, MaskDoesNotFitError, WeakerThanPolicyError
from obscura.geometry import Box, Size
from obscura.redaction.regions import GROW, ONE_COLOUR_BELOW, PLATE_GROW, Region, grown
from obscura.redaction.styles import (
    BLUR_FLOOR,
    Blur,
    Fill,
    Mosaic,
    PixelNoise,
    RegionShape,
    Soft,
    Solid,
    Style,
    outline_for,
)

FACE: Final = "face"
PLATE: Final = "plate"
MASK: Final = "mask"
"""Class of the areas of a privacy mask: one solid colour, exactly where they were drawn."""

MAX_GROW: Final = 3.0
MAX_FEATHER: Final = 0.5
MAX_STRETCH: Final = 0.01
"""How far the aspect ratios of a mask and its upright photo may differ."""


def require_fit(mask: Size, *photos: Size) -> None:
    """Refuse a mask that has the aspect ratio of none of ``photos``.

    Raises
    ------
    MaskDoesNotFitError
        If each differs by more than `MAX_STRETCH`.
    """
    ratios = (mask.width * photo.height / (mask.height * photo.width) for photo in photos)
    if not any(abs(ratio - 1) <= MAX_STRETCH for ratio in ratios):
        message = (
            f"the mask has {mask.width} x {mask.height} pixels, the photo {photos[0].width} x "
            f"{photos[0].height}: their aspect ratios must be the same within {MAX_STRETCH:.0%}"
        )
        raise MaskDoesNotFitError(message)


class Target(Protocol):
    """Anything with a class and a box, such as a detection."""

    @property
    def class_name(self) -> str:
        """What it is, such as ``face``."""

    @property
    def box(self) -> Box:
        """Where it is, in pixels of the upright picture."""


@dataclass(frozen=True, slots=True)
class PolicyFloor:
    """The least protection that requests may ask for.

    Attributes
    ----------
    max_cells
        Most cells of a mosaic.
    min_grow
        Least growth of a box.
    allows_blur
        Whether blur is allowed at all.
    solid_classes
        Classes that only `Fill` and `Solid` may hide, which keep nothing of them: text can be recovered from
        a blur or a mosaic by trying all texts.
    max_keep_share
        Largest share of a picture that exclusion zones may cover, 0..1.
    """

    max_cells: int = 5
    min_grow: float = 1.0
    allows_blur: bool = True
    solid_classes: frozenset[str] = frozenset({PLATE, MASK})
    max_keep_share: float = 0.25

    def is_solid(self, class_name: str) -> bool:
        """Whether a class is never hidden by anything but `Fill` or `Solid`."""
        extra = extra_class(class_name)
        return class_name in self.solid_classes or (extra is not None and extra.is_solid)


def _default_styles() -> Mapping[str, Style]:
    return {FACE: Soft(), PLATE: Fill(), MASK: Solid()}


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """How objects are hidden.

    Attributes
    ----------
    styles
        Style by class; a class that is not in it gets `Fill`.
    shape
        Outline of the painted area; None for the style's own: the roundest that contains the whole detected
        box for `Soft` and `Fill`, the grown box for the others. Classes of ``floor.solid_classes`` are always
        covered to the corners.
    grow
        Factor by which boxes are grown before they are painted; None for 1.3, and 1.1 for plates.
    feather
        Width of the soft edge around the painted area, as a share of its long side. It hides nothing: the
        painted area is the same without it.
    floor
        The least protection that the styles must give.

    Raises
    ------
    WeakerThanPolicyError
        If the floor forbids a style or the growth.
    InvalidOptionError
        If ``grow`` or ``feather`` is out of range.
    """

    styles: Mapping[str, Style] = field(default_factory=_default_styles)
    shape: RegionShape | None = None
    grow: float | None = None
    feather: float = 0.0
    floor: PolicyFloor = field(default_factory=PolicyFloor)

    def __post_init__(self) -> None:
        """Check the growth and every style."""
        if self.grow is not None and not 1.0 <= self.grow <= MAX_GROW:
            message = f"grow must be in 1..{MAX_GROW:g}, not {self.grow:g}"
            raise InvalidOptionError(message)
        if self.grow is not None and self.grow < self.floor.min_grow:
            message = f"this server grows boxes by at least {self.floor.min_grow:g}"
            raise WeakerThanPolicyError(message)
        if not 0.0 <= self.feather <= MAX_FEATHER:
            message = f"feather must be in 0..{MAX_FEATHER:g}, not {self.feather:g}"
            raise InvalidOptionError(message)
        for class_name, style in self.styles.items():
            _require_allowed(class_name, style, self.floor)

    def with_style(self, style: Style) -> "RedactionPolicy":
        """Return this policy with ``style`` for every class that the floor allows it for."""
        names = {*self.styles, FACE, *(item.name for item in extra_classes())} - {MASK}
        if not isinstance(style, Solid):
            names = {name for name in names if not self.floor.is_solid(name)}
        return replace(self, styles={**self.styles, **dict.fromkeys(names, style)})

    def style_of(self, class_name: str) -> Style:
        """Return the style of a class."""
        return self.styles.get(class_name, Fill())

    def grow_of(self, class_name: str) -> float:
        """Return the factor by which boxes of a class are grown."""
        if self.grow is not None:
            return self.grow
        extra = extra_class(class_name)
        grow = extra.grow if extra else PLATE_GROW if class_name == PLATE else GROW
        return max(grow, self.floor.min_grow)

    def shape_of(self, class_name: str) -> RegionShape:
        """Return the outline of what is painted over objects of a class."""
        style, is_whole = self.style_of(class_name), self.floor.is_solid(class_name)
        if self.shape is not None and not is_whole:
            return self.shape
        extra = extra_class(class_name)
        if extra is not None and self.shape is not RegionShape.BOX and self.grow_of(class_name) >= extra.grow:
            return RegionShape(extra.outline)
        if self.shape is not RegionShape.BOX and isinstance(style, Soft | Fill):
            return outline_for(self.grow_of(class_name), is_face=isinstance(style, Soft))
        return RegionShape.BOX


def regions_for(targets: Iterable[Target], policy: RedactionPolicy) -> tuple[Region, ...]:
    """Return the regions to paint for ``targets``, in their order: grown boxes with style and outline.

    Mosaic, pixel noise and blur would show objects under `ONE_COLOUR_BELOW` pixels nearly unchanged: these
    become one colour.
    """
    return tuple(_region(target, policy) for target in targets)


def _region(target: Target, policy: RedactionPolicy) -> Region:
    if target.class_name == MASK:
        # Drawn by a person: it needs no margin for detection errors.
        return Region(target.box, Solid())
    style = policy.style_of(target.class_name)
    if target.box.long_side < ONE_COLOUR_BELOW and isinstance(style, Mosaic | PixelNoise | Blur):
        style = Solid()
    box = grown(target.box, policy.grow_of(target.class_name))
    return Region(box, style, policy.shape_of(target.class_name), feather=policy.feather * box.long_side)


def _require_allowed(class_name: str, style: Style, floor: PolicyFloor) -> None:
    """Refuse a style that is weaker than the floor for its class."""
    match style:
        case Solid() | Fill():
            return
        case _ if floor.is_solid(class_name):
            message = f"this server hides a {class_name} only by fill or solid"
            raise WeakerThanPolicyError(message)
        case Soft():
            return
        case Mosaic(cells) | PixelNoise(cells):
            if cells > floor.max_cells:
                message = f"this server allows at most {floor.max_cells} cells"
                raise WeakerThanPolicyError(message)
        case Blur(sigma_fraction):
            if not floor.allows_blur or sigma_fraction < BLUR_FLOOR:
                message = f"this server allows no blur below {BLUR_FLOOR:g} of the object's size"
                raise WeakerThanPolicyError(message if floor.allows_blur else "this server allows no blur")
        case _:
            assert_never(style)
