"""What this service does: original plus boxes to the redacted picture."""

from obscura.redaction_worker import redaction_service

SERVICE = redaction_service()
