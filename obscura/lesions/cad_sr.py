"""DICOM Mammography CAD SR reports (TID 4000). The only module that imports highdicom.

Every mark and every cluster becomes a Single Image Finding with its centre and outline.
"""

import importlib
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from obscura import __version__
from obscura.contract.lesions import RESEARCH_ONLY, LesionCluster, LesionMark, LesionResult
from obscura.errors import BackendUnavailableError, UnsupportedFormatError
from obscura.imaging.medical_validation import is_dicom
from obscura.imaging.validation import ValidationLimits
from obscura.lesions.dicom import dataset_of, without_pydicom_errors

__all__ = ["cad_report", "require"]

MAMMOGRAPHY_CAD_SR: Final = "1.2.840.10008.5.1.4.1.1.88.50"
TEMPLATE: Final = "4000"
_PATIENT: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Attributes that a report copies from its picture."""
_READ_ALREADY: Final = ValidationLimits(max_pixels=2**28)
"""Limits for a mammogram that was already read under the configured ones."""
_IDENTIFYING: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def require() -> None:
    """Raise BackendUnavailableError unless highdicom is installed."""
    _highdicom()


def cad_report(data: bytes, part: LesionResult, *, deidentify: bool = False) -> bytes:
    """Return the DICOM file of a report.

    Parameters
    ----------
    data
        The DICOM mammogram.
    part
        Its detection result.
    deidentify
        Whether patient and study attributes are blank and ids new.

    Raises
    ------
    BackendUnavailableError
        If highdicom is not installed.
    UnsupportedFormatError
        If the picture is not DICOM, or lacks ids that a report must refer to.
    """
    package = _highdicom()
    if not is_dicom(data):
        message = "a CAD report needs a DICOM mammogram"
        raise UnsupportedFormatError(message)
    picture = dataset_of(data, _READ_ALREADY)
    if not all(name in picture for name in ("SOPClassUID", *_IDENTIFYING)):
        message = "a CAD report needs a DICOM mammogram with study, series and instance ids"
        raise UnsupportedFormatError(message)
    return without_pydicom_errors(
        lambda: _written(package, _evidence(package, picture, deidentify=deidentify), part)
    )


def _highdicom() -> Any:  # noqa: ANN401 - an optional package without types here
    try:
        importlib.import_module("highdicom.sr")
        return importlib.import_module("highdicom")
    except ImportError as error:
        message = "CAD reports need the package highdicom: pip install 'obscura-photo[dicom]'"
        raise BackendUnavailableError(message) from error


def _evidence(package: Any, picture: Any, *, deidentify: bool) -> Any:  # noqa: ANN401 - see _highdicom
    """Return the picture's data set without pixels, with all attributes that a report copies."""
    for name in _PATIENT:
        if deidentify or name not in picture:
            setattr(picture, name, "")
    if deidentify:
        for name in _IDENTIFYING:
            setattr(picture, name, package.UID())
    del picture.PixelData
    return picture


def _written(package: Any, picture: Any, part: LesionResult) -> bytes:  # noqa: ANN401 - see _highdicom
    report = package.sr.ComprehensiveSR(
        evidence=[picture],
        content=_Tree(package, picture).root(part),
        series_instance_uid=package.UID(),
        series_number=1,
        sop_instance_uid=package.UID(),
        instance_number=1,
        manufacturer="Obscura contributors",
        is_complete=True,
    )
    # The content is that of a Comprehensive SR; mammography workstations expect this SOP class.
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = MAMMOGRAPHY_CAD_SR
    report.SeriesDescription = f"Obscura: {RESEARCH_ONLY}"
    sink = io.BytesIO()
    report.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


class _Tree:
    """The content items of one report."""

    def __init__(self, package: Any, picture: Any) -> None:  # noqa: ANN401 - see _highdicom
        self._sr = package.sr
        self._picture = picture
        self._has = self._sr.RelationshipTypeValues.HAS_CONCEPT_MOD
        self._contains = self._sr.RelationshipTypeValues.CONTAINS
        self._properties = self._sr.RelationshipTypeValues.HAS_PROPERTIES
        self._inferred = self._sr.RelationshipTypeValues.INFERRED_FROM

    def root(self, part: LesionResult) -> Any:  # noqa: ANN401 - see _highdicom
        """Return the document."""
        root = self._sr.ContainerContentItem(
            name=self._dcm("111036", "Mammography CAD Report"),
            is_content_continuous=False,
            template_id=TEMPLATE,
        )
        root.ContentSequence = self._sequence(
            self._language(), self._library(), self._summary(part), self._successful()
        )
        return root

    def _code(self, value: str, scheme: str, meaning: str) -> Any:  # noqa: ANN401 - see _highdicom
        return self._sr.CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)

    def _dcm(self, value: str, meaning: str) -> Any:  # noqa: ANN401 - see _highdicom
        return self._code(value, "DCM", meaning)

    def _sequence(self, *items: Any) -> Any:  # noqa: ANN401 - see _highdicom
        return self._sr.ContentSequence(list(items))

    def _language(self) -> Any:  # noqa: ANN401 - see _highdicom
        return self._sr.CodeContentItem(
            self._dcm("121049", "Language of Content Item and Descendants"),
            self._code("en", "RFC5646", "English"),
            self._has,
        )

    def _image(self, relationship: Any) -> Any:  # noqa: ANN401 - see _highdicom
        return self._sr.ImageContentItem(
            name=self._dcm("111030", "Image Region"),
            referenced_sop_class_uid=self._picture.SOPClassUID,
            referenced_sop_instance_uid=self._picture.SOPInstanceUID,
            relationship_type=relationship,
        )

    def _library(self) -> Any:  # noqa: ANN401 - see _highdicom
        library = self._sr.ContainerContentItem(
            self._dcm("111028", "Image Library"), relationship_type=self._contains
        )
        library.ContentSequence = self._sequence(self._image(self._contains))
        return library

    def _summary(self, part: LesionResult) -> Any:  # noqa: ANN401 - see _highdicom
        value = (
            self._dcm("111242", "All algorithms succeeded; with findings")
            if part.marks
            else self._dcm("111241", "All algorithms succeeded; without findings")
        )
        summary = self._sr.CodeContentItem(
            self._dcm("111017", "CAD Processing and Findings Summary"), value, self._contains
        )
        if not part.marks:
            return summary
        impression = self._sr.ContainerContentItem(
            self._dcm("111034", "Individual Impression/Recommendation"), relationship_type=self._inferred
        )
        calcification = self._code("129770007", "SCT", "Individual Calcification")
        cluster = self._code("129769006", "SCT", "Calcification Cluster")
        findings = [self._finding(cluster, item) for item in part.clusters]
        findings += [self._finding(calcification, item) for item in part.marks]
        impression.ContentSequence = self._sequence(self._intent(), *findings)
        summary.ContentSequence = self._sequence(impression)
        return summary

    def _intent(self) -> Any:  # noqa: ANN401 - see _highdicom
        return self._sr.CodeContentItem(
            self._dcm("111056", "Rendering Intent"),
            self._dcm("111151", "Presentation Optional: Rendering device may present"),
            self._has,
        )

    def _algorithm(self) -> list[Any]:
        return [
            self._sr.TextContentItem(
                self._dcm("111001", "Algorithm Name"),
                f"Obscura calcifications, {RESEARCH_ONLY}",
                self._properties,
            ),
            self._sr.TextContentItem(self._dcm("111003", "Algorithm Version"), __version__, self._properties),
        ]

    def _finding(self, kind: Any, item: LesionMark | LesionCluster) -> Any:  # noqa: ANN401 - see _highdicom
        finding = self._sr.CodeContentItem(self._dcm("111059", "Single Image Finding"), kind, self._contains)
        certainty = self._sr.NumContentItem(
            self._dcm("111012", "Certainty of Finding"),
            round(item.score * 100, 1),
            self._code("%", "UCUM", "Percent"),
            relationship_type=self._properties,
        )
        finding.ContentSequence = self._sequence(
            self._intent(), *self._algorithm(), certainty, self._centre(item), self._outline(item)
        )
        return finding

    def _centre(self, item: LesionMark | LesionCluster) -> Any:  # noqa: ANN401 - see _highdicom
        point = [[item.x + item.w / 2, item.y + item.h / 2]]
        return self._region("111010", "Center", self._sr.GraphicTypeValues.POINT, point)

    def _outline(self, item: LesionMark | LesionCluster) -> Any:  # noqa: ANN401 - see _highdicom
        left, top, right, bottom = item.x, item.y, item.x + item.w, item.y + item.h
        corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        return self._region("111041", "Outline", self._sr.GraphicTypeValues.POLYLINE, corners)

    def _region(self, value: str, meaning: str, kind: Any, points: Sequence[Sequence[float]]) -> Any:  # noqa: ANN401

        item = self._sr.ScoordContentItem(
            self._dcm(value, meaning), kind, np.array(points, np.float32), relationship_type=self._properties
        )
        item.ContentSequence = self._sequence(self._image(self._sr.RelationshipTypeValues.SELECTED_FROM))
        return item

    def _successful(self) -> Any:  # noqa: ANN401 - see _highdicom
        detections = self._sr.CodeContentItem(
            self._dcm("111064", "Summary of Detections"), self._dcm("111222", "Succeeded"), self._contains
        )
        performed = self._sr.CodeContentItem(
            self._dcm("111022", "Detection Performed"),
            self._code("129770007", "SCT", "Individual Calcification"),
            self._contains,
        )
        performed.ContentSequence = self._sequence(*self._algorithm())
        successful = self._sr.ContainerContentItem(
            self._dcm("111063", "Successful Detections"), relationship_type=self._inferred
        )
        successful.ContentSequence = self._sequence(performed)
        detections.ContentSequence = self._sequence(successful)
        return detections
