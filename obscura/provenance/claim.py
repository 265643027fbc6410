"""The C2PA claim of a redacted picture, as JSON types.

Source: C2PA Technical Specification 2.2, sections "Actions" and "Regions of interest". The action is
``c2pa.edited``, with every painted box as a region of change. The action ``c2pa.redacted`` does not fit: in
the standard it means that an assertion was removed from an earlier manifest.
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
"""Name of the project's own action parameter; the standard requires a reversed domain name."""

_ORIGINAL: Final = "original"


def claim_of(redacted: "RedactedPhoto", models: Iterable["ModelInfo"]) -> dict[str, Any]:
    """Return the claim of a redacted picture, with the actions opened and edited.

    Parameters
    ----------
    redacted
        The redacted picture with its report.
    models
        The models that detected the hidden objects; empty if the boxes were given.

    Returns
    -------
    dict
        The input of the c2pa library's builder. It contains nothing of the original photo: no checksum,
        thumbnail or name; of hidden objects it contains the class and the painted box.
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
    # A region of interest cannot name a frame.
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
    """Return a painted box (pixels) as a region of interest."""
    shape = {
        "type": "rectangle",
        "unit": "pixel",
        "origin": {"x": x1, "y": y1},
        "width": x2 - x1,
        "height": y2 - y1,
    }
    return {"description": "hidden", "region": [{"type": "spatial", "shape": shape}]}
