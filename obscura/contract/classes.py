"""Classes beyond faces and plates: the registry that options, workers, policy, page and API read.

A class is added here, or by another distribution with an entry point in the group `ENTRY_POINTS` whose object
is an `ExtraClass`. Nothing of a class but its description is imported before a photo asks for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["DISTRIBUTION", "ENTRY_POINTS", "ExtraClass", "extra_class", "extra_classes"]

DISTRIBUTION: Final = "obscura-photo"
ENTRY_POINTS: Final = "obscura.classes"

_RESERVED: Final = frozenset({"face", "plate", "mask", "zone"})
_NAME: Final = re.compile("[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class ExtraClass:
    """A class of objects that is detected only where a request names it.

    Attributes
    ----------
    name
        How requests name it: lower-case letters, digits and underscores.
    title
        What it hides, for people, in the plural.
    detector
        ``module:function`` of a function that returns its detector; see `obscura.detection.extra`.
    packages
        Packages that the detector imports and a plain installation does not have.
    extra
        The extra of this distribution, or the distribution, that installs them.
    grow
        Factor by which a box is grown before it is hidden.
    outline
        Outline of the hidden area in the grown box.
    is_solid
        Whether no style may hide it that shows anything of it: text comes back out of a mosaic by trying all
        texts.
    """

    name: str
    title: str
    detector: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    grow: float = 1.1
    outline: Literal["box", "rounded", "superellipse", "ellipse"] = "rounded"
    is_solid: bool = False

    def __post_init__(self) -> None:
        """Check the name."""
        if _NAME.fullmatch(self.name) is None or self.name in _RESERVED:
            message = f"a class cannot be named {self.name!r}"
            raise ValueError(message)

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed here."""
        return tuple(name for name in self.packages if not _is_installed(name))

    @property
    def installation(self) -> str:
        """The command that installs what the class needs."""
        place = self.extra if "-" in self.extra or not self.extra else f"{DISTRIBUTION}[{self.extra}]"
        return f"pip install '{place}'" if place else f"install {', '.join(self.packages)}"


_BUILT_IN: Final[Mapping[str, ExtraClass]] = MappingProxyType(
    {
        item.name: item
        for item in (
            ExtraClass(
                name="code",
                title="QR codes and barcodes",
                detector="obscura.classes.code:open_detector",
                packages=("zxingcpp",),
                extra="codes",
                is_solid=True,
            ),
            ExtraClass(
                name="person",
                title="Whole persons",
                detector="obscura.classes.coco:open_detector",
                grow=1.15,
                outline="superellipse",
            ),
            ExtraClass(
                name="screen",
                title="Screens",
                detector="obscura.classes.coco:open_detector",
                is_solid=True,
            ),
            ExtraClass(
                name="text",
                title="Text",
                detector="obscura.classes.text:open_detector",
                packages=("rapidocr", "re2", "onnxruntime"),
                extra="text",
                is_solid=True,
            ),
        )
    }
)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def extra_class(name: str) -> ExtraClass | None:
    """Return the class of this name; None for faces, plates and names of no class."""
    if name in _RESERVED:
        return None
    # The entry points of an installation are read only for a name that is not built in.
    return _BUILT_IN.get(name) or _installed().get(name)


def extra_classes() -> tuple[ExtraClass, ...]:
    """Return all classes beyond faces and plates, by name."""
    found = {**_installed(), **_BUILT_IN}
    return tuple(found[name] for name in sorted(found))


@cache
def _installed() -> Mapping[str, ExtraClass]:
    """Return the classes of other distributions.

    Raises
    ------
    TypeError
        If an entry point names something else than an `ExtraClass`.
    """
    found: dict[str, ExtraClass] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        item = entry.load()
        if not isinstance(item, ExtraClass):
            message = f"entry point {entry.name!r} of group {ENTRY_POINTS} names no ExtraClass"
            raise TypeError(message)
        found[item.name] = item
    return MappingProxyType(found)
