"""Build a redaction request from job options."""

from typing import assert_never

from obscura.anonymisation import RedactionRequest
from obscura.contract import JobOptions, RedactionStyle
from obscura.geometry import Box
from obscura.imaging.configured_limits import validation_limits
from obscura.redaction.policy import PolicyFloor, RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.redaction.styles import Blur, Mosaic, PixelNoise, RegionShape, Soft, Solid, Style, colour_of
from obscura.settings import Settings

__all__ = ["request_of"]


def _style(options: JobOptions, max_cells: int) -> Style | None:
    """Return the style that the options name; None: the policy's default."""
    cells = options.cells or min(Mosaic().cells, max_cells)
    match options.style:
        case None:
            return None if options.cells is None else Mosaic(cells)
        case RedactionStyle.SOFT:
            return Soft()
        case RedactionStyle.MOSAIC:
            return Mosaic(cells)
        case RedactionStyle.PIXEL_NOISE:
            return PixelNoise(cells)
        case RedactionStyle.SOLID:
            return Solid(None if options.color is None else colour_of(options.color))
        case RedactionStyle.BLUR:
            return Blur()
        case _:
            assert_never(options.style)


def request_of(options: JobOptions, settings: Settings, mask: bytes = b"") -> RedactionRequest:
    """Return the redaction request for a job's options; ``mask`` is an image file, empty for none.

    Raises
    ------
    WeakerThanPolicyError
        If the options are weaker than the policy floor in the settings.
    PhotoError
        If the mask cannot be opened.
    """
    policy = RedactionPolicy(
        shape=None if options.shape is None else RegionShape(options.shape.value),
        grow=options.grow,
        feather=options.feather or 0.0,
        floor=PolicyFloor(
            max_cells=settings.max_cells, min_grow=settings.min_grow, max_keep_share=settings.max_keep_share
        ),
    )
    style = _style(options, settings.max_cells)
    return RedactionRequest(
        policy=policy if style is None else policy.with_style(style),
        metadata=options.metadata,
        output=options.output,
        limits=validation_limits(settings, options.frames),
        unspliceable=settings.unspliceable,
        keep=tuple(Box(*zone.xyxy) for zone in options.keep),
        mask=PrivacyMask.read(mask, validation_limits(settings)) if mask else None,
    )
