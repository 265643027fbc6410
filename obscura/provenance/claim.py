"""What Content Credentials say of a finished picture, as JSON types.

Source: C2PA Technical Specification 2.2, sections "Actions" and "Regions of interest". The action is
``c2pa.edited``, with every painted box as a region of change. It is not ``c2pa.redacted``: in the standard
that means an assertion taken out of an earlier manifest, and readers call a claim invalid that names none.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from obscura import __version__

if TYPE_CHECKING:
    from obscura.anonymisation import RedactedPhoto
    from obscura.contract import ModelInfo

__all__ = ["PARAMETER", "claim_of"]

PARAMETER: Final = "org.obscura.redaction"
"""Name of our own parameter of the action, in the form that the standard asks of foreign ones."""

_ORIGINAL: Final = "original"


def claim_of(redacted: "RedactedPhoto", models: Iterable["ModelInfo"]) -> dict[str, Any]:
    """Return the claim of a finished picture: opened, then edited.

    Parameters
    ----------
    redacted
        The finished picture with its report.
    models
        The weights that found what was hidden; none where a person chose the boxes.

    Returns
    -------
    dict
        What the library's builder takes. Nothing in it tells of the photo before: no checksum, no thumbnail,
        no name, and of what was hidden the class and the painted box only.
    """
    report = redacted.report
    facts = {
        "hidden": dict(report.hidden),
        "styles": dict(report.styles),
        "models": [f"{model.name} {model.version}" for model in models],
    }
    edited: dict[str, Any] = {
        "action": "c2pa.edited",
        "softwareAgent": {"name": "Obscura", "version": __version__},
        "parameters": {"description": _described(report.hidden), PARAMETER: facts},
    }
    # Regions have no place for the number of a frame.
    if report.regions and report.frames is None:
        edited["changes"] = [_region(*box) for box in report.regions]
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_ORIGINAL]}}
    return {
        "claim_generator_info": [{"name": "Obscura", "version": __version__}],
        "format": redacted.media_type,
        "ingredients": [
            {
                "label": _ORIGINAL,
                "title": "the photo before redaction",
                "format": redacted.media_type,
                "instance_id": f"xmp:iid:{uuid.uuid4()}",
                "relationship": "parentOf",
            }
        ],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}}],
    }


def _described(hidden: Mapping[str, int]) -> str:
    counts = ", ".join(f"{name}: {count}" for name, count in hidden.items())
    return f"hidden for privacy: {counts}" if counts else "nothing was hidden; metadata removed"


def _region(x1: int, y1: int, x2: int, y2: int) -> dict[str, Any]:
    """Return a painted box as a region of change."""
    shape = {
        "type": "rectangle",
        "unit": "pixel",
        "origin": {"x": x1, "y": y1},
        "width": x2 - x1,
        "height": y2 - y1,
    }
    return {"description": "hidden", "region": [{"type": "spatial", "shape": shape}]}
