"""The redaction policy and the limits that a server does not let requests weaken.

Needs no image library, so that a gateway can refuse a request before it is queued.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, assert_never

from obscura.errors import InvalidOptionError, MaskDoesNotFitError, WeakerThanPolicyError
from obscura.geometry import Box, Size
from obscura.redaction.regions import GROW, ONE_COLOUR_BELOW, Region, grown
from obscura.redaction.styles import BLUR_FLOOR, Blur, Mosaic, PixelNoise, RegionShape, Solid, Style

FACE: Final = "face"
PLATE: Final = "plate"
MASK: Final = "mask"
"""Class of what a fixed mask hides: one solid colour, exactly where it was drawn."""

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
    if not any(abs(mask.width * its.height / (mask.height * its.width) - 1) <= MAX_STRETCH for its in photos):
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
    """What no request may go below.

    Attributes
    ----------
    max_cells
        Most cells of a mosaic.
    min_grow
        Least growth of a box.
    allows_blur
        Whether blur may be asked for at all.
    solid_classes
        Classes that are never hidden by anything but `Solid` over the whole box: text comes back out of a
        blur or a mosaic by trying all texts.
    max_keep_share
        Largest share of a picture that zones which spare what lies in them may cover, 0..1.
    """

    max_cells: int = 5
    min_grow: float = 1.0
    allows_blur: bool = True
    solid_classes: frozenset[str] = frozenset({PLATE, MASK})
    max_keep_share: float = 0.25


def _default_styles() -> Mapping[str, Style]:
    return {FACE: Mosaic(), PLATE: Solid()}


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """What is hidden how.

    Attributes
    ----------
    styles
        Style by class; a class that is not in it gets `Solid`, the strongest.
    shape
        Outline of what is painted, for classes that are not hidden by `Solid`; those get the whole box.
    grow
        Factor by which boxes are grown before they are painted.
    feather
        Width of the soft edge outside of what is painted, as a share of its long side. It hides nothing:
        inside, everything is as without it.
    floor
        What the styles may not go below.

    Raises
    ------
    WeakerThanPolicyError
        If the floor forbids a style or the growth.
    InvalidOptionError
        If the growth is no growth at all, or the soft edge wider than half of what it surrounds.
    """

    styles: Mapping[str, Style] = field(default_factory=_default_styles)
    shape: RegionShape = RegionShape.BOX
    grow: float = GROW
    feather: float = 0.0
    floor: PolicyFloor = field(default_factory=PolicyFloor)

    def __post_init__(self) -> None:
        """Check the growth and every style."""
        if not 1.0 <= self.grow <= MAX_GROW:
            message = f"grow must lie in 1..{MAX_GROW:g}, not {self.grow:g}"
            raise InvalidOptionError(message)
        if self.grow < self.floor.min_grow:
            message = f"this server grows boxes by at least {self.floor.min_grow:g}"
            raise WeakerThanPolicyError(message)
        if not 0.0 <= self.feather <= MAX_FEATHER:
            message = f"feather must lie in 0..{MAX_FEATHER:g}, not {self.feather:g}"
            raise InvalidOptionError(message)
        for class_name, style in self.styles.items():
            _require_allowed(class_name, style, self.floor)

    def with_style(self, style: Style) -> "RedactionPolicy":
        """Return this policy with ``style`` for every class but those that must be solid."""
        names = {*self.styles, FACE} - self.floor.solid_classes
        return replace(self, styles={**self.styles, **dict.fromkeys(names, style)})

    def style_of(self, class_name: str) -> Style:
        """Return the style of a class."""
        return self.styles.get(class_name, Solid())


def regions_for(targets: Iterable[Target], policy: RedactionPolicy) -> tuple[Region, ...]:
    """Return what to paint for ``targets``, in their order: grown boxes with style and outline.

    Objects under 16 pixels become one colour: five cells would draw them nearly as they are.
    """
    return tuple(_region(target, policy) for target in targets)


def _region(target: Target, policy: RedactionPolicy) -> Region:
    if target.class_name == MASK:
        # No detector drew it: nothing of it is cut off that growing would bring back.
        return Region(target.box, Solid())
    style = policy.style_of(target.class_name)
    if target.box.long_side < ONE_COLOUR_BELOW:
        style = Solid()
    is_whole_box = isinstance(policy.style_of(target.class_name), Solid)
    shape = RegionShape.BOX if is_whole_box else policy.shape
    box = grown(target.box, policy.grow)
    return Region(box, style, shape, feather=policy.feather * box.long_side)


def _require_allowed(class_name: str, style: Style, floor: PolicyFloor) -> None:
    """Refuse a style that is weaker than the floor for its class."""
    match style:
        case Solid():
            return
        case _ if class_name in floor.solid_classes:
            message = f"this server hides a {class_name} by one solid colour only"
            raise WeakerThanPolicyError(message)
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
