"""What this service does: original plus boxes to the redacted picture."""

from obscura.handlers.redaction import redaction_service

SERVICE = redaction_service()
