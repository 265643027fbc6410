"""The request of a redaction: targets and options."""

from dataclasses import dataclass, field

from obscura.contract import MetadataPolicy, OutputFormat
from obscura.geometry import Box
from obscura.imaging.validation import ValidationLimits
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.settings import Unspliceable


@dataclass(frozen=True, slots=True)
class Target:
    """Something to hide: its class and its box in pixels of the upright picture, before growing.

    ``frame`` is its frame in a file of several frames, counted from 0; None: it is hidden in all frames.
    """

    class_name: str
    box: Box
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class RedactionRequest:
    """Options of a redaction.

    Attributes
    ----------
    keep
        Exclusion zones in pixels of the upright picture: a target wholly inside one is not hidden.
    mask
        Privacy mask, always hidden, also inside ``keep``.
    """

    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    output: OutputFormat = OutputFormat.SAME
    limits: ValidationLimits = field(default_factory=ValidationLimits)
    unspliceable: Unspliceable = Unspliceable.RECODE
    keep: tuple[Box, ...] = ()
    mask: PrivacyMask | None = None
