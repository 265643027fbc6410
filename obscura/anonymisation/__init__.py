"""The use case: a photo goes in, the redacted photo and a report come out."""

from obscura.anonymisation.redact import RedactedPhoto, redact_photo
from obscura.anonymisation.report import RedactionReport, Verdict
from obscura.anonymisation.request import RedactionRequest, Target

__all__ = ["RedactedPhoto", "RedactionReport", "RedactionRequest", "Target", "Verdict", "redact_photo"]
