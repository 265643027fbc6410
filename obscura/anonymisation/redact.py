"""Redact a photo: from photo and targets to the finished file and its report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from obscura.anonymisation.exclusion_zones import planned
from obscura.anonymisation.outcome import Redaction, Regions
from obscura.anonymisation.report import RedactionReport, report_of
from obscura.anonymisation.request import RedactionRequest, Target
from obscura.anonymisation.verify import open_again, require_hidden
from obscura.contract import OutputFormat
from obscura.errors import NotSpliceableError, ProcessingFailedError
from obscura.geometry import Size
from obscura.imaging.composites import without_unseen_colours
from obscura.imaging.encode import EncodedPhoto, EncodeOptions, encode, shown_by
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.metadata import gpano, policy
from obscura.imaging.open import Photo, as_shown, decode
from obscura.jpeg.splice import splice
from obscura.observability import Stage, stage
from obscura.redaction.paint import paint, paint_alpha
from obscura.redaction.policy import MASK, regions_for
from obscura.redaction.regions import Region
from obscura.settings import Unspliceable


@dataclass(frozen=True, eq=False, slots=True)
class RedactedPhoto:
    """A finished file with its report.

    Attributes
    ----------
    data, media_type, extension
        The file.
    size
        In pixels of the upright picture.
    report
        What was done.
    shown
        The finished file, decoded again for the verification.
    """

    data: bytes
    media_type: str
    extension: str
    size: Size
    report: RedactionReport
    shown: Photo


def redact_photo(
    data: bytes,
    targets: Sequence[Target],
    request: RedactionRequest | None = None,
    before: Photo | None = None,
) -> RedactedPhoto:
    """Hide ``targets`` in a photo.

    Parameters
    ----------
    data
        All bytes of the photo.
    targets
        What to hide, except in the request's exclusion zones; boxes are grown by the policy.
    request
        Redaction options; the defaults of `RedactionRequest` where None.
    before
        ``data`` decoded by `obscura.imaging.open.decode`, where the caller has it already.

    Returns
    -------
    RedactedPhoto
        The file, whose pixels and metadata have been verified, and the report.

    Raises
    ------
    PhotoError
        If the photo cannot be opened; see `obscura.imaging.open.decode`. `NotSpliceableError`, where the
        request refuses JPEGs that cannot be redacted in place.
    InvalidOptionError
        If the output format cannot hold the picture, or the mask has another aspect ratio.
    WeakerThanPolicyError
        If the request's zones cover too much of the picture.
    ProcessingFailedError
        If verification finds an object still visible, or metadata that was to be removed.
    """
    request = request or RedactionRequest()
    before = before or decode(data, request.limits)
    plan = planned(targets, request, before.size)
    placed = [
        [target for target in plan if before.frame_stack is None or target.frame in (None, number)]
        for number in range(before.count)
    ]
    regions = [regions_for(items, request.policy) for items in placed]
    with stage(Stage.REDACT, regions=sum(map(len, regions))):
        redaction = _redact(data, before, regions, request)
    redaction, kept = _verified(redaction, request)
    report = report_of(data, placed, request, redaction, kept)
    if request.keep:
        masked = sum(target.class_name == MASK for target in plan)
        report = replace(report, kept=len(targets) - (len(plan) - masked))
    return RedactedPhoto(
        data=redaction.encoded.data,
        media_type=redaction.encoded.media_type,
        extension=redaction.encoded.extension,
        size=redaction.after.size,
        report=report,
        shown=redaction.shown,
    )


def _verified(redaction: Redaction, request: RedactionRequest) -> tuple[Redaction, tuple[str, ...]]:
    """Return a redaction whose finished file was verified, and the kinds of metadata in it.

    A fill in the blocks of a JPEG and the same fill in its pixels differ where the surroundings are finely
    patterned, such as lines of text between which one is hidden. What cannot be proved there is painted and
    encoded as a whole.
    """
    with stage(Stage.VERIFY):
        try:
            return redaction, require_hidden(redaction, request)
        except ProcessingFailedError:
            if redaction.spliced is None or request.unspliceable is Unspliceable.REFUSE:
                raise
    warning = "the picture was encoded again as a whole: its redacted blocks could not be proved"
    again = replace(_repaint(redaction.before, redaction.regions, request), warnings=(warning,))
    with stage(Stage.VERIFY):
        return again, require_hidden(again, request)


def _redact(data: bytes, before: Photo, regions: Regions, request: RedactionRequest) -> Redaction:
    """Hide regions: by splicing where input and output are JPEG, by painting and encoding otherwise."""
    is_jpeg = before.header.format is PhotoFormat.JPEG
    if not (is_jpeg and request.output in {OutputFormat.SAME, OutputFormat.JPEG}):
        return _repaint(before, regions, request)
    try:
        return _splice(data, before, regions, request)
    except NotSpliceableError as error:
        if request.unspliceable is Unspliceable.REFUSE:
            raise
        warning = f"the picture was encoded again as a whole: {error.message}"
        return replace(_repaint(before, regions, request), warnings=(warning,))


def _splice(data: bytes, before: Photo, regions: Regions, request: RedactionRequest) -> Redaction:
    """Redact a JPEG by splicing: every coefficient outside the regions stays unchanged."""
    exif = policy.kept_exif(before.exif, request.metadata)
    spliced = splice(
        data, regions[0], orientation=before.orientation, icc=before.icc or before.ink_icc, exif=exif
    )
    encoded = EncodedPhoto(gpano.inserted(spliced.data, before.panorama), PhotoFormat.JPEG)
    shown = open_again(encoded, request.limits)
    return Redaction(before, shown, encoded, shown, regions, spliced)


def _repaint(before: Photo, regions: Regions, request: RedactionRequest) -> Redaction:
    """Redact by painting and encoding."""
    after = before.with_frames([_painted(*item) for item in zip(before.frames, regions, strict=True)])
    exif = policy.kept_exif(before.exif, request.metadata)
    encoded = encode(after, EncodeOptions(request.output, exif))
    shown = open_again(encoded, request.limits)
    if after.frame_stack is not None:
        shown = as_shown(shown, shown_by(after, encoded.format))
    return Redaction(before, after, encoded, shown, regions)


def _painted(before: Photo, regions: Sequence[Region]) -> Photo:
    """Paint over regions, in 16 bits where the photo has them; fully transparent pixels become black."""
    if before.high_bit_depth is None:
        alpha = None if before.alpha is None else paint_alpha(before.alpha, regions)
        painted = replace(before, pixels=paint(before.pixels, regions), alpha=alpha)
        return without_unseen_colours(painted)
    opacity = before.high_bit_depth.alpha
    full = HighBitDepth(
        paint(before.high_bit_depth.samples, regions),
        None if opacity is None else paint_alpha(opacity, regions),
    )
    painted = replace(before, high_bit_depth=full, pixels=full.rgb(), alpha=full.opacity())
    return without_unseen_colours(painted)
