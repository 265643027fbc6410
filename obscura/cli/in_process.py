"""Detect and redact in this process: the work behind the commands."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obscura.anonymisation import RedactedPhoto, RedactionRequest, Target, redact_photo
from obscura.anonymisation.build_request import request_of
from obscura.anonymisation.detect import detection_options, open_photo
from obscura.anonymisation.pipeline import PhotoPipeline, PipelineResult
from obscura.anonymisation.residual_check import outside
from obscura.cli.files import FoundPhoto, Targets, suffix_of
from obscura.cli.options import HideOptions
from obscura.cli.pool import Progress
from obscura.contract import (
    DetectedObject,
    DetectionResult,
    JobOptions,
    ObjectClass,
    ResidualCheck,
    UserBox,
    by_confidence,
    with_residual_check,
)
from obscura.detection.extra import ObjectDetector
from obscura.detection.loading import check_weights, load_in_background
from obscura.detection.weights import default_models_dir, installed_weights
from obscura.errors import BackendUnavailableError, InvalidOptionError, UndecodablePhotoError
from obscura.geometry import Box
from obscura.provenance import Credentials, Work, canonical, manifest_of, signed, signing_key
from obscura.redaction.styles import colour_of
from obscura.settings import Settings

TELL_EVERY = 10
"""Frames between two words about a video."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What all detectors found in one photo."""

    sighting: PipelineResult

    @property
    def parts(self) -> Sequence[DetectionResult]:
        """What each found."""
        return tuple(self.sighting.parts.values())

    def as_line(self) -> dict[str, Any]:
        """Return width, height and detections (the surest first) for a JSON line."""
        image = self.parts[0].image
        return {
            "width": image.width,
            "height": image.height,
            "detections": [item.model_dump(mode="json", by_alias=True) for item in by_confidence(self.parts)],
        }


class Finder:
    """Detectors, and how they search a photo."""

    def __init__(
        self, settings: Settings, detectors: Mapping[ObjectClass, ObjectDetector], asked: JobOptions
    ) -> None:
        if contradictions := asked.contradictions():
            raise InvalidOptionError("; ".join(contradictions))
        self.settings = settings
        self.asked = asked
        self.options = detection_options(asked)
        self.detectors = tuple(detectors.values())
        self._pipeline = PhotoPipeline(detectors, self.options)

    def find(self, data: bytes) -> Findings:
        """Return what is in a photo; raise PhotoError where it cannot be opened."""
        return Findings(self._pipeline.detect(open_photo(data, self.settings, self.asked.frames)))

    def find_residual(
        self, findings: Findings, redacted: RedactedPhoto, check: ResidualCheck
    ) -> list[DetectedObject]:
        """Return what is found in a finished picture outside of what is hidden."""
        hidden = redacted.report.hidden_boxes
        residual = self._pipeline.find_residual(findings.sighting, redacted.shown, hidden, check)
        return [item for found in residual.values() for item in found]


def _request(settings: Settings, hide: HideOptions) -> RedactionRequest:
    if hide.color is not None:
        colour_of(hide.color)
    options = JobOptions(
        style=hide.style,
        cells=hide.cells,
        color=hide.color,
        shape=hide.shape,
        grow=hide.grow,
        feather=hide.feather,
        metadata=hide.metadata,
        output=hide.output,
        frames=hide.frames,
        keep=hide.keep,
        audio=hide.audio,
        beep=hide.beep,
    )
    if contradictions := options.contradictions():
        raise InvalidOptionError("; ".join(contradictions))
    return request_of(options, settings, hide.mask)


def check(settings: Settings, asked: JobOptions, hide: HideOptions) -> None:
    """Raise what would keep a worker from being built: missing weights, weak options, a key that is none."""
    for name in asked.classes:
        check_weights(settings, name)
    _request(settings, hide)
    if hide.manifest:
        signing_key(settings.manifest_key)
    if hide.content_credentials or settings.content_credentials:
        Credentials(settings).require_usable()


class Blurrer:
    """Finds and hides, and writes the picture or video where the folder of results has its place."""

    def __init__(self, finder: Finder, hide: HideOptions, targets: Targets) -> None:
        self._finder = finder
        self._targets = targets
        self._request = _request(finder.settings, hide)
        self._check = hide.residual_check or ResidualCheck(finder.settings.least_residual_check)
        self._manifest = hide.manifest
        self._credentials = Credentials(finder.settings)
        self._signs = hide.content_credentials or finder.settings.content_credentials
        self._audio, self._beep = hide.audio, hide.beep
        # Before the first photo: a key that is none must not come out after the work.
        self._key = signing_key(finder.settings.manifest_key) if hide.manifest else None

    def __call__(self, photo: FoundPhoto, progress: Progress) -> dict[str, Any]:
        """Write the redacted file and return what was done, for a JSON line."""
        if photo.is_video:
            return self._video(photo, progress)
        return self.blur(photo, read(photo.path))

    def redact(self, data: bytes) -> tuple[RedactedPhoto, dict[str, Any]]:
        """Return the redacted picture of ``data`` and what was done."""
        redacted, _, line = self._redact(data)
        return redacted, line

    def _redact(self, data: bytes) -> tuple[RedactedPhoto, Findings, dict[str, Any]]:
        findings = self._finder.find(data)
        found = [item for part in findings.parts for item in part.detections]
        targets = [Target(item.class_name.value, Box(*item.xyxy), item.frame) for item in found]
        redacted = redact_photo(data, targets, self._request, findings.sighting.photo)
        if self._signs:
            models = [part.model for part in findings.parts]
            redacted = self._credentials.embed(redacted, models, self._request.limits)
        seen = self._finder.find_residual(findings, redacted, self._check)
        residual = outside(seen, self._request.keep)
        report = with_residual_check(redacted.report.as_dict(), residual, self._check)
        return redacted, findings, {**findings.as_line(), "report": report}

    def blur(self, photo: FoundPhoto, data: bytes) -> dict[str, Any]:
        """Write the redacted picture of ``data`` and return what was done, for a JSON line."""
        redacted, findings, done = self._redact(data)
        output = self._targets.of(photo, suffix_of(photo.path, redacted.extension))
        write_whole(output, redacted.data)
        line = {"output": str(output), **done}
        if self._manifest:
            is_checked = self._check is not ResidualCheck.OFF
            verdict = done["report"]["verdict"] if is_checked else None
            work = Work(
                data,
                redacted,
                findings.parts,
                self._finder.asked,
                self._request,
                review_verdict=verdict,
            )
            place = output.with_name(output.name + ".manifest.json")
            write_whole(place, canonical(signed(manifest_of(work), self._key)) + b"\n")
            line["manifest"] = str(place)
        return line

    def _video(self, photo: FoundPhoto, progress: Progress) -> dict[str, Any]:
        try:
            from obscura.video.redact import VideoRequest, redact_video
            from obscura.video.source import VideoLimits, suffix_for
        except ImportError as error:
            message = "videos need the extra `video`: pip install 'obscura-photo[video]'"
            raise BackendUnavailableError(message) from error
        request = VideoRequest(
            policy=self._request.policy,
            detection=self._finder.options,
            metadata=self._request.metadata,
            audio=self._audio,
            beep=self._beep,
            limits=VideoLimits(self._request.limits.max_pixels, self._request.limits.max_side),
            keep=self._request.keep,
            mask=self._request.mask,
        )

        def tell(stage: str, done: int, total: int) -> None:
            if done % TELL_EVERY == 0 or done == total:
                progress(photo, stage, done, total)

        try:
            output = self._targets.of(photo, suffix_for(photo.path))
            output.parent.mkdir(parents=True, exist_ok=True)
            report = redact_video(photo.path, output, self._finder.detectors, request, tell)
        except OSError as error:
            message = f"cannot read or write the video: {error.strerror}"
            raise UndecodablePhotoError(message) from error
        return {"output": str(output), "report": report.as_dict()}


class BoxRedactor:
    """Hides a person's boxes in photos, and looks for what they leave open."""

    def __init__(self, settings: Settings, hide: HideOptions, targets: Targets) -> None:
        self._settings = settings
        self._targets = targets
        self._request = _request(settings, hide)
        self._check = hide.residual_check or ResidualCheck(settings.least_residual_check)
        self._credentials = Credentials(settings)
        self._signs = hide.content_credentials or settings.content_credentials
        # Without a check nothing has to be found, and no weights are needed.
        classes = () if self._check is ResidualCheck.OFF else tuple(ObjectClass)
        detectors = load_in_background(settings, classes)
        self._finder = Finder(settings, detectors, JobOptions(classes=classes))

    def __call__(self, photo: FoundPhoto, data: bytes, boxes: Sequence[UserBox]) -> dict[str, Any]:
        """Write the redacted picture of ``data`` and return what was done, for a JSON line."""
        opened = open_photo(data, self._settings)
        targets = [Target(item.class_name.value, Box(*item.xyxy)) for item in boxes]
        redacted = redact_photo(data, targets, self._request, opened)
        if self._signs:
            redacted = self._credentials.embed(redacted, (), self._request.limits)
        residual = self._finder.find_residual(Findings(PipelineResult(opened)), redacted, self._check)
        output = self._targets.of(photo, suffix_of(photo.path, redacted.extension))
        write_whole(output, redacted.data)
        report = with_residual_check(redacted.report.as_dict(), residual, self._check)
        return {"output": str(output), **redacted.size._asdict(), "detections": [], "report": report}


def read(path: Path) -> bytes:
    """Return the bytes of a photo; raise PhotoError where they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        raise UndecodablePhotoError(message) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".obscura-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp's 0600 would surprise: a result is as readable as any file the person makes.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def describe_models(settings: Settings) -> Iterator[str]:
    """Yield a line per weights file: model, version, classes, format, file, whether its checksum holds."""
    for file in installed_weights(settings.models_dir or default_models_dir()):
        classes = "+".join(file.classes)
        yield f"{file.model} {file.version} {classes} {file.kind} {file.path} {file.problem or 'ok'}"
