"""What detection is asked for and what it answers with."""

from dataclasses import dataclass, field

from obscura.contract import Quality
from obscura.detection.inputs import Inputs
from obscura.detection.output_cache import OutputCache
from obscura.detection.priors import Priors
from obscura.detection.weights import ModelCard
from obscura.geometry import Box

__all__ = ["CachedDetections", "Detection", "DetectionOptions", "threshold_of"]

THOROUGH_SHARE = 0.5
"""`Quality.THOROUGH` reports boxes from this share of the model's own threshold on."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: its class, its box in pixels of the photo, and its confidence, 0..1."""

    class_name: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """Options of a detection.

    Attributes
    ----------
    quality
        Trade-off between recall and time.
    min_confidence
        Score, 0..1, from which a box is reported; ``None``: the model card's (half of it when thorough).
    panorama
        Whether the photo covers 360 degrees, so that its left edge continues its right one; ``None``: decided
        by its aspect ratio.
    priors
        Limits on the size and shape of boxes; ``None``: those of the class.
    text_match
        Pattern of the text that the class ``text`` reports; ``None``: all text.
    is_finished
        Whether objects were hidden in the picture. What showed that it is upright may be gone, so turned
        objects have to be as sure as in an upright one.
    inputs
        The network inputs of this picture, shared by the detectors that run over it one after the other.
    """

    quality: Quality = Quality.BALANCED
    min_confidence: float | None = None
    panorama: bool | None = None
    priors: Priors | None = None
    text_match: str | None = None
    is_finished: bool = False
    inputs: Inputs | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False, slots=True)
class CachedDetections:
    """The detections in one photo, best first, and the raw output of every inference slice."""

    detections: tuple[Detection, ...]
    cache: OutputCache


def threshold_of(card: ModelCard, options: DetectionOptions) -> float:
    """Return the score, 0..1, from which a box is reported; see `DetectionOptions`."""
    if options.min_confidence is not None:
        return options.min_confidence
    return card.min_confidence * (THOROUGH_SHARE if options.quality is Quality.THOROUGH else 1.0)
