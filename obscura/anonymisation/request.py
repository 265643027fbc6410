"""What to hide, and how."""

from dataclasses import dataclass, field

from obscura.contract import MetadataPolicy, OutputFormat
from obscura.geometry import Box
from obscura.imaging.validation import ValidationLimits
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.settings import Unspliceable


@dataclass(frozen=True, slots=True)
class Target:
    """Something to hide: its class and its box in pixels of the upright picture, not grown.

    ``frame`` counts where there are several: in which one it is, None for all of them.
    """

    class_name: str
    box: Box
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class RedactionRequest:
    """How to redact; the defaults are the project's promises.

    Attributes
    ----------
    keep
        Zones in pixels of the upright picture: a target that lies wholly inside one is not hidden.
    mask
        What is hidden whatever was found; it wins over ``keep``.
    """

    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    output: OutputFormat = OutputFormat.SAME
    limits: ValidationLimits = field(default_factory=ValidationLimits)
    unspliceable: Unspliceable = Unspliceable.RECODE
    keep: tuple[Box, ...] = ()
    mask: PrivacyMask | None = None
