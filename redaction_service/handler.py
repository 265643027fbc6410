"""The redaction service; its handler is in ``obscura.handlers.redaction``."""

from obscura.handlers.redaction import redaction_service

SERVICE = redaction_service()
