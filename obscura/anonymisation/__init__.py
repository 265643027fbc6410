"""The use case: a photo and what was found in it go in, the redacted photo and a report come out."""

from obscura.anonymisation.redact import RedactedPhoto, redact_photo
from obscura.anonymisation.report import RedactionReport, Verdict
from obscura.anonymisation.request import RedactionRequest, Target

__all__ = ["RedactedPhoto", "RedactionReport", "RedactionRequest", "Target", "Verdict", "redact_photo"]
