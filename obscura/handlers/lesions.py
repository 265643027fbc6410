"""Handler of lesion detection: marks of a mammogram and, with ``debug``, a picture of them."""

from collections.abc import Mapping
from functools import partial

from obscura.contract import DETECT_LESIONS, Step
from obscura.imaging.configured_limits import medical_limits
from obscura.jobs import Claimed
from obscura.lesions.detector import detect
from obscura.lesions.picture import draw, encoded, media_format
from obscura.lesions.reading import open_mammogram
from obscura.observability import Stage, catalogue, count, stage
from obscura.settings import Settings
from obscura.worker.service import Handler, Service, WorkerContext


def _detect(context: WorkerContext, claimed: Claimed) -> Mapping[str, str]:
    record, options = claimed.record, claimed.record.options.lesions
    data = context.read(record.photo)
    with stage(Stage.DECODE) as attributes:
        mammogram = open_mammogram(data, medical_limits(context.settings), options.pixel_mm)
        attributes["format"] = mammogram.format
    with stage(Stage.DETECT) as attributes:
        part = detect(mammogram, options)
        attributes["found"] = len(part.marks)
    count(catalogue.DETECTIONS, "calcification", by=len(part.marks))
    fields = {"report": part.model_dump_json()}
    if options.debug:
        target = media_format(mammogram.format)
        context.store(claimed.result_key, encoded(draw(mammogram, part), target))
        fields |= {"picture": claimed.result_key, "media_type": target.media_type}
    return fields


def _build(context: WorkerContext) -> Mapping[Step, Handler]:
    return {Step.DETECT_LESIONS: partial(_detect, context)}


def _nothing_to_check(_settings: Settings) -> None:
    """Check nothing: this service has no weights."""


def lesion_service() -> Service:
    """Return the service that detects calcifications in mammograms."""
    return Service(DETECT_LESIONS, _build, _nothing_to_check)
